//! File systems to try.

use plastron::{FileSystem, RequestKind};
use tempfile::TempDir;

/// A file system, and the directories that it lives in.
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) files: FileSystem,
    pub(crate) directory: TempDir,
}

/// Every bucket with every cache; `more` is put behind the settings of the cache.
pub(crate) async fn settings(more: &str) -> Vec<Setting> {
    let mut settings = Vec::new();
    for source in ["memory_store", "dir_store"] {
        for cache in
            ["enabled=false", "memory=16MB", "memory=0,read_ahead=0", "directory=DIR/cache,memory=1MB,block_size=16KB"]
        {
            settings.push(setting(&format!("source={source},bucket=\"DIR/bucket\",cache=({cache}{more})")).await);
        }
    }
    settings
}

/// One of them; `DIR` stands for a directory that exists while the setting does.
pub(crate) async fn setting(store: &str) -> Setting {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("bucket")).unwrap();
    let text = store.replace("DIR", directory.path().to_str().unwrap());
    let files = FileSystem::open(&text).await.unwrap();
    Setting { name: store.to_owned(), files, directory }
}

impl Setting {
    /// Requests of a kind so far.
    pub(crate) fn requests(&self, kind: RequestKind) -> u64 {
        self.files.stats().bucket.requests_of(kind)
    }

    pub(crate) async fn names(&self) -> Vec<String> {
        use futures::TryStreamExt;
        self.files.list("").map_ok(|entry| entry.name).try_collect().await.unwrap()
    }
}

/// Bytes that repeat at no power of two.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % 251) as u8 ^ (i / 65_521) as u8).collect()
}
