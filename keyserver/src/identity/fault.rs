//! Why a token is not accepted.

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
