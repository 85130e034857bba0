//! The store: bucket, cache, file system, and what a database is opened from, wired together from one string.
//!
//! The string's settings are owned by the crates that they configure; here their schemas become one, so that a typo anywhere is
//! found with a suggestion, and the parts are opened in the order of the floors.

use std::fmt;
use std::sync::Arc;

use plastron_cache::{Cache, CacheOptions};
use plastron_config::{Config, Schema};
use plastron_keys::{KeyEnvironment, KeyManagement};
use plastron_registry::Registries as _;
use plastron_sources::{Bucket, BucketOptions};
use tokio::runtime::Handle;

use crate::checkpoint::{CheckpointFault, Follower, History, Leader, RetentionOptions, Volume};
use crate::error::{Fault, Result};
use crate::file_system::FileSystem;
use crate::key_modules::key_modules;
use crate::page_log::PageLogOptions;
use crate::registry_options::RegistryOptions;
use crate::store_stats::StoreStats;

/// Settings of the `cache=(…)` section that are not the cache's own but say how the store uses it.
const ENABLED: &str = "enabled";
const WRITE_THROUGH: &str = "write_through";

/// Everything needed to open a store: what a configuration string says, as values.
///
/// ```
/// use plastron::StoreOptions;
///
/// let mut options = StoreOptions::parse("source=memory_store,bucket=b,part_size=16MB,cache=(memory=64MB)")?;
/// assert_eq!(options.bucket.part_size, 16 << 20);
/// options.bucket.readonly = true;
///
/// let error = StoreOptions::parse("source=memory_store,bucket=b,cache=(memroy=64MB)").unwrap_err();
/// assert!(error.to_string().contains("did you mean 'memory'?"));
/// # Ok::<(), plastron::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoreOptions {
    /// The bucket.
    pub bucket: BucketOptions,
    /// The local cache; none for no cache at all, not even in memory.
    pub cache: Option<CacheOptions>,
    /// Whether what is created enters the cache. Default true.
    pub write_through: bool,
    /// The page log of a database in the bucket.
    pub page_log: PageLogOptions,
    /// Its keys: what stands in the brackets of `key_management=(…)`.
    pub key_management: KeySettings,
    /// Who knows its latest checkpoint.
    pub registry: RegistryOptions,
    /// How long its checkpoints are kept.
    pub retention: RetentionOptions,
}

/// What stands in the brackets of `key_management=(…)`. It may hold secrets, and doesn't show them.
#[derive(Clone, Default)]
pub struct KeySettings(Config);

impl KeySettings {
    /// The settings in `section`.
    ///
    /// # Errors
    /// `Invalid` for a module that is not there, and for settings that it has not.
    pub fn new(section: Config) -> Result<Self> {
        key_modules().check(&section)?;
        Ok(Self(section))
    }

    /// The settings.
    pub fn section(&self) -> &Config {
        &self.0
    }

    /// Opens the module that they name, of [`key_modules`].
    ///
    /// # Errors
    /// As [`KeyManagement::open`].
    pub async fn open(&self) -> Result<KeyManagement> {
        Ok(KeyManagement::open_with(&self.0, key_modules(), KeyEnvironment::default()).await?)
    }
}

impl fmt::Debug for KeySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.get("name").and_then(|name| name.text());
        write!(f, "KeySettings(name={})", name.unwrap_or("none"))
    }
}

impl StoreOptions {
    /// A bucket with the default cache: in memory only.
    pub fn new(bucket: BucketOptions) -> Self {
        Self {
            bucket,
            cache: Some(CacheOptions::default()),
            write_through: true,
            page_log: PageLogOptions::new(),
            key_management: KeySettings::default(),
            registry: RegistryOptions::default(),
            retention: RetentionOptions::new(),
        }
    }

    /// Reads a configuration string or URL: `source=s3_store,bucket=pages,cache=(size=10GB)`, `s3://pages?cache.size=10GB`.
    ///
    /// # Errors
    /// `Invalid`, with the position of what is malformed, unknown, of the wrong type, out of range or missing.
    pub fn parse(store: &str) -> Result<Self> {
        Self::from_config(&Config::parse_store(store)?)
    }

    /// Reads a configuration that is parsed already, and maybe merged from several.
    ///
    /// # Errors
    /// As [`StoreOptions::parse`].
    pub fn from_config(config: &Config) -> Result<Self> {
        Store::schema().check(config)?;
        let mut section = config.section("cache")?.cloned().unwrap_or_default();
        let enabled = section.boolean(ENABLED)?.unwrap_or(true);
        let write_through = section.boolean(WRITE_THROUGH)?.unwrap_or(true);
        // What is left is the cache's own.
        for key in [ENABLED, WRITE_THROUGH] {
            section.remove(key);
        }
        let cache = CacheOptions::from_config(&section)?;
        let bucket = BucketOptions::from_config(config)?;
        let section = |name| config.section(name).map(|section| section.cloned().unwrap_or_default());
        let page_log = PageLogOptions::from_config(&section("page_log")?)?;
        page_log.validate()?;
        let retention = RetentionOptions::from_config(&section("retention")?)?;
        retention.validate()?;
        Ok(Self {
            bucket,
            cache: enabled.then_some(cache),
            write_through,
            page_log,
            key_management: KeySettings::new(section("key_management")?)?,
            registry: RegistryOptions::from_config(&section("registry")?)?,
            retention,
        })
    }
}

/// One opened store. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Store {
    files: FileSystem,
    database: Arc<Database>,
}

/// What the database in the store is opened with.
#[derive(Debug)]
struct Database {
    page_log: PageLogOptions,
    key_management: KeySettings,
    registry: RegistryOptions,
    retention: RetentionOptions,
}

impl Store {
    /// Opens the store that a configuration string or URL names: proves the bucket, and starts the cache.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), plastron::Error> {
    /// let store = plastron::Store::open("source=memory_store,bucket=example").await?;
    /// store.file_system().put("hello", "turtle").await?;
    /// assert!(store.file_system().exists("hello").await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for a string that is wrong (the message shows where) and for a bucket that does not exist; `Unauthorized` for
    /// credentials that are missing, wrong or too weak; `Unavailable` if the provider cannot be reached; `Unsupported` for
    /// a provider that is not built in, and for a store that ignores conditional creates.
    pub async fn open(store: &str) -> Result<Self> {
        Self::open_with(StoreOptions::parse(store)?).await
    }

    /// Opens a store from options.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(options: StoreOptions) -> Result<Self> {
        let StoreOptions { bucket, cache, write_through, page_log, key_management, registry, retention } = options;
        let bucket = Box::pin(Bucket::open(bucket)).await?;
        let cache = match cache {
            Some(options) => Some(Self::open_cache(options).await?),
            None => None,
        };
        let files = FileSystem::from_parts(bucket, cache).with_write_through(write_through);
        Ok(Self { files, database: Arc::new(Database { page_log, key_management, registry, retention }) })
    }

    /// Every setting that a store string may have, with types, defaults and meanings.
    pub fn schema() -> Schema {
        let cache = CacheOptions::schema()
            .boolean(ENABLED, "Whether there is a cache at all; without one every read is a request.", "true")
            .boolean(
                WRITE_THROUGH,
                "Whether what is created enters the cache, so that reading it back costs no request.",
                "true",
            );
        BucketOptions::schema()
            .section(cache)
            .section(PageLogOptions::schema())
            .section(KeyManagement::schema())
            .section(RegistryOptions::schema())
            .section(RetentionOptions::schema())
    }

    /// What the database in this store is opened from. Its key module is opened here, anew by every call.
    ///
    /// # Errors
    /// `Unauthorized` for a master key that is missing or wrong; as [`KeyManagement::open`]; `Invalid` for addresses and files of the registry
    /// that can't be used; `Unsupported` for a registry that is not built in.
    pub async fn volume(&self) -> Result<Volume> {
        let database = &self.database;
        let keys = database.key_management.open().await?;
        let volume = Volume::new(self.bucket().clone(), database.registry.owner());
        let mut volume = volume.with_registries(Arc::new(database.registry.clone())).await?;
        volume.cache = self.cache().cloned();
        volume.keys = keys;
        volume.page_log = database.page_log.clone();
        volume.retention = database.retention.clone();
        Ok(volume)
    }

    /// Takes over as the leader of the database in this store; begins one if there is none.
    ///
    /// ```
    /// use plastron::checkpoint::CheckpointRequest;
    /// use plastron::page_log::{Lsn, PutArgs};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), plastron::Error> {
    /// let store = plastron::Store::open("source=memory_store,bucket=db,key_management=(name=mock)").await?;
    /// let leader = store.leader().await?;
    /// let lsn = leader.table(1)?.put(42, PutArgs::full(), "a page").await?;
    /// leader.checkpoint(CheckpointRequest::new(lsn)).await?; // now everybody sees it
    ///
    /// let follower = store.follower().await?;
    /// let page = follower.table(1)?.get(42, Lsn::MAX).await?;
    /// assert_eq!(&page.records[0].bytes[..], b"a page");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Leader::open`] and [`Store::volume`].
    pub async fn leader(&self) -> Result<Leader> {
        Ok(Leader::open(self.volume().await?).await?)
    }

    /// Follows the database in this store.
    ///
    /// # Errors
    /// As [`Follower::open`] and [`Store::volume`].
    pub async fn follower(&self) -> Result<Follower> {
        Ok(Follower::open(self.volume().await?).await?)
    }

    /// The checkpoints of the database in this store.
    ///
    /// # Errors
    /// As [`Store::volume`].
    pub async fn history(&self) -> Result<History> {
        Ok(History::new(self.volume().await?))
    }

    /// Has the registry forget the database that was in this store, all of whose objects were removed, so that another may begin in its place. Nothing is
    /// to be done where the bucket itself is the registry.
    ///
    /// # Errors
    /// `Invalid` if something of it is still there; those of the registry.
    pub async fn forget_database(&self) -> Result<()> {
        let forgotten = self.database.registry.forget(self.bucket()).await;
        Ok(forgotten.map_err(CheckpointFault::from)?)
    }

    /// Opens a cache on this runtime, where blocking is allowed: for a file system that is put together from parts.
    ///
    /// # Errors
    /// `Invalid` for options that contradict each other; the operating system's error if the directory can't be used.
    pub async fn open_cache(options: CacheOptions) -> Result<Cache> {
        let runtime = Handle::current();
        let opened = tokio::task::spawn_blocking(move || Cache::open(options, runtime)).await;
        let ended = |_| Fault::RuntimeEnded { operation: "open", name: "the cache".to_owned() };
        Ok(opened.map_err(ended)??)
    }

    /// The file system.
    pub fn file_system(&self) -> &FileSystem {
        &self.files
    }

    /// The bucket.
    pub fn bucket(&self) -> &Bucket {
        self.files.bucket()
    }

    /// The cache, if there is one.
    pub fn cache(&self) -> Option<&Cache> {
        self.files.cache()
    }

    /// What bucket and cache did since they were opened.
    pub fn stats(&self) -> StoreStats {
        self.files.stats()
    }

    /// Waits for what still goes on in the background; see [`FileSystem::close`].
    pub async fn close(&self) {
        self.files.close().await;
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("files", &self.files).finish()
    }
}
