//! The module itself.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use plastron_config::{Config, Schema};

use super::image::KeyringImage;
use super::keyring::Keyring as Ring;
use super::master_key::MasterKey;
use super::settings::{Argon2Settings, Settings, check_rewrap, origin};
use super::state::{Pending, State, Written};
use crate::envelope::{Binding, DataKey, Kek, KekId, WrappedKey};
use crate::environment::KeyEnvironment;
use crate::error::Fault;
use crate::module::{
    BlobAnswer, Completion, DataKeyWrapper, KeyInfo, KeyModule, KeyModuleFactory, Keyring, MAX_KEY_BLOB_BYTES,
};
use crate::replaced_file::{ReplacedFile, read_private};

const NAME: &str = "file";

/// `key_management=(name=file,config=(path=…,key_file=…))`.
pub struct FileModule {
    settings: Settings,
    file: ReplacedFile,
    environment: KeyEnvironment,
    /// Held during everything that has an order, which may wait for another process.
    state: Mutex<State>,
    /// What `wrap` and `unwrap` need of it, so that they wait for nobody.
    view: RwLock<View>,
}

/// The keys as they were when the state last changed.
#[derive(Default)]
struct View {
    known: Option<Ring>,
    in_force: Option<KekId>,
}

impl FileModule {
    /// Opens the keyring that `config`, what stands in the brackets of `config=(…)`, names; it need not exist. Writes nothing.
    ///
    /// # Errors
    /// [`Fault::Config`]; [`Fault::NoMasterKey`], [`Fault::WrongMasterKey`], [`Fault::OpenToOthers`]; [`Fault::Corrupt`] and
    /// [`Fault::Unsupported`] for a keyring that can't be read; [`Fault::Io`].
    pub fn open(config: &Config, environment: &KeyEnvironment) -> Result<Self, Fault> {
        let settings = Settings::from_config(config)?;
        let master = MasterKey::read(settings.origin.clone(), environment)?;
        let file = ReplacedFile::new("the keyring", settings.path.clone(), environment.clock.clone());
        let state = State { master, known: None, persisted: None, in_force: None, pending: None };
        let environment = environment.clone();
        let module = Self { settings, file, environment, state: Mutex::new(state), view: RwLock::default() };
        let mut state = module.state();
        state.known = module.read_file(&state.master)?.and_then(|written| written.keyring);
        module.show_to_readers(&state);
        drop(state);
        Ok(module)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called after every change of `state`, before its lock is given back.
    fn show_to_readers(&self, state: &State) {
        let view = View { known: state.known.clone(), in_force: state.in_force };
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
    }

    fn readable(&self, id: Option<KekId>) -> Option<Arc<Kek>> {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        view.known.as_ref()?.kek(&id.or(view.in_force)?).cloned()
    }

    fn now_ms(&self) -> u64 {
        let since = self.environment.clock.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn read_file(&self, master: &MasterKey) -> Result<Option<Written>, Fault> {
        let Some(bytes) = read_private(self.file.path(), MAX_KEY_BLOB_BYTES as u64)? else { return Ok(None) };
        let opened = KeyringImage::decode(&bytes).and_then(|image| Ring::open(&image, master));
        let keyring = opened.map_err(|fault| self.in_file(fault))?;
        Ok(Some(Written { bytes, keyring: Some(keyring) }))
    }

    /// `fault` of the file, with its name and a way out.
    fn in_file(&self, fault: Fault) -> Fault {
        let path = self.file.path().display();
        match fault {
            Fault::Corrupt { offset, check } => Fault::Corrupt {
                offset,
                check: format!(
                    "{check} (keyring file {path}; put back a copy, or move it away: it is made again from the newest checkpoint)"
                ),
            },
            Fault::WrongMasterKey(what) => Fault::WrongMasterKey(format!("{what} (keyring file {path})")),
            Fault::Unsupported(what) => Fault::Unsupported(format!("{what} (keyring file {path})")),
            other => other,
        }
    }

    fn create(&self, master: &MasterKey) -> Result<Ring, Fault> {
        let random = self.environment.random.as_ref();
        let kdf = self.settings.argon2.kdf(master.is_passphrase(), random)?;
        Ring::create(kdf, self.now_ms(), random)
    }

    fn is_due(&self, keyring: &Ring) -> bool {
        let (Some(after), Some(newest)) = (self.settings.rotate_after, keyring.newest()) else { return false };
        Duration::from_millis(self.now_ms().saturating_sub(newest.created_ms)) >= after
    }

    /// The key that new data keys are wrapped by; on the first call for a new database the keyring is made.
    fn in_force(&self) -> Result<Arc<Kek>, Fault> {
        if let Some(kek) = self.readable(None) {
            return Ok(kek);
        }
        let mut state = self.state();
        if state.known.is_none() {
            let locked = self.file.lock()?;
            let keyring = match self.read_file(&state.master)?.and_then(|written| written.keyring) {
                Some(keyring) => keyring,
                None => {
                    let mut keyring = self.create(&state.master)?;
                    locked.replace(&keyring.seal(&state.master, &*self.environment.random)?)?;
                    keyring
                }
            };
            state.known = Some(keyring);
        }
        let known = state.known.as_ref();
        let id = state.in_force.or_else(|| known.and_then(Ring::newest).map(|entry| entry.id));
        let found = id.and_then(|id| Some((id, known?.kek(&id)?.clone())));
        let (id, kek) = found.ok_or_else(|| Fault::State("the keyring is empty".into()))?;
        state.in_force = Some(id);
        self.show_to_readers(&state);
        Ok(kek)
    }

    /// The keys of file and process, to be changed and written.
    fn existing(&self, state: &State) -> Result<Ring, Fault> {
        let on_disk = self.read_file(&state.master)?;
        state.joined(on_disk.as_ref())?.ok_or_else(|| {
            let path = self.file.path().display();
            Fault::Config(format!("there is no keyring {path} yet; it is made when a database is first written to"))
        })
    }
}

impl KeyModule for FileModule {
    fn name(&self) -> &str {
        NAME
    }

    fn load_key_blob(&self, blob: &[u8]) -> Result<(), Fault> {
        let mut state = self.state();
        if state.pending.is_some() {
            return Err(Fault::State("load_key_blob was called between get_key_blob and get_key_complete".into()));
        }
        let image = KeyringImage::decode(blob)?;
        let newest = image.entries.last().map(|entry| entry.id);
        let keyring = match Ring::open(&image, &state.master) {
            Ok(keyring) => Some(keyring),
            // An older checkpoint of a keyring that was rewrapped since: its keys are all in the file.
            Err(Fault::WrongMasterKey(_)) if state.known.as_ref().is_some_and(|known| knows(known, &image)) => None,
            Err(fault) => return Err(fault),
        };
        if let Some(keyring) = &keyring {
            match &mut state.known {
                Some(known) => {
                    let mut joined = known.clone();
                    joined.join(keyring)?;
                    *known = joined;
                }
                known => *known = Some(keyring.clone()),
            }
        }
        state.persisted = Some(Written { bytes: blob.to_vec(), keyring });
        state.in_force = newest;
        self.show_to_readers(&state);
        Ok(())
    }

    fn get_key_blob(&self) -> Result<BlobAnswer, Fault> {
        let mut state = self.state();
        if state.pending.is_some() {
            return Err(Fault::State("get_key_blob was called again before get_key_complete".into()));
        }
        let locked = self.file.lock()?;
        let on_disk = self.read_file(&state.master)?;
        let mut all = match state.joined(on_disk.as_ref())? {
            Some(keyring) => keyring,
            None => self.create(&state.master)?,
        };
        let mut usable = None;
        if self.is_due(&all) {
            all.add_key(self.now_ms(), &*self.environment.random)?;
        } else {
            usable = state.usable(&all, on_disk.as_ref());
        }
        let bytes = match usable {
            Some(bytes) => bytes,
            None => all.seal(&state.master, &*self.environment.random)?,
        };
        if on_disk.is_none_or(|on_disk| on_disk.bytes != bytes) {
            locked.replace(&bytes)?;
        }
        let newest = all.newest().map(|entry| entry.id).ok_or_else(|| Fault::State("the keyring is empty".into()))?;
        state.known = Some(all.clone());
        self.show_to_readers(&state);
        if state.persisted.as_ref().is_some_and(|persisted| persisted.bytes == bytes) {
            return Ok(BlobAnswer::Unchanged);
        }
        let written = Written { bytes: bytes.clone(), keyring: Some(all) };
        state.pending = Some(Pending { written, newest });
        Ok(BlobAnswer::Changed(bytes))
    }

    fn get_key_complete(&self, completion: &Completion) -> Result<(), Fault> {
        let mut state = self.state();
        let Some(pending) = state.pending.take() else {
            return Err(Fault::State("get_key_complete was called without a changed blob from get_key_blob".into()));
        };
        match completion {
            Completion::Persisted { lsn } => {
                tracing::info!(kek = %pending.newest, lsn, keyring = %self.file.path().display(), "the keyring is in force");
                state.persisted = Some(pending.written);
                state.in_force = Some(pending.newest);
                self.show_to_readers(&state);
            }
            Completion::Failed { reason } => {
                tracing::warn!(kek = %pending.newest, reason, "the keyring was not persisted; the KEK before it stays in force");
            }
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

impl DataKeyWrapper for FileModule {
    fn wrap(&self, key: &DataKey, binding: &Binding) -> Result<WrappedKey, Fault> {
        self.in_force()?.wrap(key, binding, self.environment.random.as_ref())
    }

    fn unwrap(&self, wrapped: &WrappedKey, binding: &Binding) -> Result<DataKey, Fault> {
        let id = Kek::id_of(wrapped)?;
        self.readable(Some(id))
            .ok_or_else(|| Fault::UnknownKek { module: NAME.into(), kek: id.to_string() })?
            .unwrap(wrapped, binding)
    }
}

impl Keyring for FileModule {
    fn show(&self) -> Result<Vec<KeyInfo>, Fault> {
        let state = self.state();
        let on_disk = self.read_file(&state.master)?;
        let all = state.joined(on_disk.as_ref())?;
        let in_force: Option<KekId> = state.in_force;
        let info = |entry: super::image::Entry| {
            let created = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(entry.created_ms));
            let created = created.unwrap_or(SystemTime::UNIX_EPOCH);
            KeyInfo::new(entry.id.to_string(), entry.generation, created, in_force == Some(entry.id))
        };
        Ok(all.map(|all| all.entries()).unwrap_or_default().into_iter().map(info).collect())
    }

    fn rotate(&self) -> Result<(), Fault> {
        let mut state = self.state();
        let locked = self.file.lock()?;
        let mut keyring = self.existing(&state)?;
        keyring.add_key(self.now_ms(), &*self.environment.random)?;
        let bytes = keyring.seal(&state.master, &*self.environment.random)?;
        locked.replace(&bytes)?;
        state.known = Some(keyring);
        self.show_to_readers(&state);
        Ok(())
    }

    fn rewrap(&self, config: &Config) -> Result<(), Fault> {
        check_rewrap(config)?;
        let master = MasterKey::read(origin(config)?, &self.environment)?;
        let kdf = Argon2Settings::from_config(config)?.kdf(master.is_passphrase(), self.environment.random.as_ref())?;
        let mut state = self.state();
        let locked = self.file.lock()?;
        let mut keyring = self.existing(&state)?;
        keyring.kdf = kdf;
        let bytes = keyring.seal(&master, &*self.environment.random)?;
        locked.replace(&bytes)?;
        state.known = Some(keyring);
        self.show_to_readers(&state);
        state.master = master;
        // The blob in the bucket is wrapped by the old master key, so the next checkpoint writes a new one.
        if let Some(persisted) = &mut state.persisted {
            persisted.keyring = None;
        }
        Ok(())
    }
}

/// Whether every key that `image` names is known.
fn knows(known: &Ring, image: &KeyringImage) -> bool {
    known.id == image.id && image.entries.iter().all(|entry| known.kek(&entry.id).is_some())
}

impl fmt::Debug for FileModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileModule").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Opens [`FileModule`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileFactory;

impl KeyModuleFactory for FileFactory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> Schema {
        Settings::schema(NAME)
    }

    fn open(&self, config: &Config, environment: &KeyEnvironment) -> Result<Box<dyn KeyModule>, Fault> {
        Ok(Box::new(FileModule::open(config, environment)?))
    }
}
