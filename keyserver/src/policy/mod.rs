//! Who may do something: keys, and an expression that says how many of which of them it takes.
//!
//! An [`AuthorizationPolicy`] stands in every entry (who may change it), and in the realm's policy (whose signatures make an epoch head, who verifies,
//! who operates). What is accepted as a policy can be met, says each thing once, and is cheap to evaluate: no key twice, none that is not used, no
//! other spelling of a key, no threshold of 0 or above what there is, and bounds on depth and size. It is checked when it is decoded, so there
//! is no policy in memory that breaks a rule.

mod authorization_policy;
mod expression;
mod public_key;

pub use authorization_policy::{AuthorizationPolicy, MAX_POLICY_KEYS, Signatures};
pub(crate) use authorization_policy::{read_signatures, write_signatures};
pub use expression::{Expression, MAX_EXPRESSION_DEPTH};
pub use public_key::{PublicKey, Signature, SigningKey};
