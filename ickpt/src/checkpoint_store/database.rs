//! The database: records by key, and the identity of this instance.
//!
//! `redb`, each commit with `Durability::Immediate` and in two phases. When the file is made, its folder and the folder above are synced, so
//! that it is still there after a power cut.

use std::path::Path;
use std::sync::Arc;

use plastron_sources::clock::{Entropy, SystemEntropy};
use redb::{Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use super::record::Record;
use crate::error::{Error, Fault, Result};
use crate::value::InstanceId;

/// Records, by key.
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records-1");
/// What concerns all of it, by name.
const INSTANCE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("instance");
const IDENTITY: &str = "identity";
/// Magic, 16 bytes, CRC32C of both.
const IDENTITY_MAGIC: &[u8; 8] = b"PLICKID1";

/// Name of the file in the folder `DataBasePath`.
const FILE: &str = "ickpt.redb";

/// What one instance keeps on disk. It is locked: a second process is refused.
#[derive(Debug)]
pub struct Database {
    database: redb::Database,
    place: Arc<str>,
    identity: InstanceId,
}

impl Database {
    /// Opens the database in `folder`, which is made if it is missing.
    ///
    /// # Errors
    /// Those of the disk; `Corrupt`; `Unsupported`; `Unavailable` if another process has it open.
    pub fn open(folder: &Path, cache_bytes: usize) -> Result<Self> {
        let place = folder.join(FILE);
        let io = |error: std::io::Error| Error::new("open", folder.display().to_string(), Fault::Io(error));
        std::fs::create_dir_all(folder).map_err(io)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).map_err(io)?;
        }
        let database = redb::Builder::new().set_cache_size(cache_bytes).create(&place);
        let this =
            Self::start(database.map_err(|error| trouble("open", &place.display().to_string(), error))?, &place)?;
        for folder in [Some(folder), folder.parent()].into_iter().flatten() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        }
        Ok(this)
    }

    /// The database on another storage; for tests of what a power cut leaves.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    #[doc(hidden)]
    pub fn on(storage: impl redb::StorageBackend) -> Result<Self> {
        let database = redb::Builder::new().create_with_backend(storage);
        Self::start(database.map_err(|error| trouble("open", "storage", error))?, Path::new("storage"))
    }

    fn start(database: redb::Database, place: &Path) -> Result<Self> {
        let place: Arc<str> = place.display().to_string().into();
        let identity = identity(&database, &place)?;
        Ok(Self { database, place, identity })
    }

    /// The identity of this database. A new one has a new identity.
    pub fn identity(&self) -> InstanceId {
        self.identity
    }

    /// The record of `key`, if there is one.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`, `Unavailable`.
    pub fn read(&self, key: &[u8]) -> Result<Option<Record>> {
        let read = || -> Result<Option<Vec<u8>>, redb::Error> {
            let table = self.database.begin_read()?.open_table(RECORDS)?;
            Ok(table.get(key)?.map(|found| found.value().to_vec()))
        };
        let Some(bytes) = read().map_err(|error| trouble("read", &self.place, error))? else { return Ok(None) };
        let target = || format!("{}, record of {}", self.place, String::from_utf8_lossy(key));
        Record::decode(key, &bytes).map(Some).map_err(|fault| Error::new("read", target(), fault))
    }

    /// Writes records, all or none. When it returns, they are on disk.
    ///
    /// # Errors
    /// `Unavailable`: what is on disk is then not known, and nothing more may be asked of this database.
    pub fn write<'a>(&self, records: impl IntoIterator<Item = (&'a [u8], &'a Record)>) -> Result<()> {
        let write = || -> Result<(), redb::Error> {
            let mut transaction = self.database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            transaction.set_two_phase_commit(true);
            {
                let mut table = transaction.open_table(RECORDS)?;
                for (key, record) in records {
                    table.insert(key, record.encode(key).as_slice())?;
                }
            }
            Ok(transaction.commit()?)
        };
        write().map_err(|error| trouble("commit", &self.place, error))
    }
}

/// The identity that is there, or a new one.
fn identity(database: &redb::Database, place: &Arc<str>) -> Result<InstanceId> {
    let corrupt = || {
        let fault = Fault::corrupt(
            0,
            "the identity of this instance can't be read; put the folder aside, start with a new one and reseed it",
        );
        Error::new("open", place.to_string(), fault)
    };
    let run = || -> Result<Option<InstanceId>, redb::Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.set_two_phase_commit(true);
        let id = {
            transaction.open_table(RECORDS)?;
            let mut table = transaction.open_table(INSTANCE)?;
            let found = table.get(IDENTITY)?.map(|found| found.value().to_vec());
            match found {
                Some(bytes) => decode_identity(&bytes),
                None => {
                    // Two sources of 64 bits each: a clash would make a wiped instance look like its predecessor.
                    let (one, two) = (SystemEntropy::default(), SystemEntropy::default());
                    let id = InstanceId(u128::from(one.next_u64()) << 64 | u128::from(two.next_u64()));
                    table.insert(IDENTITY, encode_identity(id).as_slice())?;
                    Some(id)
                }
            }
        };
        transaction.commit()?;
        Ok(id)
    };
    run().map_err(|error| trouble("open", place, error))?.ok_or_else(corrupt)
}

fn encode_identity(id: InstanceId) -> Vec<u8> {
    let mut bytes = IDENTITY_MAGIC.to_vec();
    bytes.extend_from_slice(&id.0.to_le_bytes());
    let sum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode_identity(bytes: &[u8]) -> Option<InstanceId> {
    let id: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
    let id = InstanceId(u128::from_le_bytes(id));
    (encode_identity(id) == bytes).then_some(id)
}

fn trouble(operation: &'static str, place: &str, error: impl Into<redb::Error>) -> Error {
    let fault = match error.into() {
        redb::Error::Io(error) => Fault::Io(error),
        redb::Error::Corrupted(what) => Fault::corrupt(0, what),
        redb::Error::UpgradeRequired(version) => {
            Fault::Unsupported(format!("the database has the file format {version} of an older redb"))
        }
        redb::Error::DatabaseAlreadyOpen => Fault::Unavailable("another process has it open".to_owned()),
        other => Fault::Database(other.to_string()),
    };
    Error::new(operation, place, fault)
}
