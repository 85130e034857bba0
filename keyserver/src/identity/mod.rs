//! Registration of names by identity tokens (OpenID Connect), and by client certificates (X.509).
//!
//! Whoever controls an e-mail address can register the name that belongs to it, without an operator: an issuer that the operators have named says in a signed token
//! that the address is his, and the token's nonce is the hash of the entry, so that it is good for that entry alone. The check is a part of the machine's step and
//! depends on nothing but the log: the issuers' keys are in the database ([`Issuers`](crate::proto::Issuers), brought in by operators), and the time is
//! that of the newest head. So all replicas find the same, and no single one can admit a name.
//!
//! A certificate's owner does the same with its key: he signs the entry, and authorities that the operators have named
//! ([`Authorities`](crate::proto::Authorities)) say by the certificate which names are his. What is proposed has the chain of certificates and that signature in it, so that
//! every replica checks both. That somebody has shown the certificate in a handshake would be the word of one replica, and counts for nothing.
//!
//! What the step finds right it admits with the realm's *registrar key*, which follows from the index key, so that every replica has it; verifiers see that
//! signature in place of an operator's, and no token, which has an address in it. An admission that somebody else brings with that key is refused, and it
//! does not count for anything else that operators sign.

mod certificate;
#[cfg(feature = "http")]
mod credential;
mod fault;
mod jwks;
mod token;

pub(crate) use certificate::check_certificate;
#[cfg(feature = "http")]
pub use credential::{Credential, authority_certificate};
pub use fault::{CertificateFault, TokenFault};
pub use jwks::keys_of_jwks;
pub(crate) use token::check_token;
