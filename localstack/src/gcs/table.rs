//! Buckets and objects: every precondition and the write behind it in one step.
//!
//! Invariants: generations only grow and are never given twice; `bytes` is the size of all objects and all uploaded parts and
//! never passes `limit`. The service calls it with the lock of [`Shared`](super::service::Shared) held and never waits in it.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::answer::Refusal;
use super::digest::Digests;
use super::object::Object;
use super::upload::Upload;

/// The objects of one bucket by name.
pub(super) type Bucket = BTreeMap<String, Object>;

/// What is uploaded.
#[derive(Debug)]
pub(super) struct NewObject {
    pub(super) data: Bytes,
    pub(super) digests: Digests,
    pub(super) metadata: Vec<(HeaderName, HeaderValue)>,
    pub(super) created: SystemTime,
}

/// Everything the server holds.
#[derive(Debug)]
pub(super) struct Table {
    buckets: HashMap<String, Bucket>,
    pub(super) uploads: HashMap<String, Upload>,
    last_generation: u64,
    bytes: u64,
    limit: u64,
    careless: bool,
}

impl Table {
    /// An empty table whose generations begin after `first_generation` and which holds at most `limit` bytes. A careless one
    /// ignores every precondition.
    pub(super) fn new(first_generation: u64, limit: u64, careless: bool) -> Self {
        Self {
            buckets: HashMap::new(),
            uploads: HashMap::new(),
            last_generation: first_generation,
            bytes: 0,
            limit,
            careless,
        }
    }

    pub(super) fn create_bucket(&mut self, name: &str) -> Result<(), Refusal> {
        if self.buckets.contains_key(name) {
            return Err(Refusal::BUCKET_EXISTS);
        }
        self.buckets.insert(name.to_owned(), Bucket::new());
        Ok(())
    }

    pub(super) fn bucket(&self, name: &str) -> Result<&Bucket, Refusal> {
        self.buckets.get(name).ok_or(Refusal::NO_SUCH_BUCKET)
    }

    pub(super) fn object(&self, bucket: &str, name: &str) -> Result<&Object, Refusal> {
        self.bucket(bucket)?.get(name).ok_or(Refusal::NO_SUCH_KEY)
    }

    /// Refuses unless the object's generation is `wanted`; 0 means that there is no object.
    pub(super) fn check_generation(&self, bucket: &str, name: &str, wanted: Option<u64>) -> Result<(), Refusal> {
        let found = self.bucket(bucket)?.get(name).map_or(0, |object| object.generation);
        match wanted {
            Some(wanted) if wanted != found && !self.careless => Err(Refusal::PRECONDITION_FAILED),
            _ => Ok(()),
        }
    }

    /// Stores an object, replacing what is there, if the precondition holds.
    pub(super) fn put(
        &mut self,
        bucket: &str,
        name: &str,
        new: NewObject,
        wanted: Option<u64>,
    ) -> Result<&Object, Refusal> {
        self.check_generation(bucket, name, wanted)?;
        let replaced = self.bucket(bucket)?.get(name).map_or(0, |object| object.data.len() as u64);
        let bytes = self.bytes - replaced + new.data.len() as u64;
        if bytes > self.limit {
            return Err(Refusal::FULL);
        }
        self.bytes = bytes;
        let generation = self.next_generation();
        let NewObject { data, digests, metadata, created } = new;
        let object = Object { data, generation, digests, created, metadata };
        let objects = self.buckets.get_mut(bucket).ok_or(Refusal::NO_SUCH_BUCKET)?;
        objects.insert(name.to_owned(), object);
        objects.get(name).ok_or(Refusal::NO_SUCH_KEY)
    }

    /// Removes an object if the precondition holds.
    pub(super) fn delete(&mut self, bucket: &str, name: &str, wanted: Option<u64>) -> Result<(), Refusal> {
        self.object(bucket, name)?;
        self.check_generation(bucket, name, wanted)?;
        if let Some(object) = self.buckets.get_mut(bucket).and_then(|objects| objects.remove(name)) {
            self.bytes -= object.data.len() as u64;
        }
        Ok(())
    }

    /// Counts `size` more bytes of uploaded parts, and `freed` fewer, if there is room.
    pub(super) fn account(&mut self, size: u64, freed: u64) -> Result<(), Refusal> {
        let bytes = self.bytes - freed + size;
        if bytes > self.limit {
            return Err(Refusal::FULL);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Bytes that still fit.
    pub(super) fn room(&self) -> u64 {
        self.limit - self.bytes
    }

    pub(super) fn next_generation(&mut self) -> u64 {
        self.last_generation += 1;
        self.last_generation
    }
}
