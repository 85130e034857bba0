//! The database beneath the journal: records by key, the identity of this instance, and how far the journal was moved.
//!
//! `redb`, each commit with `Durability::Immediate` and in two phases.

use std::path::Path;
use std::sync::Arc;

use redb::{Durability, ReadableDatabase as _, TableDefinition, TableError};

use super::journal::JournalState;
use crate::error::{Error, Fault, Result};
use crate::value::InstanceId;

/// Records, by key.
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records-1");
/// What concerns all of it, by name.
const INSTANCE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("instance");
const IDENTITY: &str = "identity";
const JOURNAL: &str = "journal";
/// Magic, 16 bytes, CRC32C of both.
const IDENTITY_MAGIC: &[u8; 8] = b"PLICKID2";
/// As it was before there was a journal. A program that knows no journal refuses the other one, for it would miss what is in there.
const IDENTITY_WITHOUT_JOURNAL: &[u8; 8] = b"PLICKID1";

/// The database.
#[derive(Debug)]
pub(super) struct Tables {
    database: redb::Database,
    place: Arc<str>,
}

/// What it says of the instance. Nothing, if it is new.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) identity: Option<InstanceId>,
    /// None if it was never used with a journal.
    pub(super) journal: Option<JournalState>,
}

impl Tables {
    pub(super) fn open(path: &Path, cache_bytes: usize) -> Result<Self> {
        let place: Arc<str> = path.display().to_string().into();
        let database = redb::Builder::new().set_cache_size(cache_bytes).create(path);
        Ok(Self { database: database.map_err(|error| trouble("open", &place, error))?, place })
    }

    pub(super) fn on(storage: impl redb::StorageBackend) -> Result<Self> {
        let place: Arc<str> = "storage".into();
        let database = redb::Builder::new().create_with_backend(storage);
        Ok(Self { database: database.map_err(|error| trouble("open", &place, error))?, place })
    }

    /// Where it is, for errors.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// What is noted about the instance.
    ///
    /// # Errors
    /// `Corrupt`, `Unavailable`.
    pub(super) fn instance(&self) -> Result<Instance> {
        let read = || -> Result<[Option<Vec<u8>>; 2], redb::Error> {
            let table = match self.database.begin_read()?.open_table(INSTANCE) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok([None, None]),
                Err(error) => return Err(error.into()),
            };
            let get = |name: &str| Ok::<_, redb::Error>(table.get(name)?.map(|found| found.value().to_vec()));
            Ok([get(IDENTITY)?, get(JOURNAL)?])
        };
        let [identity, journal] = read().map_err(|error| trouble("open", &self.place, error))?;
        let corrupt = |what: &str| {
            let remedy = "put the folder aside, start with a new one and reseed it";
            let fault = Fault::corrupt(0, format!("the {what} of this instance can't be read; {remedy}"));
            Error::new("open", self.place.to_string(), fault)
        };
        let identity = identity.map(|bytes| decode_identity(&bytes).ok_or_else(|| corrupt("identity")));
        let journal = journal.map(|bytes| JournalState::decode(&bytes).ok_or_else(|| corrupt("state of the journal")));
        Ok(Instance { identity: identity.transpose()?, journal: journal.transpose()? })
    }

    /// The bytes of the record of `key`, if there is one.
    ///
    /// # Errors
    /// `Corrupt`, `Unavailable`.
    pub(super) fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let read = || -> Result<Option<Vec<u8>>, redb::Error> {
            let table = self.database.begin_read()?.open_table(RECORDS)?;
            Ok(table.get(key)?.map(|found| found.value().to_vec()))
        };
        read().map_err(|error| trouble("read", &self.place, error))
    }

    /// Writes records and what there is to say about the instance, all or none. When it returns, it is on disk.
    ///
    /// # Errors
    /// `Unavailable`: what is on disk is then not known, and nothing more may be asked of this database.
    pub(super) fn write<'a>(
        &self,
        records: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
        identity: InstanceId,
        journal: &JournalState,
    ) -> Result<()> {
        // In the order of the tree, so that neighbours change one page once.
        let mut records: Vec<_> = records.into_iter().collect();
        records.sort_unstable();
        let write = || -> Result<(), redb::Error> {
            let mut transaction = self.database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            transaction.set_two_phase_commit(true);
            {
                let mut table = transaction.open_table(RECORDS)?;
                for (key, record) in records {
                    table.insert(key, record)?;
                }
                let mut table = transaction.open_table(INSTANCE)?;
                table.insert(IDENTITY, encode_identity(IDENTITY_MAGIC, identity).as_slice())?;
                table.insert(JOURNAL, journal.encode().as_slice())?;
            }
            Ok(transaction.commit()?)
        };
        write().map_err(|error| trouble("commit", &self.place, error))
    }
}

fn encode_identity(magic: &[u8; 8], id: InstanceId) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.extend_from_slice(&id.0.to_le_bytes());
    let sum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode_identity(bytes: &[u8]) -> Option<InstanceId> {
    let id: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
    let id = InstanceId(u128::from_le_bytes(id));
    let is = |magic| encode_identity(magic, id) == bytes;
    (is(IDENTITY_MAGIC) || is(IDENTITY_WITHOUT_JOURNAL)).then_some(id)
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

#[cfg(test)]
impl Tables {
    /// As the version before the journal left it.
    pub(super) fn write_without_journal(&self, identity: InstanceId, key: &[u8], record: &[u8]) {
        let mut transaction = self.database.begin_write().unwrap();
        transaction.set_durability(Durability::Immediate).unwrap();
        transaction.set_two_phase_commit(true);
        transaction.open_table(RECORDS).unwrap().insert(key, record).unwrap();
        let identity = encode_identity(IDENTITY_WITHOUT_JOURNAL, identity);
        transaction.open_table(INSTANCE).unwrap().insert(IDENTITY, identity.as_slice()).unwrap();
        transaction.commit().unwrap();
    }
}
