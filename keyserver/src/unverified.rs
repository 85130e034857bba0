//! Checking an answer, and why one is not accepted.
//!
//! [`verify_lookup`] is pure: nothing it is given is trusted but the realm, the client's own memory and the time.

use crate::Digest;
use crate::merkle::TreeHasher;
use crate::proto::{ClientMemory, Entry, EpochHead, LookupAnswer, LookupRequest, PolicyStep, Profile};
use crate::proto::{Quorum, Realm, RealmPolicy, SignedHead};

/// How far a replica's clock may be ahead of the client's, in milliseconds: what NTP keeps by far.
pub const CLOCK_SKEW_MS: u64 = 60_000;

/// Why an answer is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unverified {
    /// The index is not proved.
    #[error("the index of the name is not proved")]
    Index,
    /// A head of another realm.
    #[error("the head is of realm {found}, not of this one")]
    Realm {
        /// The one found.
        found: Digest,
    },
    /// Policies that do not lead to the head's.
    #[error("step {step} of the realm's policies does not follow from the one known: {why}")]
    Policy {
        /// Which step.
        step: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// Too few replicas.
    #[error("no quorum of replicas has signed the head of epoch {epoch}")]
    Replicas {
        /// Of which epoch.
        epoch: u64,
    },
    /// Too few of whom the client asks for.
    #[error("the head of epoch {epoch} lacks the verifiers' signatures that were asked for")]
    Verifiers {
        /// Of which epoch.
        epoch: u64,
    },
    /// Too old.
    #[error("the head of epoch {epoch} is {age_ms} ms old, and holds for {lifetime_ms} ms; is the keyserver stuck?")]
    Expired {
        /// Of which epoch.
        epoch: u64,
        /// Its age.
        age_ms: u64,
        /// How long it holds.
        lifetime_ms: u64,
    },
    /// From the future.
    #[error("the head of epoch {epoch} is from {ahead_ms} ms ahead; set the clock")]
    Future {
        /// Of which epoch.
        epoch: u64,
        /// How far.
        ahead_ms: u64,
    },
    /// Older than what was seen before.
    #[error("the head is of epoch {found}, and epoch {seen} was seen before; somebody shows the past")]
    Older {
        /// What the client has seen.
        seen: u64,
        /// What it was given.
        found: u64,
    },
    /// Another head of an epoch that was seen.
    #[error("epoch {epoch} has another head than the one seen before: the keyserver shows two histories")]
    Fork {
        /// The epoch.
        epoch: u64,
    },
    /// Another epoch than was asked for.
    #[error("epoch {asked} was asked for, and the answer is of epoch {found}")]
    Epoch {
        /// What was asked.
        asked: u64,
        /// What came.
        found: u64,
    },
    /// The tree does not have the entry, or has one where absence is claimed.
    #[error("the tree of epoch {epoch} does not prove what the answer says")]
    Tree {
        /// The epoch.
        epoch: u64,
    },
    /// An entry of another index.
    #[error("the entry is of another index than the name")]
    Entry,
    /// A history that does not lead to what the name has.
    #[error("the history shown breaks off, or breaks a rule, at version {version}")]
    History {
        /// The version.
        version: u64,
    },
    /// An epoch, list or version that is behind one that was seen before.
    #[error("{what}; somebody shows the past, or two histories")]
    Back {
        /// What went back, from where to where.
        what: String,
    },
    /// Another profile.
    #[error("the profile is not the one that the entry commits to")]
    Commitment,
}

/// What is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The name's index.
    pub index: Digest,
    /// At this head.
    pub head: EpochHead,
    /// The head with its signatures, to compare with what others were shown.
    pub signed: SignedHead,
    /// Entry and profile; none if the name is absent.
    pub found: Option<(Entry, Profile)>,
    /// What to remember from now on.
    pub memory: ClientMemory,
}

/// Checks `answer` to `request`, as a client with that memory does at that time (milliseconds since 1970).
///
/// # Errors
/// The first thing that does not hold.
pub fn verify_lookup(
    realm: &Realm,
    memory: &ClientMemory,
    request: &LookupRequest,
    answer: &LookupAnswer,
    now_ms: u64,
) -> Result<Verified, Unverified> {
    let id = realm.id();
    let index = realm.index_key.verify(&request.name, &answer.index).ok_or(Unverified::Index)?;
    // Somebody who asks for an epoch of the past starts from the realm's first policy.
    let known = if request.epoch == 0 { &memory.policy } else { &realm.policy };
    let policy = follow_policies(&id, known, &answer.steps)?;
    let head = &answer.head.head;
    verify_head(&id, &policy, &answer.head)?;
    let asked = match &request.quorum {
        Quorum::Replicas => true,
        Quorum::Verifiers => policy.verifiers.as_ref().is_some_and(|quorum| answer.head.meets(quorum)),
        Quorum::Of(quorum) => answer.head.meets(quorum),
    };
    if !asked {
        return Err(Unverified::Verifiers { epoch: head.epoch });
    }
    let mut memory = memory.clone();
    if head.epoch == memory.epoch && head.digest() != memory.head {
        return Err(Unverified::Fork { epoch: head.epoch });
    }
    if request.epoch == 0 {
        verify_time(realm, head, now_ms)?;
        if head.epoch < memory.epoch {
            return Err(Unverified::Older { seen: memory.epoch, found: head.epoch });
        }
        memory = ClientMemory { realm: id, epoch: head.epoch, head: head.digest(), policy };
    } else if head.epoch != request.epoch {
        return Err(Unverified::Epoch { asked: request.epoch, found: head.epoch });
    }
    let hash = answer.found.as_ref().map(|(entry, _)| entry.hash(&id));
    if !answer.tree.proves(&TreeHasher::new(&id), &head.root, &index, hash.as_ref()) {
        return Err(Unverified::Tree { epoch: head.epoch });
    }
    if let Some((entry, profile)) = &answer.found {
        if entry.index != index {
            return Err(Unverified::Entry);
        }
        if entry.commitment != profile.commitment() {
            return Err(Unverified::Commitment);
        }
    }
    Ok(Verified { index, head: head.clone(), signed: answer.head.clone(), found: answer.found.clone(), memory })
}

/// That the head is of the realm, signed under `policy`, and by its replicas.
///
/// # Errors
/// `Realm`, `Policy`, `Replicas`.
pub fn verify_head(realm: &Digest, policy: &RealmPolicy, signed: &SignedHead) -> Result<(), Unverified> {
    let head = &signed.head;
    if head.realm != *realm {
        return Err(Unverified::Realm { found: head.realm });
    }
    if head.policy != policy.digest() {
        return Err(Unverified::Policy { step: 0, why: "the head is signed under another policy" });
    }
    if !signed.meets(&policy.replicas) {
        return Err(Unverified::Replicas { epoch: head.epoch });
    }
    Ok(())
}

/// The policy to which `steps` lead from `known`.
///
/// # Errors
/// `Realm`, `Policy`, `Replicas`.
pub fn follow_policies(realm: &Digest, known: &RealmPolicy, steps: &[PolicyStep]) -> Result<RealmPolicy, Unverified> {
    let mut policy = known.clone();
    for (at, step) in steps.iter().enumerate() {
        let wrong = |why| Unverified::Policy { step: at + 1, why };
        verify_head(realm, &policy, &step.head).map_err(|error| match error {
            Unverified::Policy { why, .. } => wrong(why),
            other => other,
        })?;
        if step.head.head.next_policy != step.policy.digest() {
            return Err(wrong("its head names another one as the next"));
        }
        if Some(step.policy.generation) != policy.generation.checked_add(1) {
            return Err(wrong("its generation does not follow"));
        }
        policy = step.policy.clone();
    }
    Ok(policy)
}

fn verify_time(realm: &Realm, head: &EpochHead, now_ms: u64) -> Result<(), Unverified> {
    let ahead_ms = head.issued_ms.saturating_sub(now_ms);
    if ahead_ms > CLOCK_SKEW_MS {
        return Err(Unverified::Future { epoch: head.epoch, ahead_ms });
    }
    let age_ms = now_ms.saturating_sub(head.issued_ms);
    if age_ms > realm.lifetime_ms {
        return Err(Unverified::Expired { epoch: head.epoch, age_ms, lifetime_ms: realm.lifetime_ms });
    }
    Ok(())
}
