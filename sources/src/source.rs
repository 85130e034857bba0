//! What a provider's implementation hands to [`crate::Bucket`], and what it is called.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use object_store::ObjectStore;
use object_store::list::PaginatedListStore;

use crate::dir::WritesAhead;

/// A provider of buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// A plain local directory: `dir_store`.
    Dir,
    /// This process's memory: `memory_store`. For tests and examples; gone with the process.
    Memory,
    /// Amazon S3 and compatible servers: `s3_store`.
    S3,
    /// Azure Blob Storage: `azure_store`.
    Azure,
    /// Google Cloud Storage: `gcp_store`.
    Gcp,
}

impl Provider {
    /// The name in configuration strings, which is also WiredTiger's name for its storage source.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dir => "dir_store",
            Self::Memory => "memory_store",
            Self::S3 => "s3_store",
            Self::Azure => "azure_store",
            Self::Gcp => "gcp_store",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An opened source: an object store whose requests are already signed, retried, bounded and counted.
#[derive(Clone)]
pub(crate) struct Source {
    /// Which provider it is.
    pub(crate) provider: Provider,
    /// The store itself. `object_store`'s own retries are off: the transport does them.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// The same store's paged listing, which every cloud has (`AmazonS3`, `MicrosoftAzure` and `GoogleCloudStorage` implement it), and
    /// `dir` and `memory` too: plain string prefixes, delimiters page by page, and a limit, none of which [`ObjectStore::list`]
    /// offers. `None` for a store that only streams; then [`ObjectStore::list_with_offset`] is used and must yield names in bytewise
    /// order.
    pub(crate) pages: Option<Arc<dyn PaginatedListStore>>,
    /// What is peculiar about the store, as far as its answers have told.
    pub(crate) quirks: Arc<Quirks>,
    /// Where it is, for messages: `s3://bucket at http://127.0.0.1:8333`, never with a secret.
    pub(crate) address: String,
    /// How a large object is created so that it appears whole or not at all and never replaces another.
    pub(crate) large_create: LargeCreate,
    /// Where the first bytes of an object can be written before it is created; none where a create takes one request.
    pub(crate) ahead: Option<WritesAhead>,
}

/// What is peculiar about a store, learnt from its answers: the transport notes it, the bucket goes by it.
#[derive(Debug, Default)]
pub(crate) struct Quirks {
    lists_by_directory: AtomicBool,
}

impl Quirks {
    /// Notes what an answer's `Server` header tells.
    #[cfg(feature = "http")]
    pub(crate) fn learn(&self, server: &str) {
        // SeaweedFS 4 lists the tree it keeps, `c/d` before `c-d`, where S3 lists keys by their bytes.
        if server.starts_with("SeaweedFS") {
            self.lists_by_directory.store(true, Ordering::Relaxed);
        }
    }

    /// Whether listings come directory by directory rather than in bytewise order.
    pub(crate) fn lists_by_directory(&self) -> bool {
        self.lists_by_directory.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("provider", &self.provider)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// How an object larger than one part is created if absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "s3"), allow(dead_code, reason = "each cloud has its own way"))]
pub(crate) enum LargeCreate {
    /// Parallel parts; the transport puts the condition on the request that completes them (S3, GCS, Azure's block list).
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "a directory and memory have ways of their own"))]
    Multipart,
    /// The same, and creators take turns in completing: an S3-compatible store may check the condition and complete in two steps.
    Claimed,
    /// The store's own `put_multipart` is create-if-absent by itself (`dir`), or the data is in memory anyway (`memory`).
    Native,
}
