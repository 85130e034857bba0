//! What one instance keeps on disk: a journal, which is synced once for each batch, before a database, to which its records move later.
//!
//! A record is looked for among those that have not moved, and then in the database. Whatever is in the journal is moved when the instance starts: then the database has
//! everything, and says so in the same transaction; the journal is begun; the database says that too; and only then anything is taken. So a journal that should be there and is
//! not, or is another one, is found out.
//!
//! When files are made, their folder and the folder above are synced, so that they are still there after a power cut.
//!
//! Locks: `journal`, then `moves`, then `unmoved`. A commit holds the first for its write and sync; readers need only the last, which nobody holds while waiting for a disk.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use plastron_sources::clock::{Entropy as _, SystemEntropy};

use super::journal::{Generation, Journal, JournalFile, JournalState};
use super::opening::{Found, found};
use super::record::Record;
use super::tables::Tables;
use super::unmoved::Unmoved;
use crate::error::{Error, Fault, Result};
use crate::value::InstanceId;

/// Names of the files in the folder `DataBasePath`.
const TABLES: &str = "ickpt.redb";
const JOURNALS: [&str; 2] = ["ickpt-0.journal", "ickpt-1.journal"];
/// Bytes of each of the journal's two files: some thousand commits share a transaction of the database, and what has not moved takes about as much memory as both.
const JOURNAL_FILE_BYTES: u32 = 4 << 20;
/// No version of this program makes longer ones.
const MAX_JOURNAL_FILE_BYTES: u64 = 64 << 20;

/// What one instance keeps on disk. It is locked: a second process is refused.
#[derive(Debug)]
pub struct Database {
    tables: Tables,
    identity: InstanceId,
    /// What the tables say of the journal, but for how far it was moved.
    state: JournalState,
    journal: Mutex<Journal>,
    /// One move at a time.
    moves: Mutex<()>,
    unmoved: Mutex<Unmoved>,
    sealed: Condvar,
}

impl Database {
    /// Opens the database in `folder`, which is made if it is missing, and moves what is in its journal.
    ///
    /// # Errors
    /// Those of the disk; `Corrupt`, also for files that do not belong together; `Unsupported`; `Unavailable` if another process has it open.
    pub fn open(folder: &Path, cache_bytes: usize) -> Result<Self> {
        let io = |error: std::io::Error| Error::new("open", folder.display().to_string(), Fault::Io(error));
        std::fs::create_dir_all(folder).map_err(io)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).map_err(io)?;
        }
        // This locks all of it.
        let tables = Tables::open(&folder.join(TABLES), cache_bytes)?;
        let [one, two] = JOURNALS.map(|name| JournalFile::open(&folder.join(name)));
        let files = [one?, two?];
        for folder in [Some(folder), folder.parent()].into_iter().flatten() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        }
        Self::start(tables, files, JOURNAL_FILE_BYTES)
    }

    /// The database on other storages, with a journal of two files of so many bytes; for tests of what a power cut leaves.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    #[doc(hidden)]
    pub fn on<S: redb::StorageBackend>(tables: S, journal: [S; 2], file_bytes: u32) -> Result<Self> {
        let [one, two] = journal;
        let files = [JournalFile::on(one, "file 0 of the journal"), JournalFile::on(two, "file 1 of the journal")];
        Self::start(Tables::on(tables)?, files, file_bytes)
    }

    fn start(tables: Tables, files: [JournalFile; 2], file_bytes: u32) -> Result<Self> {
        let instance = tables.instance()?;
        let [one, two] = &files;
        let images = [one.image(MAX_JOURNAL_FILE_BYTES)?, two.image(MAX_JOURNAL_FILE_BYTES)?];
        let are_filled = instance.journal.is_some_and(|state| state.begun)
            && images.iter().all(|image| image.len() == file_bytes as usize);
        let Found { records, last } = found(&instance, &files, &images)?;
        drop(images);
        let identity = instance.identity.unwrap_or_else(|| InstanceId(drawn()));
        let mut state = JournalState { generation: Generation(drawn()), base: last, contained: last, begun: false };
        tables.write(pairs(&records), identity, &state)?;
        let journal = Journal::begin(files, file_bytes, identity, state, are_filled)?;
        state.begun = true;
        tables.write([], identity, &state)?;
        Ok(Self {
            tables,
            identity,
            state,
            journal: Mutex::new(journal),
            moves: Mutex::new(()),
            unmoved: Mutex::default(),
            sealed: Condvar::new(),
        })
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
        // In this order: what has moved meanwhile is in the database.
        let unmoved = lock(&self.unmoved).get(key).map(<[u8]>::to_vec);
        let found = match unmoved {
            Some(bytes) => Some(bytes),
            None => self.tables.read(key)?,
        };
        let Some(bytes) = found else { return Ok(None) };
        let target = || format!("{}, record of {}", self.tables.place(), String::from_utf8_lossy(key));
        Record::decode(key, &bytes).map(Some).map_err(|fault| Error::new("read", target(), fault))
    }

    /// Writes records, each of them whole. When it returns, they are on disk.
    ///
    /// # Errors
    /// `Unavailable`: what is on disk is then not known, and nothing more may be asked of this database. `Invalid`, for a record that is longer than the journal takes.
    pub fn write<'a>(&self, records: impl IntoIterator<Item = (&'a [u8], &'a Record)>) -> Result<()> {
        let mut journal = lock(&self.journal);
        let mut batch = Vec::new();
        for (key, record) in records {
            let bytes = record.encode(key);
            if !journal.entry().push(key, &bytes) {
                self.append(&mut journal, &mut batch)?;
                if !journal.entry().push(key, &bytes) {
                    let what = format!("a record of {} bytes is too long for the journal", bytes.len());
                    return Err(Error::new("write", self.tables.place(), Fault::Invalid(what)));
                }
            }
            batch.push((key.to_vec(), bytes));
        }
        self.append(&mut journal, &mut batch)
    }

    fn append(&self, journal: &mut Journal, batch: &mut Vec<(Vec<u8>, Vec<u8>)>) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        if !journal.has_room() {
            self.turn(journal)?;
        }
        journal.append()?;
        let mut unmoved = lock(&self.unmoved);
        for (key, record) in batch.drain(..) {
            unmoved.insert(key, record);
        }
        Ok(())
    }

    /// The other file takes entries now. If what it had has not moved yet, that is waited for, or done.
    fn turn(&self, journal: &mut Journal) -> Result<()> {
        self.move_sealed()?;
        journal.turn();
        lock(&self.unmoved).seal(journal.last());
        self.sealed.notify_one();
        Ok(())
    }

    /// What is in the journal is the next to be moved.
    ///
    /// # Errors
    /// As [`move_sealed`](Self::move_sealed).
    pub fn seal(&self) -> Result<()> {
        let mut journal = lock(&self.journal);
        let is_empty = lock(&self.unmoved).is_empty();
        if is_empty { Ok(()) } else { self.turn(&mut journal) }
    }

    /// Moves what is to be moved to the database, in one transaction, while the journal takes more.
    ///
    /// # Errors
    /// `Unavailable`: what is on disk is then not known, and nothing more may be asked of this database.
    pub fn move_sealed(&self) -> Result<()> {
        let _one = lock(&self.moves);
        let Some(sealed) = lock(&self.unmoved).sealed() else { return Ok(()) };
        let state = JournalState { contained: sealed.last, ..self.state };
        self.tables.write(pairs(&sealed.records), self.identity, &state)?;
        lock(&self.unmoved).moved();
        Ok(())
    }

    /// Moves what is sealed, and every so often what is in the journal, until [`stop_moving`](Self::stop_moving). For a thread of its own.
    ///
    /// # Errors
    /// As [`move_sealed`](Self::move_sealed).
    pub(super) fn keep_moving(&self, every: Duration) -> Result<()> {
        loop {
            let nothing = |unmoved: &mut Unmoved| unmoved.sealed().is_none() && !unmoved.stopped;
            let waited = self.sealed.wait_timeout_while(lock(&self.unmoved), every, nothing);
            let (unmoved, waited) = waited.unwrap_or_else(|_| poisoned());
            if unmoved.stopped {
                return Ok(());
            }
            drop(unmoved);
            if waited.timed_out() {
                self.seal()?;
            }
            self.move_sealed()?;
        }
    }

    /// Ends [`keep_moving`](Self::keep_moving).
    pub(super) fn stop_moving(&self) {
        lock(&self.unmoved).stopped = true;
        self.sealed.notify_all();
    }
}

fn pairs(records: &HashMap<Vec<u8>, Vec<u8>>) -> impl Iterator<Item = (&[u8], &[u8])> {
    records.iter().map(|(key, record)| (key.as_slice(), record.as_slice()))
}

/// Two sources of 64 bits each: a clash would make a wiped instance look like its predecessor.
fn drawn() -> u128 {
    let (one, two) = (SystemEntropy::default(), SystemEntropy::default());
    u128::from(one.next_u64()) << 64 | u128::from(two.next_u64())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|_| poisoned())
}

fn poisoned() -> ! {
    tracing::error!("a write ended in the middle, so what holds is not known; the process ends");
    std::process::abort()
}

#[cfg(test)]
impl Database {
    pub(super) fn unmoved_bytes(&self) -> usize {
        lock(&self.unmoved).bytes()
    }
}
