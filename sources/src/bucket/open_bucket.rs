//! What all handles of one opened bucket share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use object_store::path::Path;
use object_store::{Attribute, GetOptions, GetResult, ObjectMeta};
use tokio::sync::OnceCell;

use crate::create::Cleanup;
use crate::error::{Error, Fault};
use crate::fault_of::fault_of;
use crate::name::Names;
use crate::object_info::{Checksums, ObjectInfo};
use crate::options::{BucketOptions, ProbeMode};
use crate::source::Source;
use crate::stats::Stats;
use crate::sums::{Creation, METADATA_KEY};

/// For how long an answer from the bucket proves that it exists. A bucket is not removed under a running database by accident;
/// the point is that a long run of look-ups of absent names costs one extra request in this time, not one each.
const BUCKET_PROOF: Duration = Duration::from_secs(30);

/// What all handles of one opened bucket share.
#[derive(Debug)]
pub(crate) struct OpenBucket {
    pub(crate) source: Source,
    pub(crate) options: BucketOptions,
    pub(crate) names: Names,
    pub(crate) stats: Arc<Stats>,
    pub(crate) cleanup: Cleanup,
    /// Milliseconds of monotonic time at the last answer that proves the bucket's existence, plus one; 0 for never.
    answered: AtomicU64,
    /// Set once the store is proved to honour conditional creates.
    proof: OnceCell<()>,
}

/// An object that a HEAD found, or a GET from its start.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) meta: ObjectMeta,
    /// The user-metadata entry `plastron`, if there is one.
    pub(crate) entry: Option<String>,
}

impl Found {
    /// What an answer with an object's metadata says.
    pub(crate) fn of(answer: &GetResult) -> Self {
        let entry = answer.attributes.get(&Attribute::Metadata(METADATA_KEY.into()));
        Self { meta: answer.meta.clone(), entry: entry.map(|value| value.as_ref().to_owned()) }
    }
}

impl OpenBucket {
    pub(crate) fn new(source: Source, options: BucketOptions, names: Names, stats: Arc<Stats>) -> Self {
        let cleanup = Cleanup::new(Arc::clone(&options.clock), options.retry.deadline);
        Self { source, options, names, stats, cleanup, answered: AtomicU64::new(0), proof: OnceCell::new() }
    }

    /// The same bucket under another prefix.
    ///
    /// # Errors
    /// [`Fault::Config`] for a prefix that no name can begin with.
    pub(crate) fn sibling(&self, prefix: &str) -> Result<Self, Fault> {
        let names = Names::new(prefix, self.options.provider)?;
        let mut options = self.options.clone();
        options.prefix = prefix.to_owned();
        let sibling = Self::new(self.source.clone(), options, names, Arc::clone(&self.stats));
        // What was proved of the store holds for all of it.
        let proof = self.proof.get().map_or_else(OnceCell::new, |()| OnceCell::new_with(Some(())));
        Ok(Self { proof, ..sibling })
    }

    /// `fault` of `operation` on `name`. A fault of the bucket rather than of the object names the bucket, too.
    pub(crate) fn error(&self, operation: &'static str, name: &str, fault: Fault) -> Error {
        let target = match fault {
            _ if name.is_empty() => self.source.address.clone(),
            Fault::NoSuchBucket
            | Fault::Forbidden { .. }
            | Fault::UnknownKey { .. }
            | Fault::WrongSecret { .. }
            | Fault::Expired { .. }
            | Fault::NoCredentials { .. }
            | Fault::WrongRegion { .. }
            | Fault::Incapable(_)
            | Fault::Unreachable { .. }
            | Fault::Deadline { .. }
            | Fault::Busy { .. }
            | Fault::Provider { .. } => format!("{name} in {}", self.source.address),
            _ => name.to_owned(),
        };
        Error::new(operation, target, fault)
    }

    /// Makes sure that this bucket may be written, and that its store is proved to honour conditional creates.
    pub(crate) async fn writable(&self) -> Result<(), Fault> {
        if self.options.readonly {
            return Err(Fault::Unsupported(
                "the bucket is opened with readonly=true; open it without to write".to_owned(),
            ));
        }
        match self.options.probe {
            ProbeMode::Off => Ok(()),
            ProbeMode::Start | ProbeMode::FirstWrite => {
                Box::pin(self.proof.get_or_try_init(|| crate::probe::prove_creates(self))).await.copied()
            }
        }
    }

    /// Notes that the bucket has just answered in a way that proves its existence.
    pub(crate) fn answered(&self) {
        let now = u64::try_from(self.options.clock.monotonic().as_millis()).unwrap_or(u64::MAX - 1);
        self.answered.store(now + 1, Ordering::Relaxed);
    }

    /// One HEAD: what is at `key`, or none if nothing is, or the bucket itself is missing (see [`OpenBucket::missing`]).
    pub(crate) async fn look(&self, key: &Path) -> Result<Option<Found>, Fault> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        match self.source.store.get_opts(key, options).await {
            Ok(found) => {
                self.answered();
                Ok(Some(Found::of(&found)))
            }
            Err(error) => match fault_of(&error) {
                Fault::NoSuchObject => Ok(None),
                fault => Err(fault),
            },
        }
    }

    /// Why a request was answered with "not found", which of a HEAD does not say: the object is missing, or the whole bucket.
    pub(crate) async fn missing(&self) -> Fault {
        let now = u64::try_from(self.options.clock.monotonic().as_millis()).unwrap_or(u64::MAX - 1);
        let answered = self.answered.load(Ordering::Relaxed);
        let fresh = u128::from((now + 1).saturating_sub(answered)) <= BUCKET_PROOF.as_millis();
        if answered > 0 && fresh {
            return Fault::NoSuchObject;
        }
        match super::prove_bucket(self).await {
            Ok(()) => Fault::NoSuchObject,
            Err(
                fault @ (Fault::NoSuchBucket | Fault::Unreachable { .. } | Fault::Deadline { .. } | Fault::Busy { .. }),
            ) => fault,
            // Whoever may not list can still be told that the object is missing.
            Err(_) => Fault::NoSuchObject,
        }
    }

    /// `fault` of a request on an object that must be there, or of a create: "not found" is looked into.
    pub(crate) async fn explain(&self, fault: Fault) -> Fault {
        match fault {
            Fault::NoSuchObject => self.missing().await,
            fault => fault,
        }
    }

    /// What a HEAD found, for callers.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] or [`Fault::Unsupported`] if the object's own account of its creation cannot be read.
    pub(crate) fn info(&self, name: &str, found: &Found) -> Result<(ObjectInfo, Option<Creation>), Fault> {
        let creation = found.entry.as_deref().map(Creation::decode).transpose()?;
        let checksums = match &creation {
            Some(creation) => {
                if let Some(size) = creation.size.filter(|size| *size != found.meta.size) {
                    return Err(Fault::Corrupt {
                        what: format!("the size of {name}"),
                        start: 0,
                        end: found.meta.size,
                        check: format!("it was created with {size} bytes, and has {} now", found.meta.size),
                    });
                }
                Checksums::Blocks { block: creation.block, crc32c: creation.crc }
            }
            None => Checksums::None,
        };
        let info = ObjectInfo {
            name: name.to_owned(),
            size: found.meta.size,
            etag: found.meta.e_tag.clone().unwrap_or_default(),
            created: found.meta.last_modified.into(),
            checksums,
        };
        Ok((info, creation))
    }
}
