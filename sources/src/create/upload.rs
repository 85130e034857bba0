//! One upload in parts.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{MultipartUpload, PutMultipartOptions};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::settle::{is_final, made_by};
use super::small::attributes;
use super::{Claim, Claimed, Settled, SideObject};
use crate::bucket::{Found, OpenBucket};
use crate::error::Fault;
use crate::fault_of::fault_of;
use crate::payload::Payload;
use crate::source::LargeCreate;
use crate::sums::{BlockSums, Creation, SumsPlace};

/// Most parts of one upload: S3's limit, the smallest of all providers.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
pub(super) const MAX_PARTS: u64 = 10_000;

/// One upload in parts, up to `part_concurrency` of them in flight. Unless it finishes it is aborted, at the latest when it is
/// dropped.
#[derive(Debug)]
pub(super) struct Upload {
    bucket: Arc<OpenBucket>,
    key: Path,
    creation: Creation,
    sent: u64,
    /// None once finished or aborted.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    upload: Box<dyn MultipartUpload>,
    parts: JoinSet<object_store::Result<()>>,
}

/// How an upload ended that did not fail.
#[derive(Debug)]
pub(super) enum Finished {
    /// The object is there, with the right size and metadata.
    Created(Found),
    /// Another creation holds the name.
    Taken,
    /// The store refused because of a competitor, but nothing is there.
    Vanished,
}

impl Upload {
    /// Begins an upload to `key`.
    pub(super) async fn begin(bucket: &Arc<OpenBucket>, key: &Path, creation: Creation) -> Result<Self, Fault> {
        let options = PutMultipartOptions { attributes: attributes(&creation), ..PutMultipartOptions::default() };
        match bucket.source.store.put_multipart_opts(key, options).await {
            Ok(upload) => {
                let open = Some(Open { upload, parts: JoinSet::new() });
                Ok(Self { bucket: Arc::clone(bucket), key: key.clone(), creation, sent: 0, open })
            }
            Err(error) => Err(bucket.explain(fault_of(&error)).await.create_context()),
        }
    }

    /// Sends the next part; waits while `part_concurrency` parts are in flight.
    pub(super) async fn part(&mut self, data: Payload) -> Result<(), Fault> {
        let limited = self.bucket.source.large_create != LargeCreate::Native;
        if limited && self.sent >= MAX_PARTS {
            self.abort().await;
            return Err(Fault::Unsupported(format!(
                "an upload has {MAX_PARTS} parts at the most, so {} bytes with this part_size; raise part_size",
                self.bucket.options.part_size.saturating_mul(MAX_PARTS)
            )));
        }
        self.wait_below(self.bucket.options.part_concurrency.max(1)).await?;
        if let Some(open) = &mut self.open {
            let part = open.upload.put_part(data.into());
            open.parts.spawn(part);
            self.sent += 1;
        }
        Ok(())
    }

    /// Waits until fewer than `limit` parts are in flight.
    async fn wait_below(&mut self, limit: usize) -> Result<(), Fault> {
        while let Some(open) = &mut self.open
            && open.parts.len() >= limit
            && let Some(ended) = open.parts.join_next().await
        {
            let fault = match ended {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => fault_of(&error),
                Err(error) => {
                    Fault::Provider { status: 0, code: String::new(), message: format!("a part was lost: {error}") }
                }
            };
            self.abort().await;
            return Err(self.bucket.explain(fault).await.part_context());
        }
        Ok(())
    }

    /// Makes the object appear, with its side object if its checksums go there. From the completing request on it goes on even if the
    /// future is dropped.
    pub(super) async fn finish(mut self, name: &str, sums: &BlockSums) -> Result<Finished, Fault> {
        self.wait_below(1).await?;
        let side = match self.creation.place {
            SumsPlace::Inline(_) => None,
            SumsPlace::Side(id) => match SideObject::write(&self.bucket, &self.key, id, sums).await {
                Ok(side) => Some(side),
                Err(fault) => {
                    self.abort().await;
                    return Err(fault);
                }
            },
        };
        let (bucket, name, sums) = (Arc::clone(&self.bucket), name.to_owned(), sums.clone());
        let committed = bucket.cleanup.carry(async move { self.claim_and_commit(side, &name, &sums).await }).await;
        committed.unwrap_or_else(|_| {
            let message = "the runtime shut down while the upload was being completed".to_owned();
            Err(Fault::Provider { status: 0, code: String::new(), message })
        })
    }

    /// [`Upload::commit`], in turn with other creators where the store needs that.
    async fn claim_and_commit(
        mut self,
        side: Option<SideObject>,
        name: &str,
        sums: &BlockSums,
    ) -> Result<Finished, Fault> {
        if self.bucket.source.large_create != LargeCreate::Claimed {
            return self.commit(None, side, name, sums).await;
        }
        match Claim::take(&self.bucket, &self.key).await {
            Ok(Claimed::Mine(mut claim)) => {
                let finished = self.commit(Some(&mut claim), side, name, sums).await;
                claim.release().await;
                finished
            }
            Ok(Claimed::Taken) => {
                self.abort().await;
                if let Some(side) = side {
                    side.discard().await;
                }
                Ok(Finished::Taken)
            }
            Err(fault) => {
                self.abort().await;
                Err(fault)
            }
        }
    }

    async fn complete(&mut self, claim: Option<&mut Claim>) -> Result<(), Fault> {
        let Some(open) = &mut self.open else {
            return Err(Fault::Unsupported("the upload was aborted".to_owned()));
        };
        let completed = open.upload.complete();
        let completed = match claim {
            Some(claim) => claim.hold(completed).await?,
            None => completed.await,
        };
        completed.map(drop).map_err(|error| fault_of(&error))
    }

    async fn commit(
        mut self,
        claim: Option<&mut Claim>,
        mut side: Option<SideObject>,
        name: &str,
        sums: &BlockSums,
    ) -> Result<Finished, Fault> {
        if let Some(side) = &mut side {
            side.committing();
        }
        let settled = match self.complete(claim).await {
            Ok(()) => {
                self.open = None;
                self.bucket.answered();
                // The one request more than the upload needs: what is there now, is it what was sent?
                match self.bucket.look(&self.key).await? {
                    Some(found) if made_by(&found, self.creation.id) => Settled::Mine(found),
                    Some(_) => Settled::Taken,
                    None => Settled::Failed(self.bucket.missing().await),
                }
            }
            Err(fault) => {
                let settled = self.bucket.settle(&self.key, self.creation.id, fault).await;
                match &settled {
                    // Only the acknowledgement was lost: the upload is over.
                    Settled::Mine(_) => self.open = None,
                    _ => self.abort().await,
                }
                settled
            }
        };
        let finished = match settled {
            Settled::Mine(found) => match check_size(name, &found, sums) {
                Ok(()) => Finished::Created(found),
                Err(fault) => {
                    // It is ours, and it is wrong: nobody may find it.
                    if self.bucket.remove(&self.key).await.is_ok()
                        && let Some(side) = side
                    {
                        side.discard().await;
                    }
                    return Err(fault);
                }
            },
            Settled::Taken => Finished::Taken,
            Settled::Vanished => Finished::Vanished,
            Settled::Failed(fault) => {
                if let Some(side) = side.as_mut().filter(|_| is_final(&fault)) {
                    side.refused();
                }
                return Err(fault);
            }
        };
        match (side, &finished) {
            (Some(side), Finished::Created(_)) => side.keep(),
            // The upload is aborted and the store has refused it: the object can't appear any more.
            (Some(side), Finished::Taken | Finished::Vanished) => side.discard().await,
            (None, _) => {}
        }
        Ok(finished)
    }

    /// Gives the upload up: stops its parts and removes those that arrived.
    pub(super) async fn abort(&mut self) {
        if let Some(end) = self.abort_in_background() {
            // An error means that the task was not run, which the log says.
            let _ = end.await;
        }
    }

    /// In the background, so that it goes on when whoever waits for it is dropped.
    fn abort_in_background(&mut self) -> Option<oneshot::Receiver<()>> {
        let open = self.open.take()?;
        let (key, address) = (self.key.clone(), self.bucket.source.address.clone());
        let what = format!("upload to {key} in {address}");
        Some(self.bucket.cleanup.spawn(what, async move { abort(open, &key, &address).await }))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let _ = self.abort_in_background();
    }
}

async fn abort(mut open: Open, key: &Path, address: &str) {
    // A part that arrives after the abort would be stored again.
    open.parts.shutdown().await;
    if let Err(error) = open.upload.abort().await {
        match fault_of(&error) {
            // Completed after all, or aborted before: either way nothing is left.
            Fault::NoSuchObject => {}
            fault => {
                tracing::warn!(bucket = address, object = %key, %fault, "left an upload; let a life-cycle rule remove it")
            }
        }
    }
}

impl Fault {
    /// "No such object" in answer to a part: the upload is gone.
    fn part_context(self) -> Self {
        match self {
            Self::NoSuchObject => Self::Busy {
                status: 404,
                code: "NoSuchUpload".to_owned(),
                message: "the upload was aborted by something else; a life-cycle rule that is too eager?".to_owned(),
            },
            fault => fault,
        }
    }
}

/// Checks that what the store holds has the size that was sent.
pub(super) fn check_size(name: &str, found: &Found, sums: &BlockSums) -> Result<(), Fault> {
    if found.meta.size == sums.size() {
        return Ok(());
    }
    Err(Fault::Corrupt {
        what: format!("the upload of {name}"),
        start: 0,
        end: sums.size(),
        check: format!("the store holds {} bytes, {} were sent", found.meta.size, sums.size()),
    })
}
