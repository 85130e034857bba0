//! The history: list, read a chosen one, remove.

use futures::stream::{self, BoxStream, StreamExt};
use plastron_config::ErrorKind;

use super::objects::ListedTurtle;
use super::registry::BucketRegistry;
use crate::error::{Fault, Result};
use crate::version::Versioned;

/// What is known of the turtle above one that is read.
enum Above {
    /// There is none.
    Nothing,
    /// It says that it follows the one with this checksum.
    Follows(u32),
    Unknown,
}

impl BucketRegistry {
    /// All turtles that are there, oldest first. Orphans of leaders that were fenced may be among them; [`BucketRegistry::turtle`] tells.
    pub fn turtles(&self) -> BoxStream<'static, Result<ListedTurtle>> {
        let registry = self.clone();
        let turtles = self.objects.list_after(0);
        turtles.map(move |turtle| turtle.map_err(|error| registry.error("list", None, error.into()))).boxed()
    }

    /// The turtle of that number; none if it has no content, since nothing had been published yet.
    ///
    /// # Errors
    /// `NotFound` if there is none, or if the one behind it does not follow it, or one between it and the newest is missing: then a fenced leader
    /// left it behind, for GC removes the oldest first. Else as [`CheckpointRegistry::read`](crate::CheckpointRegistry::read).
    pub async fn turtle(&self, sequence: u64) -> Result<Option<Versioned>> {
        let result = async {
            let Some(found) = self.fetch(sequence).await? else { return Err(Fault::NoSuchTurtle { sequence }) };
            let mut above = self.objects.list_after(sequence);
            let mut last = sequence;
            while let Some(next) = above.next().await.transpose()? {
                if next.sequence - 1 != last {
                    return Err(Fault::Orphan { sequence });
                }
                last = next.sequence;
            }
            let next = if last == sequence { None } else { self.fetch(sequence + 1).await? };
            match next {
                Some(next) if next.object.previous != found.version.checksum => Err(Fault::Orphan { sequence }),
                // Removed between the two requests, and so was this one, before it.
                None if last != sequence => Err(Fault::NoSuchTurtle { sequence }),
                _ => Ok(found.object.content.map(|content| Versioned { version: found.version, content })),
            }
        };
        result.await.map_err(|fault| self.error("read", Some(sequence), fault))
    }

    /// Reads all of `listed`, which is what [`BucketRegistry::turtles`] gave, newest first: what [`BucketRegistry::turtle`] says of each, by
    /// that one listing and with one request each, `at_once` of them under way. No more are made when the stream is dropped.
    pub fn read_back(
        &self,
        listed: &[ListedTurtle],
        at_once: usize,
    ) -> BoxStream<'static, (u64, Result<Option<Versioned>>)> {
        let sequences: Vec<u64> = listed.iter().rev().map(|turtle| turtle.sequence).collect();
        // Down to the first gap: what stands below it is taken for an orphan.
        let whole =
            1 + sequences.windows(2).take_while(|two| matches!(two, [above, below] if below + 1 == *above)).count();
        let orphans: Vec<u64> = sequences.get(whole..).unwrap_or_default().to_vec();
        let fetches = sequences.into_iter().take(whole).map({
            let registry = self.clone();
            move |sequence| {
                let registry = registry.clone();
                async move { (sequence, registry.fetch(sequence).await) }
            }
        });
        let (fetches, registry) = (stream::iter(fetches).buffered(at_once.max(1)), self.clone());
        let read = stream::unfold((fetches, Above::Nothing, registry), |(mut fetches, above, registry)| async move {
            let (sequence, fetched) = fetches.next().await?;
            let fault = |fault| registry.error("read", Some(sequence), fault);
            let here = match &fetched {
                Ok(Some(found)) => Above::Follows(found.object.previous),
                _ => Above::Unknown,
            };
            let read = match (fetched, above) {
                (Err(unreadable), _) => Err(fault(unreadable)),
                (Ok(None), _) => Err(fault(Fault::NoSuchTurtle { sequence })),
                (Ok(Some(found)), Above::Follows(checksum)) if checksum != found.version.checksum => {
                    Err(fault(Fault::Orphan { sequence }))
                }
                // What is above it was removed meanwhile, or can't be read.
                (Ok(Some(_)), Above::Unknown) => registry.turtle(sequence).await,
                (Ok(Some(found)), _) => {
                    Ok(found.object.content.map(|content| Versioned { version: found.version, content }))
                }
            };
            Some(((sequence, read), (fetches, here, registry)))
        });
        let registry = self.clone();
        let orphans = orphans
            .into_iter()
            .map(move |sequence| (sequence, Err(registry.error("read", Some(sequence), Fault::Orphan { sequence }))));
        read.chain(stream::iter(orphans)).boxed()
    }

    /// Removes the turtle of that number, for GC; says whether it was there. That nobody needs it is for the caller to know, and that older ones
    /// are removed first: what stands below a gap is taken for an orphan.
    ///
    /// # Errors
    /// `Invalid` for the newest, on which all fencing rests, and for those above it; those of the store.
    pub async fn remove(&self, sequence: u64) -> Result<bool> {
        let result = async {
            if self.objects.list_after(sequence).next().await.transpose()?.is_none() {
                return Err(Fault::Newest { sequence });
            }
            match self.objects.remove(sequence).await {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error.into()),
            }
        };
        result.await.map_err(|fault| self.error("remove", Some(sequence), fault))
    }
}
