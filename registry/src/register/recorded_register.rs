//! A register whose turtles are objects in the bucket, too.
//!
//! Before the register is given a turtle, its object is there; so what the register names can be read, restored, cloned and collected as any other. A
//! turtle that did not become the newest leaves its object behind, which GC removes with those of its number.
//!
//! What is guarded against, for either would overwrite somebody's database:
//! * a register that is empty while the bucket has turtles: it lost its value, or another registry knows the latest;
//! * a register that names a turtle that is not in this bucket: it is another database's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use plastron_sources::Bucket;

use super::envelope::Envelope;
use super::swap_register::{RegisterFault, SwapRegister, Swapped};
use super::turtle_record::TurtleRecordObjects;
use crate::error::Fault;

/// Times that a register is read again because what it named was removed before it was found. Each means that something newer was published.
pub(super) const MAX_READS: u32 = 16;

/// A register beside whose value its turtles are in a bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct RecordedRegister {
    register: Arc<dyn SwapRegister>,
    pub(super) objects: TurtleRecordObjects,
    place: Arc<str>,
    /// Whether register and bucket were seen to belong together.
    proved: Arc<AtomicBool>,
}

impl RecordedRegister {
    pub(crate) fn new(register: Arc<dyn SwapRegister>, bucket: &Bucket) -> Self {
        let place = match bucket.options().prefix.as_str() {
            "" => bucket.address().to_owned(),
            prefix => format!("{} under {prefix}", bucket.address()),
        };
        Self { register, objects: TurtleRecordObjects::new(bucket), place: place.into(), proved: Arc::default() }
    }

    /// Makes the register empty, if nothing of its database is in the bucket any more.
    pub(crate) async fn forget(&self) -> Result<(), Fault> {
        if let Some(name) = self.objects.any().await? {
            return Err(Fault::Invalid(format!("{name} is still in {}; remove the database first", self.place)));
        }
        let Some(value) = self.register.read().await? else { return Ok(()) };
        match self.register.clear(&value).await {
            Ok(Swapped::Done) => Ok(()),
            Ok(_) => Err(Fault::Invalid("somebody publishes at this very moment; stop every leader first".to_owned())),
            Err(RegisterFault::Failed(fault)) => Err(fault),
            Err(RegisterFault::Unknown(cause)) => Err(Fault::Bucket(cause)),
        }
    }

    async fn prove(&self, mut value: Option<Bytes>) -> Result<Option<Bytes>, Fault> {
        for _ in 0..MAX_READS {
            let Some(found) = &value else {
                if let Some(name) = self.objects.any().await? {
                    return Err(Fault::Invalid(format!(
                        "it knows of no database, and {name} is in {}: name the registry that knows it, or mend this one",
                        self.place
                    )));
                }
                return Ok(None);
            };
            if self.objects.exists(&Envelope::decode(found)?.version).await? {
                self.proved.store(true, Ordering::Relaxed);
                return Ok(value);
            }
            // A collection may have been quicker, after something newer was published.
            let again = self.register.read().await?;
            if again == value {
                let Envelope { version, .. } = Envelope::decode(found)?;
                return Err(Fault::Invalid(format!(
                    "it keeps turtle {version:?}, which is not in {}: it is another database's; give each a key or storage_url of its own",
                    self.place
                )));
            }
            value = again;
        }
        Err(Fault::Contended { attempts: MAX_READS })
    }
}

#[async_trait]
impl SwapRegister for RecordedRegister {
    fn address(&self) -> String {
        self.register.address()
    }

    fn max_value_bytes(&self) -> usize {
        self.register.max_value_bytes()
    }

    async fn read(&self) -> Result<Option<Bytes>, Fault> {
        let value = self.register.read().await?;
        if self.proved.load(Ordering::Relaxed) && value.is_some() { Ok(value) } else { self.prove(value).await }
    }

    async fn swap(&self, expected: Option<&Bytes>, new: Bytes) -> Result<Swapped, RegisterFault> {
        let turtle = Envelope::decode(&new).map_err(RegisterFault::Failed)?.turtle;
        self.objects.create(&turtle).await.map_err(RegisterFault::Failed)?;
        let swapped = self.register.swap(expected, new).await?;
        if swapped == Swapped::Done {
            self.proved.store(true, Ordering::Relaxed);
        }
        Ok(swapped)
    }

    async fn clear(&self, expected: &Bytes) -> Result<Swapped, RegisterFault> {
        self.register.clear(expected).await
    }
}
