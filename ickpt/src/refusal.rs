//! Why a call is refused, and what its caller is told.
//!
//! This is the contract's table, in one place: a [`Refusal`] is a [`Reason`] and a sentence, and a reason has one status and one word. The word
//! goes into the header `X-Ickpt-Reason`, the sentence into the body. 401 means only that authorization was refused; nothing that a store
//! said is passed on but that status.

use std::fmt;

use plastron_config::ErrorKind;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Not one of DELETE, GET, HEAD, POST, PUT.
    Method,
    /// `X-Storage-Url` is missing, given twice, or no plain address of an object.
    StorageUrl,
    /// Another header of ours is given twice, or can't be read.
    Header,
    /// The body is empty.
    BodyEmpty,
    /// The body is longer than allowed.
    BodyTooLarge,
    /// Headers or body came too slowly.
    TooSlow,
    /// The store's origin is not on the allow list, or its name leads to a forbidden address.
    Origin,
    /// `X-Auth-Token` is missing or empty.
    TokenMissing,
    /// The store answered 401.
    StoreUnauthorized,
    /// The store answered 403.
    StoreForbidden,
    /// The store answered 404.
    StoreNotFound,
    /// The store can't be reached.
    StoreUnreachable,
    /// The store did not answer in time.
    StoreTooSlow,
    /// The store answered 429.
    StoreBusy,
    /// The store answered something else.
    StoreAnswer,
    /// Nothing is staged.
    NothingStaged,
    /// Something is staged under another path.
    OtherPath,
    /// What was staged under this path has expired.
    Expired,
    /// What was staged under this path was discarded: by a GET, or by something staged later.
    Discarded,
    /// What is committed is newer, or has the same version and is something else.
    Older,
    /// What is committed has a version, and this has none.
    Unversioned,
    /// Somebody took over with a higher epoch.
    Fenced,
    /// There is no room: too many connections, calls or staged operations.
    Overloaded,
    /// The service is about to end.
    Stopping,
    /// The service is broken: what it has stored can't be read.
    Broken,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::Method,
        Self::StorageUrl,
        Self::Header,
        Self::BodyEmpty,
        Self::BodyTooLarge,
        Self::TooSlow,
        Self::Origin,
        Self::TokenMissing,
        Self::StoreUnauthorized,
        Self::StoreForbidden,
        Self::StoreNotFound,
        Self::StoreUnreachable,
        Self::StoreTooSlow,
        Self::StoreBusy,
        Self::StoreAnswer,
        Self::NothingStaged,
        Self::OtherPath,
        Self::Expired,
        Self::Discarded,
        Self::Older,
        Self::Unversioned,
        Self::Fenced,
        Self::Overloaded,
        Self::Stopping,
        Self::Broken,
    ];

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            Self::StorageUrl | Self::Header | Self::BodyEmpty => 400,
            Self::BodyTooLarge => 413,
            Self::TooSlow => 408,
            Self::Origin | Self::StoreForbidden => 403,
            Self::TokenMissing | Self::StoreUnauthorized => 401,
            Self::StoreNotFound => 404,
            Self::StoreUnreachable | Self::StoreAnswer => 502,
            Self::StoreTooSlow => 504,
            Self::StoreBusy | Self::Overloaded | Self::Stopping => 503,
            Self::NothingStaged | Self::OtherPath | Self::Expired | Self::Discarded => 410,
            Self::Older | Self::Unversioned => 409,
            Self::Fenced => 412,
            Self::Broken => 500,
        }
    }

    /// The word in `X-Ickpt-Reason`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::StorageUrl => "storage-url",
            Self::Header => "header",
            Self::BodyEmpty => "body-empty",
            Self::BodyTooLarge => "body-too-large",
            Self::TooSlow => "too-slow",
            Self::Origin => "origin",
            Self::TokenMissing => "token-missing",
            Self::StoreUnauthorized => "store-unauthorized",
            Self::StoreForbidden => "store-forbidden",
            Self::StoreNotFound => "store-not-found",
            Self::StoreUnreachable => "store-unreachable",
            Self::StoreTooSlow => "store-too-slow",
            Self::StoreBusy => "store-busy",
            Self::StoreAnswer => "store-answer",
            Self::NothingStaged => "nothing-staged",
            Self::OtherPath => "other-path",
            Self::Expired => "expired",
            Self::Discarded => "discarded",
            Self::Older => "older",
            Self::Unversioned => "unversioned",
            Self::Fenced => "fenced",
            Self::Overloaded => "overloaded",
            Self::Stopping => "stopping",
            Self::Broken => "broken",
        }
    }

    /// The reason of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }

    /// The kind of error that a client sees.
    pub const fn kind(self) -> ErrorKind {
        match self {
            Self::Method | Self::StorageUrl | Self::Header | Self::BodyEmpty | Self::BodyTooLarge => ErrorKind::Invalid,
            Self::Origin | Self::TokenMissing | Self::StoreUnauthorized | Self::StoreForbidden => {
                ErrorKind::Unauthorized
            }
            Self::StoreNotFound => ErrorKind::NotFound,
            Self::NothingStaged | Self::OtherPath | Self::Expired | Self::Discarded => ErrorKind::Conflict,
            Self::Older | Self::Unversioned => ErrorKind::Conflict,
            Self::Fenced => ErrorKind::Fenced,
            Self::Broken => ErrorKind::Corrupt,
            _ => ErrorKind::Unavailable,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Refusal {
    reason: Reason,
    message: String,
}

impl Refusal {
    /// A refusal. The message goes to the caller: what was wrong and what to do, without a secret.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// Which row of the table.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What the caller is told.
    pub fn message(&self) -> &str {
        &self.message
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn every_reason_has_a_word_of_its_own() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_word(reason.word()), Some(reason));
        }
        assert_eq!(Reason::from_word("Fenced"), None);
    }

    #[test]
    fn only_authorization_is_401() {
        let all: Vec<_> = Reason::ALL.into_iter().filter(|reason| reason.status() == 401).collect();
        assert_eq!(all, [Reason::TokenMissing, Reason::StoreUnauthorized]);
    }
}
