//! The leader's side of the key module: its blob is asked for, written as a KEK page, and the module told what became of it.

use plastron_config::ErrorKind;
use plastron_keys::{KekPage, KeyBlob, PendingBlob};
use plastron_sources::failpoint::{Failpoint, reach};
use tokio::task::JoinHandle;

use super::CheckpointFault;
use super::kek::{self, Kek};
use super::leader::{Inner, Publishing};
use super::published::Published;
use super::reserved::{KEK_TABLE, ONLY_PAGE};
use super::volume::Volume;
use crate::page_log::{Lsn, PutArgs};

/// Times that the newest checkpoint is read again because it was removed while it was read.
const MAX_ATTEMPTS: u32 = 8;

/// The module hears of its KEK page by itself: once it has begun to, it may not be forgotten that the page is in force.
pub(super) struct Telling {
    kek: Kek,
    told: JoinHandle<Result<(), plastron_keys::Error>>,
}

/// A KEK page that is being written. Dropped, the module counts it as failed.
pub(super) struct Persisting {
    /// What the module waits to hear of; none for a page that is written again because its record was abandoned.
    pending: Option<PendingBlob>,
    pub(super) kek: Kek,
}

impl Inner {
    /// Waits until everything up to `lsn` is in the bucket, and the object of a KEK page that is being written.
    pub(super) async fn make_durable(&self, lsn: Lsn, persisting: Option<&Persisting>) -> Result<(), CheckpointFault> {
        let flush = async { Ok(self.log.flush_now(lsn).await?) };
        let create = async {
            if let Some(Persisting { kek, .. }) = persisting {
                reach(Failpoint::KekObjectBefore);
                self.volume.system().put(&kek::object_name(kek.lsn), kek.page.clone()).await?;
                reach(Failpoint::KekObjectAfter);
            }
            Ok::<_, CheckpointFault>(())
        };
        futures::future::try_join(flush, create).await.map(drop)
    }

    /// Asks for the blob, and puts the KEK page if it has changed, or if its record was abandoned.
    pub(super) async fn begin_kek(
        &self,
        publishing: &Publishing,
        timestamp: u64,
    ) -> Result<Option<Persisting>, CheckpointFault> {
        reach(Failpoint::KeyBlobBefore);
        let pending = match self.volume.keys.get_key_blob().await? {
            KeyBlob::Unchanged => None,
            KeyBlob::Changed(pending) => Some(pending),
        };
        if pending.is_some() {
            reach(Failpoint::KeyBlobAfter);
        }
        let page = match (&pending, &publishing.kek) {
            (Some(pending), _) => {
                let page = KekPage { timestamp, blob: pending.blob().clone() };
                page.encode().map_err(|fault| CheckpointFault::kek_page("write", "a new KEK page", fault))?
            }
            (None, Some(kek)) if !kek.in_log => kek.page.clone(),
            (None, _) => return Ok(None),
        };
        reach(Failpoint::KekPageBefore);
        let put = self.log.own_table(KEK_TABLE).put(ONLY_PAGE, PutArgs::full(), page.clone()).await;
        reach(Failpoint::KekPageAfter);
        match (put, pending) {
            (Ok(lsn), pending) => Ok(Some(Persisting { pending, kek: Kek { lsn, page, in_log: true } })),
            (Err(fault), Some(pending)) => {
                self.volume.keys.get_key_complete(pending, Err(fault.to_string())).await?;
                Err(fault.into())
            }
            (Err(fault), None) => Err(fault.into()),
        }
    }

    /// Tells the module what became of its KEK page, which is in force from then on if it is in the bucket.
    pub(super) async fn finish_kek(
        &self,
        publishing: &mut Publishing,
        persisting: Persisting,
        outcome: Result<(), CheckpointFault>,
    ) -> Result<(), CheckpointFault> {
        let Persisting { pending, kek } = persisting;
        match (pending, outcome) {
            (Some(pending), Ok(())) => {
                let (keys, lsn) = (self.volume.keys.clone(), kek.lsn.get());
                let told = tokio::spawn(async move {
                    reach(Failpoint::KeyCompleteBefore);
                    let told = keys.get_key_complete(pending, Ok(lsn)).await;
                    reach(Failpoint::KeyCompleteAfter);
                    told
                });
                publishing.telling = Some(Telling { kek, told });
                self.hear(publishing).await
            }
            (Some(pending), Err(fault)) => {
                // Why it failed matters more than that the module did not like to hear it.
                drop(self.volume.keys.get_key_complete(pending, Err(fault.to_string())).await);
                Err(fault)
            }
            (None, outcome) => {
                outcome?;
                self.put_in_force(publishing, kek);
                Ok(())
            }
        }
    }

    fn put_in_force(&self, publishing: &mut Publishing, kek: Kek) {
        self.log.set_kek_lsn(kek.lsn);
        publishing.kek = Some(kek);
    }

    /// Waits until the module has heard of its KEK page, if it is being told: also if the call that told it was dropped.
    pub(super) async fn hear(&self, publishing: &mut Publishing) -> Result<(), CheckpointFault> {
        let Some(telling) = &mut publishing.telling else { return Ok(()) };
        let told = (&mut telling.told).await;
        let Some(Telling { kek, .. }) = publishing.telling.take() else { return Ok(()) };
        match told {
            Ok(told) => told?,
            Err(_) => {
                return Err(CheckpointFault::Invalid(
                    "the key module was stopped while it was told of its KEK page".to_owned(),
                ));
            }
        }
        self.put_in_force(publishing, kek);
        Ok(())
    }
}

/// Gives the key module the KEK page of the newest checkpoint.
pub(super) async fn load_newest_kek(volume: &Volume) -> Result<Option<Kek>, CheckpointFault> {
    let mut attempts = 0;
    loop {
        let Some(newest) = Published::newest(volume).await? else { return Ok(None) };
        match Kek::load(volume, &newest.turtle, None).await {
            // Superseded and removed while this process slept?
            Err(fault) if fault.kind() == ErrorKind::NotFound && attempts < MAX_ATTEMPTS => {
                if Published::newest(volume).await?.is_some_and(|now| now.version == newest.version) {
                    return Err(fault);
                }
                attempts += 1;
            }
            loaded => return loaded,
        }
    }
}
