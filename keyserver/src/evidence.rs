//! Checking evidence of a lie, by anybody who has the realm's file, without asking anyone.

use crate::merkle::TreeHasher;
use crate::proto::{EpochHead, Evidence, Lie, PolicyStep, Realm, RealmPolicy, SignedHead};
use crate::{Digest, Error, Refusal, Result, Unverified, check_change, verify_head};

/// What evidence proves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Proven {
    /// Two heads of one epoch.
    #[error("the replicas signed two heads of epoch {epoch}: {one} and {other}")]
    Equivocation {
        /// The epoch.
        epoch: u64,
        /// Digest of one head.
        one: Digest,
        /// Digest of the other.
        other: Digest,
    },
    /// A change against the rules. Signatures that were not shown might still turn up; a version or predecessor cannot.
    #[error("the replicas signed epoch {epoch} with a change of index {index} against the rules: {broken}")]
    Change {
        /// The epoch.
        epoch: u64,
        /// The index.
        index: Digest,
        /// The rule.
        broken: Refusal,
    },
    /// A head that does not follow.
    #[error("the replicas signed a head of epoch {epoch} that does not follow the one before: {broken}")]
    Chain {
        /// The epoch.
        epoch: u64,
        /// What is wrong.
        broken: &'static str,
    },
}

/// What about `after` does not follow from `before`; none if it does.
pub(crate) fn broken_chain(before: &EpochHead, after: &EpochHead) -> Option<&'static str> {
    if before.epoch.checked_add(1) != Some(after.epoch) {
        return Some("its epoch is not the next");
    }
    if after.previous != before.digest() {
        return Some("it names another head as the one before");
    }
    if after.policy != before.next_policy {
        return Some("it is signed under another policy than the one before names as the next");
    }
    (after.issued_ms <= before.issued_ms).then_some("it is not issued later")
}

/// What `evidence` proves to somebody who knows `realm`.
///
/// # Errors
/// `Unverified` or `Invalid` if it proves nothing.
pub fn check_evidence(realm: &Realm, evidence: &Evidence) -> Result<Proven> {
    let nothing = |why: &str| Error::Invalid { what: "evidence", why: format!("{why}; it proves nothing") };
    if evidence.realm != *realm {
        return Err(nothing("it is of another realm"));
    }
    let id = realm.id();
    let policies = policies(realm, &evidence.steps)?;
    // Every head in it bears a quorum of the replicas of its time.
    let signed = |signed: &SignedHead| -> Result<&RealmPolicy> {
        let policy = policies.iter().find(|policy| policy.digest() == signed.head.policy);
        let policy = policy.ok_or_else(|| nothing("it has a head under a policy that its steps do not lead to"))?;
        verify_head(&id, policy, signed)?;
        Ok(policy)
    };
    match &evidence.lie {
        Lie::Equivocation { one, other } => {
            signed(one)?;
            signed(other)?;
            if one.head.epoch != other.head.epoch || one.head == other.head {
                return Err(nothing("its heads are one, or of two epochs"));
            }
            let (one, other) = (&one.head, &other.head);
            Ok(Proven::Equivocation { epoch: one.epoch, one: one.digest(), other: other.digest() })
        }
        Lie::Chain { before, after } => {
            signed(before)?;
            signed(after)?;
            if before.head.epoch.checked_add(1) != Some(after.head.epoch) {
                return Err(nothing("its heads are not of two epochs in a row"));
            }
            let broken = broken_chain(&before.head, &after.head).ok_or_else(|| nothing("its heads follow"))?;
            Ok(Proven::Chain { epoch: after.head.epoch, broken })
        }
        Lie::Change { before, was, after, is } => {
            signed(before)?;
            let operators = &signed(after)?.operators;
            if broken_chain(&before.head, &after.head).is_some() {
                return Err(nothing("its heads do not follow one another, which is a lie of another sort"));
            }
            let ((was, was_proof), (is, is_proof)) = (&**was, &**is);
            let (hasher, index) = (TreeHasher::new(&id), is.entry.index);
            let hash = was.as_ref().map(|entry| entry.hash(&id));
            let proved = was.as_ref().is_none_or(|entry| entry.index == index)
                && was_proof.proves(&hasher, &before.head.root, &index, hash.as_ref())
                && is_proof.proves(&hasher, &after.head.root, &index, Some(&is.entry.hash(&id)));
            if !proved {
                return Err(nothing("its trees do not have the entries"));
            }
            match check_change(&id, operators, was.as_ref(), is) {
                Err(broken) => Ok(Proven::Change { epoch: after.head.epoch, index, broken }),
                Ok(()) => Err(nothing("the change is right")),
            }
        }
    }
}

/// All policies that the steps lead through, the realm's first among them.
fn policies(realm: &Realm, steps: &[PolicyStep]) -> Result<Vec<RealmPolicy>, Unverified> {
    let mut policies = vec![realm.policy.clone()];
    for (at, step) in steps.iter().enumerate() {
        let known = policies.last().unwrap_or(&realm.policy);
        let next =
            crate::follow_policies(&realm.id(), known, std::slice::from_ref(step)).map_err(|error| match error {
                Unverified::Policy { why, .. } => Unverified::Policy { step: at + 1, why },
                other => other,
            })?;
        policies.push(next);
    }
    Ok(policies)
}

/// Evidence, if two heads that were accepted by two clients, or by one at two times, show two histories.
pub fn compare_heads(realm: &Realm, steps: &[PolicyStep], one: &SignedHead, other: &SignedHead) -> Option<Evidence> {
    let evidence = |lie| Evidence { realm: realm.clone(), steps: steps.to_vec(), lie };
    let (before, after) = if one.head.epoch <= other.head.epoch { (one, other) } else { (other, one) };
    let lie = if before.head.epoch == after.head.epoch {
        (before.head != after.head).then(|| Lie::Equivocation { one: before.clone(), other: after.clone() })
    } else if before.head.epoch.checked_add(1) == Some(after.head.epoch) {
        broken_chain(&before.head, &after.head).map(|_| Lie::Chain { before: before.clone(), after: after.clone() })
    } else {
        None
    };
    lie.map(evidence).filter(|evidence| check_evidence(realm, evidence).is_ok())
}
