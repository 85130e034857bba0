//! The module itself.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use plastron_config::{Config, Schema};
use plastron_keys::{
    Binding, BlobAnswer, Completion, DataKey, DataKeyWrapper, Fault, Kek, KekId, KeyEnvironment, KeyInfo, KeyModule,
    KeyModuleFactory, Keyring, WrappedKey,
};
use plastron_sources::clock::{Clock, SystemClock};

use super::examination::examine;
use super::fault::fault;
use super::kek_blob::KekBlob;
use super::memory_file::WrapMemoryFile;
use super::node_key::NodeKey;
use super::servers::servers;
use super::settings::Settings;
use super::view::{Carried, View};
use crate::Error;
use crate::client::{Client, ClientOptions, MemoryFile};
use crate::proto::{Message as _, Realm};
use crate::transport::Transport;

const NAME: &str = "keyserver";

/// `key_management=(name=keyserver,config=(cluster=…,node=…,key_file=…,realm=…,servers=(…),memory=…))`.
pub struct KeyserverModule {
    pub(super) settings: Settings,
    pub(super) realm: Realm,
    pub(super) key: NodeKey,
    pub(super) memory: WrapMemoryFile,
    /// None without servers: then nothing new can be wrapped.
    pub(super) client: Option<Arc<Client>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) environment: KeyEnvironment,
    /// Held during everything that has an order, which may wait for the keyserver.
    order: Mutex<Order>,
    view: Mutex<View>,
}

/// What the calls that have an order know.
#[derive(Default)]
pub(super) struct Order {
    /// The ring of the database's KEKs.
    pub(super) ring: Option<[u8; 16]>,
    /// The blob last loaded or completed.
    pub(super) carried: Option<Carried>,
    /// The blob that waits to be completed.
    pub(super) pending: Option<Carried>,
    /// When the readers were last looked up, and when that was last tried.
    pub(super) looked_ms: Option<u64>,
    pub(super) tried_ms: Option<u64>,
}

/// The environment's calendar over the machine's timer.
#[derive(Debug)]
struct ModuleClock(KeyEnvironment);

impl Clock for ModuleClock {
    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }

    fn wall(&self) -> SystemTime {
        self.0.clock.wall()
    }

    fn sleep(&self, duration: Duration) -> plastron_sources::clock::Sleep {
        SystemClock.sleep(duration)
    }
}

impl KeyserverModule {
    /// Opens what `config`, what stands in the brackets of `config=(…)`, names. Asks nobody, and writes nothing.
    ///
    /// # Errors
    /// [`Fault::Config`] for settings and files that are wrong or missing; [`Fault::Corrupt`] for a damaged one.
    pub fn open(config: &Config, environment: &KeyEnvironment) -> Result<Self, Fault> {
        let settings = Settings::from_config(config)?;
        let clock: Arc<dyn Clock> = Arc::new(ModuleClock(environment.clone()));
        let replicas = servers(&settings, &clock)?;
        Self::with_replicas(settings, environment, replicas)
    }

    /// As [`open`](Self::open), with replicas that are reached as the caller wants.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn with_replicas(
        settings: Settings,
        environment: &KeyEnvironment,
        replicas: Vec<Arc<dyn Transport>>,
    ) -> Result<Self, Fault> {
        let path = &settings.realm;
        let bytes = std::fs::read(path)
            .map_err(|error| Fault::io(format!("reading the realm's file {}", path.display()), error))?;
        let realm = Realm::from_bytes(&bytes).map_err(fault)?;
        let key = NodeKey::read(&settings.key_file).map_err(fault)?;
        let clock: Arc<dyn Clock> = Arc::new(ModuleClock(environment.clone()));
        let memory = WrapMemoryFile::new(&settings.memory, &realm, &settings.cluster, environment.clock.clone());
        memory.load()?;
        let client = match replicas.is_empty() {
            true => None,
            false => {
                let memory = Some(MemoryFile::new(&settings.memory.join("seen")));
                let options = ClientOptions { realm: realm.clone(), replicas, memory, clock: Arc::clone(&clock) };
                Some(Arc::new(Client::open(options).map_err(fault)?))
            }
        };
        let environment = environment.clone();
        let (order, view) = (Mutex::default(), Mutex::default());
        Ok(Self { settings, realm, key, memory, client, clock, environment, order, view })
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now_ms(&self) -> u64 {
        crate::runner::now_ms(&*self.clock)
    }

    /// The KEK that new data keys are wrapped by; a fresh one if there is none, or if somebody has it who is to read no more.
    fn in_force(&self) -> Result<Arc<Kek>, Fault> {
        let mut view = self.view();
        if let Some(kek) = view.usable() {
            return Ok(kek);
        }
        if view.in_force.is_none() {
            self.check_new(&self.memory.load()?)?;
        }
        let known = self.generate()?;
        let kek = known.kek.clone();
        if view.exposed {
            tracing::warn!(kek = %kek.id(), "the KEK of the blob loaded went to a node that is no reader any more; a fresh one is used, which the next checkpoint holds");
        }
        view.use_fresh(known);
        Ok(kek)
    }
}

impl KeyModule for KeyserverModule {
    fn name(&self) -> &str {
        NAME
    }

    fn load_key_blob(&self, blob: &[u8]) -> Result<(), Fault> {
        let mut order = self.order();
        if order.pending.is_some() {
            return Err(Fault::State("load_key_blob was called between get_key_blob and get_key_complete".into()));
        }
        let blob = KekBlob::from_bytes(blob).map_err(fault)?;
        if blob.cluster != self.settings.cluster {
            let (of, here) = (&blob.cluster, &self.settings.cluster);
            return Err(Fault::Config(format!(
                "the database's keys are of cluster {of}, and config=(…) names cluster {here}"
            )));
        }
        let examination = examine(&self.realm, &self.settings.quorum, &blob);
        if let Some(broken) = examination.faults.first() {
            return Err(Fault::Refused(format!("generation {} of the keys is refused: {broken}", blob.generation)));
        }
        let known = self.unwrap_keks(&blob)?;
        let members = examination.members();
        // What is accepted is on disk before anything comes of it.
        let see = |memory: &mut super::wrap_memory::WrapMemory| memory.see_blob(blob.ring, blob.generation, &members);
        let ((), memory) = self.memory.change(see)?;
        if blob.generation < memory.generation {
            tracing::info!(
                generation = blob.generation,
                newest = memory.generation,
                "older keys than the newest that this node has seen were loaded"
            );
        }
        let ids = known.iter().map(|known| known.kek.id()).collect();
        let mut view = self.view();
        view.add(known)?;
        view.put_in_force(KekId(blob.kek), members.clone(), &memory.members);
        let newest = KekId(blob.kek);
        order.ring = Some(blob.ring);
        order.carried = Some(Carried { newest, generation: blob.generation, made_ms: blob.wrapped_ms, members, ids });
        Ok(())
    }

    fn get_key_blob(&self) -> Result<BlobAnswer, Fault> {
        let mut order = self.order();
        if order.pending.is_some() {
            return Err(Fault::State("get_key_blob was called again before get_key_complete".into()));
        }
        let need = self.need(&order, &self.memory.load()?);
        if need.is_none() && !self.is_due(&order) {
            return Ok(BlobAnswer::Unchanged);
        }
        match (self.look(&mut order), need) {
            (Ok(looked), Some(why)) => self.make(&mut order, looked, why),
            (Ok(looked), None) => {
                let same = order.carried.as_ref().is_some_and(|carried| carried.members.are_as(&looked.members));
                if same { Ok(BlobAnswer::Unchanged) } else { self.make(&mut order, looked, "the readers have changed") }
            }
            (Err(failed), Some(why)) => Err(unable(failed, why)),
            (Err(failed), None) => {
                self.goes_on(&order, failed)?;
                Ok(BlobAnswer::Unchanged)
            }
        }
    }

    fn get_key_complete(&self, completion: &Completion) -> Result<(), Fault> {
        let mut order = self.order();
        let Some(pending) = order.pending.take() else {
            return Err(Fault::State("get_key_complete was called without a changed blob from get_key_blob".into()));
        };
        let memory = self.memory.load();
        let mut view = self.view();
        match completion {
            Completion::Persisted { lsn } => {
                tracing::info!(kek = %pending.newest, generation = pending.generation, lsn, "the KEK is in force");
                view.complete(&pending);
                order.carried = Some(pending);
            }
            Completion::Failed { reason } => {
                tracing::warn!(kek = %pending.newest, reason, "the KEK was not persisted; the one before it stays in force");
                view.fail(&pending);
            }
        }
        // Whoever was revoked meanwhile is found by the next look; what other processes of this node have seen counts now.
        view.check_exposure(&memory?.members);
        Ok(())
    }

    fn data_keys(&self) -> Option<&dyn DataKeyWrapper> {
        Some(self)
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        Some(self)
    }
}

/// Why a blob that is needed could not be made.
fn unable(failed: Fault, why: &str) -> Fault {
    let said = format!("{why}, and no new one can be wrapped: {failed}");
    match failed {
        Fault::Unreachable(_) => Fault::Unreachable(said),
        Fault::Refused(_) => Fault::Refused(said),
        Fault::Config(_) => Fault::Config(said),
        other => other,
    }
}

impl DataKeyWrapper for KeyserverModule {
    fn wrap(&self, key: &DataKey, binding: &Binding) -> Result<WrappedKey, Fault> {
        self.in_force()?.wrap(key, binding, &*self.environment.random)
    }

    fn unwrap(&self, wrapped: &WrappedKey, binding: &Binding) -> Result<DataKey, Fault> {
        let id = Kek::id_of(wrapped)?;
        let kek = self.view().kek(&id).map(|known| Arc::clone(&known.kek));
        kek.ok_or_else(|| Fault::UnknownKek { module: NAME.into(), kek: id.to_string() })?.unwrap(wrapped, binding)
    }
}

impl Keyring for KeyserverModule {
    fn show(&self) -> Result<Vec<KeyInfo>, Fault> {
        let view = self.view();
        let info = |known: super::view::Known| {
            let made = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(known.info.made_ms));
            let generation = u32::try_from(known.info.generation).unwrap_or(u32::MAX);
            let (id, made) = (known.kek.id(), made.unwrap_or(SystemTime::UNIX_EPOCH));
            KeyInfo::new(id.to_string(), generation, made, view.in_force == Some(id))
        };
        let all = view.all();
        if all.is_empty() {
            return Err(Fault::State(
                "the keys of this module are in the database's checkpoints, and none is loaded here; plastron keys audit shows them".into(),
            ));
        }
        Ok(all.into_iter().map(info).collect())
    }

    fn rotate(&self) -> Result<(), Fault> {
        let want = |memory: &mut super::wrap_memory::WrapMemory| {
            if memory.generation == 0 {
                let why = "there is none yet; it is made when the database is first written to".to_owned();
                return Err(Error::Invalid { what: "KEK", why });
            }
            memory.wanted = memory.generation;
            Ok(())
        };
        self.memory.change(want).map(drop)
    }

    fn rewrap(&self, _: &Config) -> Result<(), Fault> {
        Err(Fault::Unsupported(
            "this module has no master key: KEKs are wrapped to the readers' keys; register another key for a node with plastron-keyserver register-node, and the next checkpoint wraps to it".into(),
        ))
    }
}

impl fmt::Debug for KeyserverModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyserverModule").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Opens [`KeyserverModule`].
#[derive(Debug, Clone, Copy)]
pub struct KeyserverFactory;

impl KeyModuleFactory for KeyserverFactory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> Schema {
        Settings::schema(NAME)
    }

    fn open(&self, config: &Config, environment: &KeyEnvironment) -> Result<Box<dyn KeyModule>, Fault> {
        Ok(Box::new(KeyserverModule::open(config, environment)?))
    }
}
