//! Why a token, or a certificate, is not accepted.

/// What is wrong with a token. It never says what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// Not a compact JWS with a JSON payload.
    #[error("it is no JSON Web Token, or has critical extensions")]
    Form,
    /// Not one of the algorithms.
    #[error("its algorithm is not RS256, ES256 or EdDSA, or not that of the key")]
    Algorithm,
    /// Nobody that the operators have named, or for somebody else.
    #[error("no issuer of that name and audience is known here; operators name issuers")]
    Issuer,
    /// No such key.
    #[error("its key is none of the issuer's; if the issuer has new ones, operators bring them in")]
    Key,
    /// Another signed it, or it was changed.
    #[error("its signature does not hold")]
    Signature,
    /// Too old.
    #[error("it has expired; get a new one")]
    Expired,
    /// Valid for longer than a day, or from a time to come.
    #[error("it says no time of issue, one to come, or is valid for more than a day")]
    Time,
    /// The address was not checked.
    #[error("its issuer has not verified the address")]
    Unverified,
    /// Another name.
    #[error("the name is not the one that belongs to its address")]
    Name,
    /// Not for this entry.
    #[error("its nonce is not the hash of the entry")]
    Nonce,
}

/// What is wrong with a client certificate, or with what was signed with it. It never says what is in it. In the order in which things are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// No X.509.
    #[error("it is no X.509 certificate of version 3")]
    Form,
    /// Nobody that the operators have named.
    #[error(
        "none of the authorities that are known here has signed it, or what is between it and the authority is missing; operators name authorities"
    )]
    Authority,
    /// Something else about the path.
    #[error(
        "what leads from the authority to it does not hold: constraints, an algorithm, or a critical extension that is not known here"
    )]
    Chain,
    /// Too old.
    #[error("it, or one above it, has expired; get a new one")]
    Expired,
    /// Too new.
    #[error("it, or one above it, is not valid yet")]
    NotYet,
    /// Not for clients.
    #[error("it does not say that it is for client authentication (extended key usage)")]
    Usage,
    /// Another name.
    #[error("the name is none of its DNS names or URIs behind the prefix that the authority has here")]
    Name,
    /// Not one of those that are known.
    #[error("the algorithm of the signature is not ECDSA (P-256, P-384), RSA-PSS or Ed25519")]
    Algorithm,
    /// Another signed, or signed something else.
    #[error("the signature of the entry is not by its key, or is of another entry or realm")]
    Signature,
}
