//! One line of a probe's table.

use std::fmt;

/// Something that Plastron needs of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProbeCheck {
    /// The credentials are accepted.
    Credentials,
    /// The bucket exists.
    Existence,
    /// Names are listed, in bytewise order.
    List,
    /// An object that exists is not created again, and stays as it is.
    ConditionalCreate,
    /// The same for an upload in parts.
    MultipartCreate,
    /// A part of an object can be read, and only of the object that was opened.
    Ranges,
    /// Metadata is kept with an object, to the byte.
    UserMetadata,
    /// Objects can be removed.
    Delete,
}

impl ProbeCheck {
    /// Every check, in the order in which they are made.
    pub const ALL: [Self; 8] = [
        Self::Credentials,
        Self::Existence,
        Self::ConditionalCreate,
        Self::MultipartCreate,
        Self::UserMetadata,
        Self::Ranges,
        Self::List,
        Self::Delete,
    ];

    /// The name in tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Existence => "existence",
            Self::List => "list",
            Self::ConditionalCreate => "conditional create",
            Self::MultipartCreate => "multipart conditional create",
            Self::Ranges => "ranges",
            Self::UserMetadata => "user metadata",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for ProbeCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProbeOutcome {
    /// It holds.
    Ok,
    /// It does not hold.
    Failed,
    /// It was not tried, because an earlier one failed or the bucket is read-only.
    Skipped,
}

impl ProbeOutcome {
    /// The name in tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for ProbeOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One line of a probe's table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeRow {
    /// What was tried.
    pub check: ProbeCheck,
    /// How it ended.
    pub outcome: ProbeOutcome,
    /// What was seen, or why it failed and what to do.
    pub why: String,
}
