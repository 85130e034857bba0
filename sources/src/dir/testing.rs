//! What the tests of this folder share.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Attribute, Attributes, ObjectStore, PutMode, PutOptions, PutResult, Result};

use super::open::prepare;
use super::staging::Staging;
use super::store::DirStore;
use super::tree::Tree;
use crate::clock::{Clock, Sleep, SystemClock, SystemEntropy};
use crate::source::Provider;
use crate::stats::Stats;

/// Both ways of staging; the tests' file system is expected to have both.
pub(super) const STAGINGS: [Staging; 2] = [Staging::Unnamed, Staging::Named];

/// A part, and thus what is read in one go, bytes.
pub(super) const PART: u64 = 1 << 20;

/// The bucket in `directory`, as another process would open it.
pub(super) fn tree_in(directory: &std::path::Path, staging: Staging) -> Arc<Tree> {
    tree_at(directory, staging, Arc::new(SystemClock))
}

/// The same at another time.
pub(super) fn tree_at(directory: &std::path::Path, staging: Staging, clock: Arc<dyn Clock>) -> Arc<Tree> {
    let entropy = Arc::new(SystemEntropy::default());
    let (root, found) = prepare(directory, false, entropy.as_ref()).unwrap();
    assert_eq!(found, Staging::Unnamed, "the tests need a file system with O_TMPFILE, to test both ways of staging");
    Arc::new(Tree::new(root, staging, clock, entropy))
}

pub(super) fn store_in(directory: &std::path::Path, staging: Staging) -> Arc<DirStore> {
    Arc::new(DirStore::new(tree_in(directory, staging), false, PART, Arc::new(Stats::new(Provider::Dir))))
}

pub(super) fn path(name: &str) -> Path {
    Path::parse(name).unwrap()
}

pub(super) fn attributes(value: &str) -> Attributes {
    Attributes::from_iter([(Attribute::Metadata("plastron".into()), value.to_owned())])
}

pub(super) async fn put(store: &dyn ObjectStore, name: &str, bytes: impl Into<Bytes>) -> Result<PutResult> {
    let options = PutOptions::from(PutMode::Create);
    store.put_opts(&path(name), bytes.into().into(), options).await
}

/// Waits for what happens on another thread.
pub(super) async fn eventually(holds: impl Fn() -> bool) {
    let end = SystemClock.monotonic() + Duration::from_secs(300);
    while !holds() {
        assert!(SystemClock.monotonic() < end, "never came to pass");
        SystemClock.sleep(Duration::from_millis(1)).await;
    }
}

/// Names of all files below `directory`, to see what is really there.
pub(super) fn files_in(directory: &std::path::Path) -> Vec<String> {
    fn walk(base: &std::path::Path, here: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(here).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                walk(base, &entry.path(), found);
            } else {
                found.push(entry.path().strip_prefix(base).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(directory, directory, &mut found);
    found.sort();
    found
}

/// The machine's clock, some time ahead.
#[derive(Debug)]
pub(super) struct Ahead(pub(super) Duration);

impl Clock for Ahead {
    fn monotonic(&self) -> Duration {
        SystemClock.monotonic() + self.0
    }

    fn wall(&self) -> SystemTime {
        SystemClock.wall() + self.0
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        SystemClock.sleep(duration)
    }
}
