//! The side object of an object that is being created.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{PutMode, PutOptions};

use super::settle::made_by;
use crate::bucket::OpenBucket;
use crate::creation_id::CreationId;
use crate::error::Fault;
use crate::fault_of::fault_of;
use crate::sums::{BlockSums, encode_side_object, side_object_name};

/// Guards the side object of an object that is being created: unless [`SideObject::keep`] is called, it goes when the guard is
/// dropped, provided that the object can't need it.
#[derive(Debug)]
pub(super) struct SideObject {
    bucket: Arc<OpenBucket>,
    /// Where the side object is.
    side: Path,
    /// Where the object is going to be.
    object: Path,
    id: CreationId,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The object can't be there yet.
    Early,
    /// The request that makes the object appear may have been sent.
    Committing,
    /// The side object stays, or is gone already.
    Settled,
}

impl SideObject {
    /// Writes the side object of creation `id`, which is going to be at `object`.
    pub(super) async fn write(
        bucket: &Arc<OpenBucket>,
        object: &Path,
        id: CreationId,
        sums: &BlockSums,
    ) -> Result<Self, Fault> {
        let side = bucket.names.key(&side_object_name(id), true)?;
        // From here on the guard removes it, even if this future is dropped.
        let guard = Self { bucket: Arc::clone(bucket), side, object: object.clone(), id, state: State::Early };
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match bucket.source.store.put_opts(&guard.side, encode_side_object(id, sums).into(), options).await {
            Ok(_) => bucket.answered(),
            Err(error) => match fault_of(&error) {
                // No other creation has this id: an earlier attempt arrived, and its acknowledgement didn't.
                Fault::ObjectExists => {}
                fault => return Err(bucket.explain(fault).await),
            },
        }
        Ok(guard)
    }

    /// The request that makes the object appear is about to be sent.
    pub(super) fn committing(&mut self) {
        self.state = State::Committing;
    }

    /// The object was not created and can't be any more.
    pub(super) fn refused(&mut self) {
        self.state = State::Early;
    }

    /// The object is there: the side object stays.
    pub(super) fn keep(mut self) {
        self.state = State::Settled;
    }

    /// The object was not created and can't be any more: removes the side object now.
    pub(super) async fn discard(mut self) {
        self.refused();
        if let Err(fault) = self.bucket.remove(&self.side).await {
            tracing::warn!(bucket = %self.bucket.source.address, side = %self.side, %fault, "left the checksums of a refused create");
        }
        self.state = State::Settled;
    }
}

impl Drop for SideObject {
    fn drop(&mut self) {
        let state = self.state;
        if state == State::Settled {
            return;
        }
        let (bucket, side, object, id) = (Arc::clone(&self.bucket), self.side.clone(), self.object.clone(), self.id);
        let what = format!("side object {side} in {}", bucket.source.address);
        drop(self.bucket.cleanup.spawn(what, async move {
            // A request under way may still make the object appear, so "nothing there" does not prove that the checksums aren't
            // needed; another creation holding the name does.
            let needed = state == State::Committing
                && !matches!(bucket.look(&object).await, Ok(Some(found)) if !made_by(&found, id));
            if !needed {
                let _ = bucket.remove(&side).await;
            }
        }));
    }
}
