//! One publication: the create, and what has to be known before it is acknowledged.

use futures::TryStreamExt;
use plastron_config::ErrorKind;
use plastron_sources::failpoint::{Failpoint, reach};

use super::objects::ListedTurtle;
use super::registry::{BucketRegistry, Found, MAX_LISTINGS};
use crate::error::Fault;
use crate::turtle_object::TurtleObject;
use crate::version::Version;

/// What a listing shows of a number and those above it.
#[derive(Debug, Default)]
pub(super) struct Above {
    /// The number itself.
    pub(super) this: Option<ListedTurtle>,
    /// The number behind it.
    pub(super) next: Option<ListedTurtle>,
    /// The newest of all, unless it is the number itself.
    pub(super) newest: Option<ListedTurtle>,
}

impl BucketRegistry {
    /// Publishes `object`: creates it, lists what is above, and tells what came of it. [`Fault::Conflict`] and [`Fault::Fenced`] mean that
    /// somebody else was first.
    pub(super) async fn publish(&self, object: &TurtleObject) -> Result<Version, Fault> {
        let (bytes, version) = object.encode()?;
        // `None`: created by this very request. Else, why that is not known.
        reach(Failpoint::TurtleObjectBefore);
        let mut failure = self.objects.create(object.sequence, bytes).await.err();
        reach(Failpoint::TurtleObjectAfter);
        for _ in 0..MAX_LISTINGS {
            let above = match self.above(object.sequence).await {
                Ok(above) => above,
                Err(cause) => return Err(Fault::Indeterminate { sequence: object.sequence, cause }),
            };
            if let Some(listed) = &above.newest {
                // Removed before it was read: there is a newer one.
                let Some(newest) = self.open(listed).await? else { continue };
                if !self.is_genuine(listed, &newest).await? {
                    continue;
                }
                self.remove_orphan(object, version, &above, &newest).await;
                return Err(overtaken(object, &newest));
            }
            match (&failure, above.this) {
                (None, Some(_)) => return Ok(version),
                (None, None) => {
                    return Err(Fault::Inconsistent(format!(
                        "turtle {} was created, and is not listed",
                        object.sequence
                    )));
                }
                (Some(_), Some(listed)) => {
                    let Some(found) = self.open(&listed).await? else { continue };
                    // What was listed may be gone, and what was found be a late create of this very turtle.
                    let same = !listed.etag.is_empty() && listed.etag == found.etag;
                    if !same && self.above(object.sequence).await?.newest.is_some() {
                        continue;
                    }
                    return if found.version == version { Ok(version) } else { Err(overtaken(object, &found)) };
                }
                // Somebody else's, and removed since: there is a newer one.
                (Some(error), None) if error.kind() == ErrorKind::AlreadyExists => {}
                (Some(_), None) => break,
            }
        }
        Err(match failure.take() {
            Some(cause) if cause.kind() == ErrorKind::AlreadyExists => Fault::Inconsistent(format!(
                "turtle {} is there when it is created, and neither it nor a newer one is listed",
                object.sequence
            )),
            Some(cause) if cause.is_retryable() => Fault::Indeterminate { sequence: object.sequence, cause },
            Some(cause) => Fault::Bucket(cause),
            None => Fault::Inconsistent("the newest turtle that is listed can't be found, again and again".to_owned()),
        })
    }

    pub(super) async fn above(&self, sequence: u64) -> plastron_sources::Result<Above> {
        let note = |mut above: Above, turtle: ListedTurtle| async move {
            if turtle.sequence == sequence {
                above.this = Some(turtle);
            } else {
                if turtle.sequence - 1 == sequence {
                    above.next = Some(turtle.clone());
                }
                above.newest = Some(turtle);
            }
            Ok(above)
        };
        // A listing of what is above a number never shows lower ones.
        let listing = self.objects.list_after(sequence.saturating_sub(1));
        listing
            .try_filter(|turtle| std::future::ready(turtle.sequence >= sequence))
            .try_fold(Above::default(), note)
            .await
    }

    /// Removes `object`, which is of this very attempt, if it was left behind where others had gone on: what makes nobody wiser. Failing
    /// to is no fault: it stands below the newest turtle, and is removed like any other that is not retained.
    async fn remove_orphan(&self, object: &TurtleObject, version: Version, above: &Above, newest: &Found) {
        if above.this.is_none() || !self.is_orphan(object, version, above, newest).await {
            return;
        }
        // Not those of others, who may have been here first.
        if !matches!(self.fetch(object.sequence).await, Ok(Some(found)) if found.version == version) {
            return;
        }
        match self.objects.remove(object.sequence).await {
            Ok(()) => tracing::info!(volume = %self.address, turtle = object.sequence, "removed an orphan"),
            Err(error) => tracing::warn!(volume = %self.address, turtle = object.sequence, %error, "an orphan stays"),
        }
    }

    /// Whether it is proved that nobody built on `object`.
    async fn is_orphan(&self, object: &TurtleObject, version: Version, above: &Above, newest: &Found) -> bool {
        // From the number on with which the newest one's leader took over, everything is that leader's.
        if newest.object.writer != object.writer && newest.object.opened_at <= object.sequence {
            return true;
        }
        let Some(next) = &above.next else { return false };
        matches!(self.open(next).await, Ok(Some(next)) if next.object.previous != version.checksum)
    }
}

/// Why `object` can't be published when `newest` is.
fn overtaken(object: &TurtleObject, newest: &Found) -> Fault {
    let later = &newest.object;
    let base = object.sequence - 1;
    if later.epoch < object.epoch {
        // Taking over came too late: the number was taken, and removed again. (Of an older epoch, for this one never was.)
        return Fault::Conflict { base, newest: later.sequence };
    }
    if later.writer == object.writer {
        return Fault::Conflict { base, newest: later.sequence };
    }
    Fault::Fenced { epoch: object.epoch, by: later.epoch, owner: later.owner.to_string() }
}
