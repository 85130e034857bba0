//! What became of a create that was not acknowledged.

use std::time::Duration;

use object_store::path::Path;

use crate::bucket::{Found, OpenBucket};
use crate::creation_id::CreationId;
use crate::error::Fault;
use crate::sums::Creation;

/// How often a create is tried again that lost against a competitor who then left nothing: S3 answers 409 to several creators at
/// once, and an object can be removed between the refusal and the look at it.
pub(super) const MAX_VANISHED: u32 = 8;

/// What became of a create that was not acknowledged.
#[derive(Debug)]
pub(super) enum Settled {
    /// The object is there, and this create made it.
    Mine(Found),
    /// Another creation holds the name.
    Taken,
    /// The store refused because of a competitor, but nothing is there.
    Vanished,
    /// It failed for this reason, and as far as can be seen made nothing.
    Failed(Fault),
}

impl OpenBucket {
    /// Finds out what became of the create `id` at `key`, which ended with `fault`.
    pub(super) async fn settle(&self, key: &Path, id: CreationId, fault: Fault) -> Settled {
        if is_final(&fault) {
            return Settled::Failed(fault);
        }
        let refused = matches!(fault, Fault::ObjectExists | Fault::Replaced { .. });
        match self.look(key).await {
            Ok(Some(found)) if made_by(&found, id) => Settled::Mine(found),
            Ok(Some(_)) => Settled::Taken,
            Ok(None) if refused => Settled::Vanished,
            Ok(None) => Settled::Failed(self.explain(fault).await.create_context()),
            // Refused, but by whom is not known: only the failure to look can be reported.
            Err(look) if refused => Settled::Failed(look),
            Err(_) => Settled::Failed(fault),
        }
    }

    /// Pauses before try number `attempt` (from 0) after [`Settled::Vanished`].
    pub(super) async fn pause(&self, attempt: u32) {
        let retry = self.options.retry;
        let longest = retry.initial.saturating_mul(1_u32 << attempt.min(16)).min(retry.max);
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX).max(1);
        let pause = Duration::from_micros(self.options.entropy.next_u64() % micros);
        self.options.clock.sleep(pause).await;
    }
}

impl Fault {
    /// "No such object" says nothing about a create; the store answered something unexpected.
    pub(super) fn create_context(self) -> Self {
        match self {
            Self::NoSuchObject => Self::Provider {
                status: 404,
                code: "NotFound".to_owned(),
                message: "the store answered a create with \"not found\", though the bucket exists".to_owned(),
            },
            fault => fault,
        }
    }
}

/// The error of a create that lost to competitors who left nothing, every time.
pub(super) fn contended() -> Fault {
    Fault::Busy {
        status: 409,
        code: "Conflict".to_owned(),
        message: format!(
            "{MAX_VANISHED} times the store refused the create because of another one, and then there was no object"
        ),
    }
}

/// Whether the object that was found is the one the create `id` made.
pub(super) fn made_by(found: &Found, id: CreationId) -> bool {
    found.entry.as_deref().and_then(|entry| Creation::decode(entry).ok()).is_some_and(|creation| creation.id == id)
}

/// Whether the fault leaves no doubt that nothing was created.
pub(super) fn is_final(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::NoSuchBucket
            | Fault::Forbidden { .. }
            | Fault::UnknownKey { .. }
            | Fault::WrongSecret { .. }
            | Fault::Expired { .. }
            | Fault::NoCredentials { .. }
            | Fault::WrongRegion { .. }
            | Fault::Config(_)
            | Fault::Name { .. }
            | Fault::Incapable(_)
            | Fault::Unsupported(_)
    )
}
