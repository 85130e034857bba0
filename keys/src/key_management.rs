//! A key module in use: what the page log and the checkpoint call.
//!
//! Invariants:
//! * `load_key_blob`, `get_key_blob`, `get_key_complete` and `terminate` reach the module one at a time and in the contract's order,
//!   whoever calls and whatever is dropped. A changed blob is completed exactly once: if the checkpoint that took it is dropped, the module is
//!   told of a failure before it is asked for anything else, and the late completion, if it comes after all, is refused;
//! * nothing reaches the module once `terminate` does, which waits for every call that is under way;
//! * the module runs on threads where blocking is allowed, and a call that has begun runs to its end even if its future is dropped;
//! * a blob's size is within its bounds in both directions.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use plastron_config::{Config, Schema};

use crate::envelope::{Binding, DataKey, Opener, Sealer, WrappedKey};
use crate::environment::KeyEnvironment;
use crate::error::{Error, Fault, Result};
use crate::module::{BlobAnswer, Completion, DataKeyWrapper, KeyInfo, KeyModule, Keyring, MAX_KEY_BLOB_BYTES};
use crate::modules::KeyModules;
use crate::none::NoneModule;

/// An opened key module. Cheap to clone; clones share everything.
///
/// The asynchronous functions need a tokio runtime, on whose blocking threads the module runs.
#[derive(Clone)]
pub struct KeyManagement(Arc<Shared>);

struct Shared {
    module: Box<dyn KeyModule>,
    environment: KeyEnvironment,
    turn: Mutex<Turn>,
    /// Whether the module was terminated. Held, to read, during every call, so that `terminate` waits for all of them.
    ended: RwLock<bool>,
}

/// Held while the module does one of the calls that have an order.
#[derive(Default)]
struct Turn {
    /// The changed blob that waits to be completed.
    pending: Option<u64>,
    last_ticket: u64,
}

/// What a checkpoint has to do about keys.
#[derive(Debug)]
#[must_use = "a changed blob has to be written and completed"]
pub enum KeyBlob {
    /// Nothing: the KEK page of the last checkpoint is used again, and `get_key_complete` is not called.
    Unchanged,
    /// To write this blob as a KEK page, and to say what came of it.
    Changed(PendingBlob),
}

/// A changed blob on its way. Give it back with [`KeyManagement::get_key_complete`]; dropped, it counts as failed.
#[must_use = "a changed blob has to be completed"]
pub struct PendingBlob {
    blob: Bytes,
    ticket: u64,
}

impl PendingBlob {
    /// What is to be written behind the header of the KEK page; 1 byte to 16 MiB. It is wrapped by the module already.
    pub fn blob(&self) -> &Bytes {
        &self.blob
    }
}

impl fmt::Debug for PendingBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PendingBlob({} bytes)", self.blob.len())
    }
}

/// Everything to write one encrypted object with, and to read it back.
#[derive(Debug)]
pub struct ObjectCipher {
    /// Seals the object's records.
    pub sealer: Sealer,
    /// Opens them again.
    pub opener: Opener,
    /// The data key as it is written into the object's header.
    pub wrapped: WrappedKey,
}

impl KeyManagement {
    /// What may stand in the brackets of `key_management=(…)`; the inner `config=(…)` is the module's own, see [`KeyModules::schemas`].
    pub fn schema() -> Schema {
        KeyModules::schema()
    }

    /// Opens the module that `section`, what stands in the brackets of `key_management=(…)`, names; without a name it is `none`.
    ///
    /// # Errors
    /// `Invalid` for a setting that is unknown or wrong, with "did you mean"; `Unauthorized` for a master key that is missing, wrong or open to
    /// others; `Unavailable`, `NotFound` for files; `Unsupported` for a library or keyring that is too new. Nothing has been written then.
    pub async fn open(section: &Config) -> Result<Self> {
        Self::open_with(section, KeyModules::default(), KeyEnvironment::default()).await
    }

    /// As [`KeyManagement::open`], with modules, time and randomness of the caller's.
    ///
    /// # Errors
    /// As [`KeyManagement::open`].
    pub async fn open_with(section: &Config, modules: KeyModules, environment: KeyEnvironment) -> Result<Self> {
        let section = section.clone();
        blocking("open", "key_management", move || Self::open_blocking(&section, &modules, environment)).await
    }

    /// As [`KeyManagement::open_with`], on this thread.
    ///
    /// # Errors
    /// As [`KeyManagement::open`].
    pub fn open_blocking(section: &Config, modules: &KeyModules, environment: KeyEnvironment) -> Result<Self> {
        let module = modules.open(section, &environment)?;
        Ok(Self::from_module(module, environment))
    }

    /// A module that is opened already.
    pub fn from_module(module: Box<dyn KeyModule>, environment: KeyEnvironment) -> Self {
        let shared = Shared { module, environment, turn: Mutex::default(), ended: RwLock::new(false) };
        Self(Arc::new(shared))
    }

    /// No keys.
    pub fn none() -> Self {
        Self::from_module(Box::new(NoneModule), KeyEnvironment::default())
    }

    /// The module's name.
    pub fn name(&self) -> &str {
        self.0.module.name()
    }

    /// Whether payloads are encrypted.
    pub fn encrypts(&self) -> bool {
        self.0.module.data_keys().is_some()
    }

    /// Gives the module the blob of a checkpoint that is being loaded: at start-up, when a follower picks up a checkpoint with another KEK
    /// LSN, and at step-up. Not called for a database that has no KEK page.
    ///
    /// # Errors
    /// `Invalid` for a blob of 0 bytes or more than 16 MiB; `Corrupt`, `Unsupported`, `Unauthorized` by what is wrong with the blob or the
    /// master key, or because the module takes no blob. What was loaded before still is.
    pub async fn load_key_blob(&self, blob: Bytes) -> Result<()> {
        self.run("load_key_blob", move |shared| {
            check_size(blob.len())?;
            let mut turn = shared.turn();
            shared.give_up_pending(&mut turn)?;
            shared.module.load_key_blob(&blob)
        })
        .await
    }

    /// Asks the module for its blob, once in each checkpoint, after the metadata is written and before the turtle page is.
    ///
    /// # Errors
    /// What the module says; `Invalid` if its blob has 0 bytes or more than 16 MiB. The checkpoint fails.
    pub async fn get_key_blob(&self) -> Result<KeyBlob> {
        self.run("get_key_blob", |shared| {
            let mut turn = shared.turn();
            shared.give_up_pending(&mut turn)?;
            let BlobAnswer::Changed(blob) = shared.module.get_key_blob()? else { return Ok(KeyBlob::Unchanged) };
            turn.last_ticket += 1;
            turn.pending = Some(turn.last_ticket);
            if let Err(fault) = check_size(blob.len()) {
                shared.give_up_pending(&mut turn)?;
                return Err(fault);
            }
            Ok(KeyBlob::Changed(PendingBlob { blob: blob.into(), ticket: turn.last_ticket }))
        })
        .await
    }

    /// Tells the module what became of its blob: the LSN of the KEK page once it is written, or why it could not be. After a failure the KEK
    /// that was in force still is.
    ///
    /// # Errors
    /// `Conflict` if another `get_key_blob` came in between, `Invalid` for the LSN 0 (the module is told of a failure then), and what the
    /// module says. The checkpoint fails.
    pub async fn get_key_complete(&self, pending: PendingBlob, outcome: Result<u64, String>) -> Result<()> {
        self.run("get_key_complete", move |shared| {
            let mut turn = shared.turn();
            if turn.pending != Some(pending.ticket) {
                return Err(Fault::Superseded);
            }
            let (completion, fault) = match outcome {
                Ok(0) => {
                    let reason = "the LSN of the KEK page is 0, and LSNs start at 1";
                    (Completion::Failed { reason: reason.into() }, Some(Fault::State(reason.into())))
                }
                Ok(lsn) => (Completion::Persisted { lsn }, None),
                Err(reason) => (Completion::Failed { reason }, None),
            };
            turn.pending = None;
            let told = shared.module.get_key_complete(&completion);
            fault.map_or(told, Err)
        })
        .await
    }

    /// Ends the module. Every later call is refused, through clones too.
    ///
    /// # Errors
    /// `Invalid` if it was terminated before; what the module says, and it is over nevertheless.
    pub async fn terminate(&self) -> Result<()> {
        self.call("terminate", |shared| {
            let mut ended = shared.ended.write().unwrap_or_else(PoisonError::into_inner);
            if std::mem::replace(&mut *ended, true) {
                return Err(Fault::Terminated);
            }
            let given_up = shared.give_up_pending(&mut shared.turn());
            shared.module.terminate().and(given_up)
        })
        .await
    }

    /// A fresh data key for the object `binding`, wrapped by the KEK in force; `None` if payloads are not encrypted.
    ///
    /// # Errors
    /// What keeps the module from wrapping.
    pub async fn new_cipher(&self, binding: Binding) -> Result<Option<ObjectCipher>> {
        let made = self.run("wrap", move |shared| {
            let Some(module) = shared.module.data_keys() else { return Ok(None) };
            let key = DataKey::generate(shared.environment.random.as_ref())?;
            let wrapped = module.wrap(&key, &binding)?;
            Ok(Some((key, wrapped)))
        });
        let Some((key, wrapped)) = made.await? else { return Ok(None) };
        Ok(Some(ObjectCipher { sealer: Sealer::new(binding, &key)?, opener: Opener::new(binding, &key)?, wrapped }))
    }

    /// What opens the records of the object `binding`, whose header holds `wrapped`.
    ///
    /// # Errors
    /// `Unauthorized` if the module has no data keys, or not this KEK; `Corrupt` if `wrapped` was changed or belongs to another object.
    pub async fn opener(&self, binding: Binding, wrapped: WrappedKey) -> Result<Opener> {
        let key = self.run("unwrap", move |shared| shared.data_keys()?.unwrap(&wrapped, &binding)).await?;
        Opener::new(binding, &key)
    }

    /// The keys, oldest first.
    ///
    /// # Errors
    /// `Unsupported` for a module without a keyring; what the module says.
    pub async fn show(&self) -> Result<Vec<KeyInfo>> {
        self.run("show", |shared| shared.keyring()?.show()).await
    }

    /// Makes a new KEK, which the next checkpoint puts in force.
    ///
    /// # Errors
    /// `Unsupported` for a module without a keyring; what the module says, and nothing has changed then.
    pub async fn rotate(&self) -> Result<()> {
        self.run("rotate", |shared| shared.keyring()?.rotate()).await
    }

    /// Wraps all KEKs anew by the master key that `config` names, in the words of the module's own `config=(…)`.
    ///
    /// # Errors
    /// `Unsupported` for a module without a keyring; what the module says, and nothing has changed then.
    pub async fn rewrap(&self, config: &Config) -> Result<()> {
        let config = config.clone();
        self.run("rewrap", move |shared| shared.keyring()?.rewrap(&config)).await
    }

    /// A call of a module that is not terminated before the call has ended.
    async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        call: impl FnOnce(&Shared) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        self.call(operation, move |shared| {
            let ended = shared.ended.read().unwrap_or_else(PoisonError::into_inner);
            if *ended { Err(Fault::Terminated) } else { call(shared) }
        })
        .await
    }

    async fn call<T: Send + 'static>(
        &self,
        operation: &'static str,
        call: impl FnOnce(&Shared) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let shared = self.0.clone();
        let target = format!("key module '{}'", self.name());
        let named = target.clone();
        blocking(operation, &target, move || call(&shared).map_err(|fault| Error::new(operation, named, fault))).await
    }
}

impl Shared {
    fn turn(&self) -> std::sync::MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the module that a blob nobody completed has failed.
    fn give_up_pending(&self, turn: &mut Turn) -> Result<(), Fault> {
        if turn.pending.take().is_none() {
            return Ok(());
        }
        self.module
            .get_key_complete(&Completion::Failed { reason: "the checkpoint that took the blob was given up".into() })
    }

    fn data_keys(&self) -> Result<&dyn DataKeyWrapper, Fault> {
        self.module.data_keys().ok_or_else(|| Fault::NoKeys { module: self.module.name().to_owned() })
    }

    fn keyring(&self) -> Result<&dyn Keyring, Fault> {
        self.module.keyring().ok_or_else(|| {
            let name = self.module.name();
            Fault::Unsupported(format!(
                "the key module '{name}' has no keyring that could be shown or changed from here"
            ))
        })
    }
}

fn check_size(size: usize) -> Result<(), Fault> {
    match size {
        1..=MAX_KEY_BLOB_BYTES => Ok(()),
        _ => Err(Fault::Size { what: "a key blob", size: size as u64, low: 1, high: MAX_KEY_BLOB_BYTES as u64 }),
    }
}

/// Runs `call` where blocking is allowed.
async fn blocking<T: Send + 'static>(
    operation: &'static str,
    target: &str,
    call: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let stopped = |what: String| Error::new(operation, target, Fault::Stopped(what));
    let runtime = tokio::runtime::Handle::try_current().map_err(|error| stopped(error.to_string()))?;
    match runtime.spawn_blocking(call).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => Err(stopped("the key module panicked".to_owned())),
        Err(_) => Err(stopped("the runtime is shutting down".to_owned())),
    }
}

impl fmt::Debug for KeyManagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyManagement({})", self.name())
    }
}
