//! The mock itself.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use plastron_config::{Config, Schema};

use super::blob::{MIN_BYTES, MockBlob};
use crate::envelope::{Binding, DataKey, Kek, KekId, Root, SecretKey, WrappedKey};
use crate::environment::{KeyClock, KeyEnvironment, KeyRandom};
use crate::error::Fault;
use crate::module::{BlobAnswer, Completion, DataKeyWrapper, KeyInfo, KeyModule, KeyModuleFactory, Keyring};

const NAME: &str = "mock";

/// Most keys that `show` lists: the newest.
const MOST_SHOWN: u32 = 100;

/// Set apart from every other use of the seed.
const KEK_INFO: &[u8] = b"plastron mock KEK 1";
const FINGERPRINT_INFO: &[u8] = b"plastron mock fingerprint 1";

/// `key_management=(name=mock,config=(seed=…,key_expires=…))`.
pub struct MockModule {
    root: Root,
    fingerprint: [u8; 8],
    /// Seconds; negative for never.
    key_expires: i64,
    blob_size: u32,
    clock: Arc<dyn KeyClock>,
    random: Arc<dyn KeyRandom>,
    state: Mutex<State>,
}

/// One key: its number, and when it was made in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Generation {
    number: u32,
    created: u64,
}

#[derive(Debug, Default)]
struct State {
    /// Of the blob that was last loaded or completed.
    in_force: Option<Generation>,
    /// Of the blob that waits to be completed.
    pending: Option<Generation>,
    /// Highest number seen in any blob, or used before there was one.
    known: u32,
    /// `rotate` was called since the last completion.
    rotate: bool,
}

impl MockModule {
    /// A module whose keys are made of `seed`. `key_expires`: -1 never, 0 at every checkpoint, else after so many seconds. `blob_size`: bytes
    /// that a blob is padded to, at least 40.
    ///
    /// # Errors
    /// None that can come about; the type is that of deriving keys.
    pub fn new(seed: &str, key_expires: i64, blob_size: u32, environment: &KeyEnvironment) -> Result<Self, Fault> {
        let root = Root::new(b"plastron mock key module", seed.as_bytes());
        let mut fingerprint = [0; 8];
        root.derive(&[FINGERPRINT_INFO], &mut fingerprint)?;
        Ok(Self {
            root,
            fingerprint,
            key_expires,
            blob_size: blob_size.max(MIN_BYTES as u32),
            clock: environment.clock.clone(),
            random: environment.random.clone(),
            state: Mutex::default(),
        })
    }

    fn kek(&self, number: u32) -> Result<Kek, Fault> {
        let key = SecretKey::written_by(|key| self.root.derive(&[KEK_INFO, &number.to_le_bytes()], key))?;
        Ok(Kek::new(self.kek_id(number), key))
    }

    /// `mock`, the number, the seed's fingerprint.
    fn kek_id(&self, number: u32) -> KekId {
        let mut id = [0; KekId::BYTES];
        let fields = [&b"mock"[..], &number.to_le_bytes(), &self.fingerprint];
        for (to, from) in id.iter_mut().zip(fields.into_iter().flatten()) {
            *to = *from;
        }
        KekId(id)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        self.clock.wall().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    fn is_due(&self, state: &State, key: Generation) -> bool {
        let age = self.now().saturating_sub(key.created);
        state.rotate || u64::try_from(self.key_expires).is_ok_and(|expires| age >= expires)
    }
}

impl KeyModule for MockModule {
    fn name(&self) -> &str {
        NAME
    }

    fn load_key_blob(&self, blob: &[u8]) -> Result<(), Fault> {
        let mut state = self.state();
        if state.pending.is_some() {
            return Err(Fault::State("load_key_blob was called between get_key_blob and get_key_complete".into()));
        }
        let blob = MockBlob::decode(blob)?;
        if blob.fingerprint != self.fingerprint {
            return Err(Fault::WrongMasterKey("the blob was made by a key module 'mock' with another seed".into()));
        }
        state.in_force = Some(Generation { number: blob.generation, created: blob.created });
        state.known = state.known.max(blob.generation);
        Ok(())
    }

    fn get_key_blob(&self) -> Result<BlobAnswer, Fault> {
        let mut state = self.state();
        if state.pending.is_some() {
            return Err(Fault::State("get_key_blob was called again before get_key_complete".into()));
        }
        let number = match state.in_force {
            Some(key) if !self.is_due(&state, key) => return Ok(BlobAnswer::Unchanged),
            Some(_) => {
                state.known.checked_add(1).ok_or_else(|| Fault::State("there are no more generations".into()))?
            }
            // What was sealed before the first blob was, with the first key.
            None => 1,
        };
        let key = Generation { number, created: self.now() };
        state.pending = Some(key);
        let blob =
            MockBlob { generation: number, created: key.created, fingerprint: self.fingerprint, size: self.blob_size };
        Ok(BlobAnswer::Changed(blob.encode()))
    }

    fn get_key_complete(&self, completion: &Completion) -> Result<(), Fault> {
        let mut state = self.state();
        let Some(key) = state.pending.take() else {
            return Err(Fault::State("get_key_complete was called without a changed blob from get_key_blob".into()));
        };
        if let Completion::Persisted { lsn } = completion {
            tracing::debug!(generation = key.number, lsn, "the mock's key is in force");
            state.in_force = Some(key);
            state.known = state.known.max(key.number);
            state.rotate = false;
        }
        Ok(())
    }

    fn data_keys(&self) -> Option<&dyn DataKeyWrapper> {
        Some(self)
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        Some(self)
    }
}

impl DataKeyWrapper for MockModule {
    fn wrap(&self, key: &DataKey, binding: &Binding) -> Result<WrappedKey, Fault> {
        let number = {
            let mut state = self.state();
            let number = state.in_force.map_or(1, |key| key.number);
            state.known = state.known.max(number);
            number
        };
        self.kek(number)?.wrap(key, binding, self.random.as_ref())
    }

    fn unwrap(&self, wrapped: &WrappedKey, binding: &Binding) -> Result<DataKey, Fault> {
        let id = Kek::id_of(wrapped)?;
        let [_, _, _, _, a, b, c, d, ..] = id.0;
        let number = u32::from_le_bytes([a, b, c, d]);
        if id != self.kek_id(number) || number == 0 || number > self.state().known {
            return Err(Fault::UnknownKek { module: NAME.into(), kek: id.to_string() });
        }
        self.kek(number)?.unwrap(wrapped, binding)
    }
}

impl Keyring for MockModule {
    fn show(&self) -> Result<Vec<KeyInfo>, Fault> {
        let state = self.state();
        let shown = (1..=state.known).rev().take(MOST_SHOWN as usize).collect::<Vec<_>>();
        let info = |number: u32| {
            let in_force = state.in_force.filter(|key| key.number == number);
            // The mock remembers the time of one key only.
            let created = in_force
                .map_or(SystemTime::UNIX_EPOCH, |key| SystemTime::UNIX_EPOCH + Duration::from_secs(key.created));
            KeyInfo::new(self.kek_id(number).to_string(), number, created, in_force.is_some())
        };
        Ok(shown.into_iter().rev().map(info).collect())
    }

    fn rotate(&self) -> Result<(), Fault> {
        self.state().rotate = true;
        Ok(())
    }

    fn rewrap(&self, _: &Config) -> Result<(), Fault> {
        Err(Fault::Unsupported("the key module 'mock' has no master key to wrap its keys by".into()))
    }
}

impl fmt::Debug for MockModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockModule").field("key_expires", &self.key_expires).finish_non_exhaustive()
    }
}

/// Opens [`MockModule`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct MockFactory;

impl KeyModuleFactory for MockFactory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> Schema {
        Schema::new(NAME)
            .about("Keys made of a seed, for tests and as an example. It protects nothing.")
            .string("seed", "What all keys are made of.")
            .default_value("plastron")
            .number(
                "key_expires",
                "Seconds after which a checkpoint gets a new key; 0: every checkpoint does; -1: never.",
                "-1",
            )
            .range("-1", "")
            .size("blob_size", "Bytes that the blob is padded to.", "40")
            .range("40", "16MB")
    }

    fn open(&self, config: &Config, environment: &KeyEnvironment) -> Result<Box<dyn KeyModule>, Fault> {
        let seed = config.string("seed")?.unwrap_or_else(|| "plastron".to_owned());
        let expires = config.number("key_expires")?.unwrap_or(-1);
        let size = config.size("blob_size")?.and_then(|size| u32::try_from(size).ok()).unwrap_or(MIN_BYTES as u32);
        Ok(Box::new(MockModule::new(&seed, expires, size, environment)?))
    }
}
