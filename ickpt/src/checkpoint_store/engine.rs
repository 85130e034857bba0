//! Calls decide, one at a time, on the threads they come from; one thread reads what is not known, one writes to the journal, and one moves from there to the database.
//!
//! The lock is held for a decision, which waits for nothing and nobody. All changes that came while the last batch was being written are the next batch, which is
//! one entry of the journal: so many commits share one wait for the disk, and what needs no disk does not wait for it, nor for another thread.
//!
//! If a write fails, what is on disk is not known any more: the process is aborted, and the restart finds out. So it is if a decision ends in the middle.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::database::Database;
use super::decisions::{Called, Decisions, Demand};
use super::engine_options::EngineOptions;
use super::record::Record;
use crate::error::Result;
use crate::refusal::{Reason, Refusal};

/// How long a record may be in the journal alone: the last entry is the only one whose damage can't be told from its not having been written.
const MOVE_EVERY: Duration = Duration::from_secs(5);

/// What the engine has done, for `/metrics`.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) commits: AtomicU64,
    pub(super) transactions: AtomicU64,
    pub(super) staged: AtomicU64,
}

#[derive(Debug)]
struct State {
    decisions: Decisions,
    /// Whether nobody can call any more.
    closed: bool,
}

/// The engine, shared by those who call and its three threads.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) counts: Counts,
    state: Mutex<State>,
    to_read: Condvar,
    to_write: Condvar,
}

impl Engine {
    pub(super) fn new(options: EngineOptions) -> Self {
        Self {
            counts: Counts::default(),
            state: Mutex::new(State { decisions: Decisions::new(options), closed: false }),
            to_read: Condvar::new(),
            to_write: Condvar::new(),
        }
    }

    /// Starts its threads. The handle's ends after all have, and the database has everything and is closed.
    ///
    /// # Errors
    /// If there can't be a thread.
    pub(super) fn start(self: &Arc<Self>, database: Database) -> std::io::Result<std::thread::JoinHandle<()>> {
        // Theirs alone: it is closed when they have ended, whoever else has the engine still.
        let database = Arc::new(database);
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let (this, to_read) = (Arc::clone(self), Arc::clone(&database));
        let read = thread("ickpt-reader").spawn(move || this.read_all(&to_read))?;
        let to_move = Arc::clone(&database);
        let moves = thread("ickpt-mover").spawn(move || must(to_move.keep_moving(MOVE_EVERY)));
        let (this, to_write) = (Arc::clone(self), Arc::clone(&database));
        let write = moves.and_then(|moves| {
            thread("ickpt-writer").spawn(move || {
                this.write_all(&to_write);
                to_write.stop_moving();
                for (name, thread) in [("reader", read), ("mover", moves)] {
                    if thread.join().is_err() {
                        tracing::error!("the {name} ended");
                    }
                }
                must(to_write.seal().and_then(|()| to_write.move_sealed()));
            })
        });
        if write.is_err() {
            self.close();
            database.stop_moving();
        }
        write
    }

    /// Decides a call, or has it wait.
    pub(super) fn call(&self, key: &[u8], demand: Demand) -> Called {
        let mut state = self.lock();
        let called = state.decisions.call(key, demand);
        self.pass_on(state);
        called
    }

    /// Nobody will call any more: what waits is done, and then the threads end.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.to_read.notify_one();
        self.to_write.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|_| {
            tracing::error!("a decision ended in the middle, so what holds is not known; the process ends");
            std::process::abort()
        })
    }

    /// Wakes who has something to do now.
    fn pass_on(&self, state: MutexGuard<'_, State>) {
        self.counts.staged.store(state.decisions.staged() as u64, Relaxed);
        let (read, write) = (state.decisions.has_to_read(), state.decisions.has_to_write() || state.closed);
        drop(state);
        if read {
            self.to_read.notify_one();
        }
        if write {
            self.to_write.notify_one();
        }
    }

    /// Waits on `condition` until there `is` something. None when there will be nothing any more.
    fn wait<'a>(
        &'a self,
        condition: &Condvar,
        mut state: MutexGuard<'a, State>,
        is: impl Fn(&Decisions) -> bool,
    ) -> Option<MutexGuard<'a, State>> {
        while !is(&state.decisions) {
            if state.closed && state.decisions.is_idle() {
                return None;
            }
            state = condition.wait(state).unwrap_or_else(|_| std::process::abort());
        }
        Some(state)
    }

    fn read_all(&self, database: &Database) {
        while let Some(mut state) = self.wait(&self.to_read, self.lock(), Decisions::has_to_read) {
            let Some(key) = state.decisions.take_to_read() else { continue };
            drop(state);
            let record = database.read(&key).map_err(|error| {
                tracing::error!(%error, "a record can't be read");
                let what = "what is kept for this URL can't be read; see the log of this instance";
                Refusal::new(Reason::Broken, what)
            });
            let mut state = self.lock();
            state.decisions.read(&key, record.map(Option::unwrap_or_default));
            self.pass_on(state);
        }
    }

    fn write_all(&self, database: &Database) {
        while let Some(mut state) = self.wait(&self.to_write, self.lock(), Decisions::has_to_write) {
            let changed = state.decisions.take_to_write();
            self.pass_on(state);
            self.write(database, &changed);
            drop(changed);
            let mut state = self.lock();
            let answers = state.decisions.written();
            drop(state);
            for (reply, answer) in answers {
                let _ = reply.send(answer);
            }
        }
        // It may have waited for what was written.
        self.to_read.notify_one();
    }

    fn write(&self, database: &Database, changed: &HashMap<Vec<u8>, Record>) {
        must(database.write(changed.iter().map(|(key, record)| (key.as_slice(), record))));
        self.counts.transactions.fetch_add(1, Relaxed);
        self.counts.commits.fetch_add(changed.len() as u64, Relaxed);
    }
}

/// A write that must not fail.
fn must(written: Result<()>) {
    if let Err(error) = written {
        tracing::error!(%error, "a write failed, so what is on disk is not known; the process ends, and its next start finds out");
        std::process::abort();
    }
}
