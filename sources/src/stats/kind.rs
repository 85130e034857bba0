//! The words that requests, their outcomes and other events are counted under.

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestKind {
    /// Creates an object in one request.
    Put,
    /// Uploads one part (Azure: one block) of an object.
    PutPart,
    /// Begins an upload in parts.
    CreateMultipart,
    /// Ends an upload in parts; the object appears (Azure: Put Block List).
    Complete,
    /// Gives up an upload in parts.
    Abort,
    /// Reads an object or a range of it.
    Get,
    /// Reads an object's metadata.
    Head,
    /// Reads one page of a listing.
    List,
    /// Removes one object or a batch.
    Delete,
    /// Copies an object on the server's side.
    Copy,
    /// Fetches credentials.
    Token,
    /// Anything else.
    Other,
}

impl RequestKind {
    /// Every kind, in declaration order.
    pub const ALL: [Self; 12] = [
        Self::Put,
        Self::PutPart,
        Self::CreateMultipart,
        Self::Complete,
        Self::Abort,
        Self::Get,
        Self::Head,
        Self::List,
        Self::Delete,
        Self::Copy,
        Self::Token,
        Self::Other,
    ];

    /// The name in metric labels and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::PutPart => "put_part",
            Self::CreateMultipart => "create_multipart",
            Self::Complete => "complete",
            Self::Abort => "abort",
            Self::Get => "get",
            Self::Head => "head",
            Self::List => "list",
            Self::Delete => "delete",
            Self::Copy => "copy",
            Self::Token => "token",
            Self::Other => "other",
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It did what it was sent for.
    Ok,
    /// There is no such object.
    NotFound,
    /// A condition did not hold: the object exists, or is another one now, or has not changed.
    Conflict,
    /// The credentials are missing, wrong or expired, or do not permit it.
    Denied,
    /// Refused for another reason.
    Refused,
    /// The provider asks to slow down (429, 503, `SlowDown`).
    Throttled,
    /// The provider failed (other 5xx, 408).
    Failed,
    /// No connection, a broken one, or an answer that is cut off or fails its checksum.
    Broken,
    /// No complete answer in time.
    TimedOut,
    /// Dropped by the caller, or by its faster twin (a hedged read).
    Cancelled,
}

impl Outcome {
    /// Every outcome, in declaration order.
    pub const ALL: [Self; 10] = [
        Self::Ok,
        Self::NotFound,
        Self::Conflict,
        Self::Denied,
        Self::Refused,
        Self::Throttled,
        Self::Failed,
        Self::Broken,
        Self::TimedOut,
        Self::Cancelled,
    ];

    /// The name in metric labels and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Something worth counting that is not a request of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A request was sent again after a failure.
    Retry,
    /// A request was given up: its deadline passed, or its last attempt failed.
    GaveUp,
    /// A second request was sent for a slow read.
    Hedge,
    /// That second request answered first.
    HedgeWon,
    /// Credentials were renewed because the provider called them expired.
    Renewal,
    /// An upload whose checksum, as the provider reports it, is not ours; it was sent again or reported.
    UploadCorrupt,
    /// An object was read that carries no checksums of Plastron's.
    UnverifiedRead,
    /// Bytes were read that fail their checksum.
    CorruptRead,
}

impl Event {
    /// Every event, in declaration order.
    pub const ALL: [Self; 8] = [
        Self::Retry,
        Self::GaveUp,
        Self::Hedge,
        Self::HedgeWon,
        Self::Renewal,
        Self::UploadCorrupt,
        Self::UnverifiedRead,
        Self::CorruptRead,
    ];

    /// The name in metric labels and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::GaveUp => "gave_up",
            Self::Hedge => "hedge",
            Self::HedgeWon => "hedge_won",
            Self::Renewal => "renewal",
            Self::UploadCorrupt => "upload_corrupt",
            Self::UnverifiedRead => "unverified_read",
            Self::CorruptRead => "corrupt_read",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_are_in_declaration_order_and_names_are_unique() {
        assert!(RequestKind::ALL.iter().enumerate().all(|(index, kind)| *kind as usize == index));
        assert!(Outcome::ALL.iter().enumerate().all(|(index, outcome)| *outcome as usize == index));
        assert!(Event::ALL.iter().enumerate().all(|(index, event)| *event as usize == index));
        let names: std::collections::BTreeSet<_> = RequestKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), RequestKind::ALL.len());
    }
}
