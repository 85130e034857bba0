//! What every command gets: where to print, which store to open, and what to do with it at the end.

use std::sync::OnceLock;
use std::time::Duration;

use plastron::checkpoint::Follower;
use plastron::clock::{Clock, SystemClock};
use plastron::{FileSystem, Store, StoreOptions};

use crate::failure::{Failure, Result};
use crate::jobs::Jobs;
use crate::output::Output;
use crate::statistics;

/// How long the end of a command waits for the store.
const LONGEST_SETTLE: Duration = Duration::from_secs(10);

/// What a command does to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Opens it read-only: not even the start-up probe writes.
    Read,
    /// As the store string says.
    Write,
}

/// One run of the command.
#[derive(Debug)]
pub(crate) struct Context {
    /// Where to print.
    pub(crate) output: Output,
    /// Its tasks.
    pub(crate) jobs: Jobs,
    store: Option<String>,
    statistics: bool,
    opened: OnceLock<Store>,
    /// Gives up its pin at the end, also if the command is interrupted.
    follower: OnceLock<Follower>,
    /// What the statistics are of, if not of the store's own file system.
    reported: OnceLock<FileSystem>,
}

impl Context {
    /// For a store string that may be missing, since not every command needs one.
    pub(crate) fn new(output: Output, store: Option<String>, statistics: bool) -> Self {
        let (opened, follower, reported) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { output, jobs: Jobs::new(), store, statistics, opened, follower, reported }
    }

    /// Whether `--store` or `PLASTRON_STORE` was given.
    pub(crate) fn has_store(&self) -> bool {
        self.store.is_some()
    }

    /// What `--store` or `PLASTRON_STORE` says.
    pub(crate) fn store_text(&self) -> Option<&str> {
        self.store.as_deref()
    }

    /// The store's settings, not opened yet.
    pub(crate) fn options(&self) -> Result<StoreOptions> {
        let text = self.store.as_deref().ok_or_else(|| {
            Failure::usage("which store? give --store STRING|URL or set PLASTRON_STORE (see plastron --help)")
        })?;
        Ok(StoreOptions::parse(text)?)
    }

    /// The same for a command that reads or writes no byte twice: it has no use for a cache that ends with the process.
    pub(crate) fn options_for_one_pass(&self) -> Result<StoreOptions> {
        let mut options = self.options()?;
        options.cache = options.cache.filter(|cache| cache.directory.is_some());
        Ok(options)
    }

    /// Opens the store that was named, for a command that makes one pass.
    pub(crate) async fn open(&self, access: Access) -> Result<Store> {
        let mut options = self.options_for_one_pass()?;
        if access == Access::Read {
            options.bucket.readonly = true;
        }
        self.open_with(options).await
    }

    /// Opens a store of the command's own making. A command opens one store only.
    pub(crate) async fn open_with(&self, options: StoreOptions) -> Result<Store> {
        let store = Store::open_with(options).await?;
        Ok(self.opened.get_or_init(|| store).clone())
    }

    /// Has a follower give up its pin when the command ends, however it does. A command has one only.
    pub(crate) fn close_at_the_end(&self, follower: &Follower) {
        self.follower.get_or_init(|| follower.clone());
    }

    /// Waits until uploads that were given up are cleared away, and pins released, but not for longer than a person would.
    pub(crate) async fn settle(&self) {
        let settled = async {
            self.jobs.ended().await;
            if let Some(follower) = self.follower.get() {
                follower.close().await;
            }
            if let Some(store) = self.opened.get() {
                store.close().await;
            }
        };
        tokio::select! {
            () = settled => {}
            () = SystemClock.sleep(LONGEST_SETTLE) => {}
        }
    }

    /// Reports on another file system on the same bucket, with another cache.
    pub(crate) fn report_on(&self, files: &FileSystem) {
        self.reported.get_or_init(|| files.clone());
    }

    /// The end of every command, successful or not: what it took, if asked.
    pub(crate) fn report(&self) {
        if self.statistics
            && let Some(store) = self.opened.get()
        {
            let snapshot = self.reported.get().map_or_else(|| store.stats(), FileSystem::stats);
            self.output.statistics(&statistics::record(&snapshot), &statistics::table(&snapshot));
        }
    }
}

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Duration);

impl Stopwatch {
    /// Starts.
    pub(crate) fn start() -> Self {
        Self(SystemClock.monotonic())
    }

    /// Time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        SystemClock.monotonic().saturating_sub(self.0)
    }
}
