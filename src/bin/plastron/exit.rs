//! Exit codes of the command: part of its interface, documented in `docs/src/reference/command.md` and in `--help`.

use plastron::ErrorKind;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// Anything not named below, such as a full local disk.
    Other = 1,
    /// Wrong usage: arguments, configuration, an object name, a range, a bucket that does not exist.
    Invalid = 2,
    /// No such object, or no such local file.
    NotFound = 3,
    /// The object or the local file exists already.
    Exists = 4,
    /// Credentials are missing, wrong, expired or not sufficient.
    Unauthorized = 5,
    /// The store cannot be reached or is overloaded; the same command may succeed later.
    Unavailable = 6,
    /// Bytes that do not match their checksum, or (`demo`) their original.
    Corrupt = 7,
    /// Somebody else changed what the command was based on, or took over.
    Conflict = 8,
    /// The store or this build does not offer the operation.
    Unsupported = 9,
    /// Ctrl-C: 128 + SIGINT, as a shell reports it.
    Interrupted = 130,
    /// Whoever read the standard output went away: 128 + SIGPIPE, as a shell reports it.
    OutputClosed = 141,
}

impl Exit {
    /// The code for an error of the library.
    pub(crate) fn of_kind(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::AlreadyExists => Self::Exists,
            ErrorKind::Conflict | ErrorKind::Fenced => Self::Conflict,
            ErrorKind::Unauthorized => Self::Unauthorized,
            ErrorKind::Corrupt => Self::Corrupt,
            ErrorKind::Invalid => Self::Invalid,
            ErrorKind::Unavailable => Self::Unavailable,
            ErrorKind::Unsupported => Self::Unsupported,
            _ => Self::Other,
        }
    }

    /// The number that the operating system sees.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }
}
