//! The rules of the directory, and how each is broken.
//!
//! [`check_change`] is what replicas apply before they accept a change, and verifiers before they agree that it was right to accept it.

use plastron_config::ErrorKind;

use crate::Digest;
use crate::policy::AuthorizationPolicy;
use crate::proto::{Entry, SignedEntry};

/// Why something was not accepted into the directory. All replicas find the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The index is not that of the name.
    #[error("the entry's index is not the index of the name; look the name up for it")]
    Index,
    /// A name starts with version 0.
    #[error("the first entry of a name has version 0, not {found}")]
    FirstVersion {
        /// The version given.
        found: u64,
    },
    /// A version that is not above the one there is.
    #[error("version {found} is not above {have}, which the name has; look it up, and base the update on that")]
    Version {
        /// What the name has.
        have: u64,
        /// What was given.
        found: u64,
    },
    /// Another predecessor.
    #[error("the entry does not follow the one that the name has; look it up, and base the update on that")]
    Predecessor,
    /// Not signed as the policy so far demands.
    #[error("the signatures do not meet the policy that the name has; its owners must sign")]
    OldPolicy,
    /// Not signed as its own policy demands.
    #[error("the signatures do not meet the entry's own policy; who is to own the name must sign, too")]
    NewPolicy,
    /// Nobody admitted the name.
    #[error("no quorum of operators has admitted the name with this entry")]
    NotAdmitted,
    /// An admission where none belongs.
    #[error("only the first entry of a name is admitted by operators; leave the admission out")]
    Admission,
    /// The profile is not the one committed to.
    #[error("the profile is not the one that the entry commits to")]
    Commitment,
    /// The name is changed with the next epoch already.
    #[error("the name changes with the next epoch already; wait for that, look it up, and base the update on it")]
    Pending,
    /// The next epoch is full.
    #[error("{most} changes wait for the next epoch, and no more can; try again after it")]
    Full {
        /// The bound.
        most: usize,
    },
    /// A head that is not being signed.
    #[error("epoch {epoch} is not {what}")]
    Epoch {
        /// The epoch given.
        epoch: u64,
        /// What it would have to be.
        what: &'static str,
    },
    /// A time that is not later, or too far ahead.
    #[error("the time of issue {issued_ms} is not above that of the head before, or too far above")]
    Time {
        /// The time given.
        issued_ms: u64,
    },
    /// Not one of those who may.
    #[error("the key {key} is neither a replica's nor a verifier's under the policy of that head")]
    Signer {
        /// The key.
        key: crate::PublicKey,
    },
    /// A signature that does not hold.
    #[error("the signature by {key} does not hold for that head")]
    Signature {
        /// The key.
        key: crate::PublicKey,
    },
    /// A change of the realm policy, of the issuers or of the authorities, that does not follow the one in force.
    #[error("generation {found} does not follow {have}; base the change on what is in force")]
    Generation {
        /// In force, or about to be.
        have: u64,
        /// What was given.
        found: u64,
    },
    /// A change of the realm policy, of the issuers or of the authorities, that the operators have not signed.
    #[error("no quorum of operators has signed the change")]
    PolicyUnsigned,
    /// An identity token that is not accepted.
    #[error("the identity token is not accepted: {0}")]
    Token(crate::identity::TokenFault),
    /// A client certificate that is not accepted.
    #[error("the client certificate is not accepted: {0}")]
    Certificate(crate::identity::CertificateFault),
    /// The registrar's signature where only the machine itself may put it.
    #[error(
        "the registrar's signature is not given by clients; register with the identity token or the certificate itself"
    )]
    Registrar,
    /// Bytes that are no log entry.
    #[error("the log entry cannot be read: {0}")]
    Garbage(String),
}

impl Refusal {
    /// The coarse kind, to act on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::OldPolicy | Self::NewPolicy | Self::NotAdmitted | Self::PolicyUnsigned => ErrorKind::Unauthorized,
            Self::Signer { .. } | Self::Signature { .. } | Self::Token(_) => ErrorKind::Unauthorized,
            Self::Certificate(_) | Self::Registrar => ErrorKind::Unauthorized,
            Self::Version { .. } | Self::Predecessor | Self::Pending | Self::Generation { .. } => ErrorKind::Conflict,
            Self::Full { .. } => ErrorKind::Unavailable,
            _ => ErrorKind::Invalid,
        }
    }

    /// Which rule it is, for programs: a short text that stays the same.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Index => "refused-index",
            Self::FirstVersion { .. } => "refused-first-version",
            Self::Version { .. } => "refused-version",
            Self::Predecessor => "refused-predecessor",
            Self::OldPolicy => "refused-old-policy",
            Self::NewPolicy => "refused-new-policy",
            Self::NotAdmitted => "refused-not-admitted",
            Self::Admission => "refused-admission",
            Self::Commitment => "refused-commitment",
            Self::Pending => "refused-pending",
            Self::Full { .. } => "refused-full",
            Self::Epoch { .. } => "refused-epoch",
            Self::Time { .. } => "refused-time",
            Self::Signer { .. } => "refused-signer",
            Self::Signature { .. } => "refused-signature",
            Self::Generation { .. } => "refused-generation",
            Self::PolicyUnsigned => "refused-policy-unsigned",
            Self::Token(_) => "refused-token",
            Self::Certificate(_) => "refused-certificate",
            Self::Registrar => "refused-registrar",
            Self::Garbage(_) => "refused-garbage",
        }
    }
}

/// Whether `signed` may follow `before` at its index. That the index is the name's, and the profile the one committed to, only replicas can check.
///
/// # Errors
/// The first rule that is broken.
pub fn check_change(
    realm: &Digest,
    operators: &AuthorizationPolicy,
    before: Option<&Entry>,
    signed: &SignedEntry,
) -> Result<(), Refusal> {
    let entry = &signed.entry;
    let digest = entry.signed_digest(realm);
    match before {
        None => {
            if entry.version != 0 {
                return Err(Refusal::FirstVersion { found: entry.version });
            }
            if entry.previous != Digest::NONE {
                return Err(Refusal::Predecessor);
            }
            if !operators.is_met(&entry.admission_digest(realm), &signed.admission) {
                return Err(Refusal::NotAdmitted);
            }
        }
        Some(before) => {
            if before.index != entry.index {
                return Err(Refusal::Index);
            }
            if entry.version <= before.version {
                return Err(Refusal::Version { have: before.version, found: entry.version });
            }
            if entry.previous != before.hash(realm) {
                return Err(Refusal::Predecessor);
            }
            if !signed.admission.is_empty() {
                return Err(Refusal::Admission);
            }
            if !before.policy.is_met(&digest, &signed.signatures) {
                return Err(Refusal::OldPolicy);
            }
        }
    }
    // Where the owners stay the same, one check says it all.
    let same = before.is_some_and(|before| before.policy == entry.policy);
    if same || entry.policy.is_met(&digest, &signed.signatures) { Ok(()) } else { Err(Refusal::NewPolicy) }
}
