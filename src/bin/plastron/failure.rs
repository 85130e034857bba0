//! Why a command did not succeed: one line for people, a kind and an exit code for programs.

use std::io;
use std::path::Path;

use plastron::ErrorKind;

use crate::exit::Exit;

/// The result of a command's step.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A failed step. Messages of the library are already scrubbed of secrets; local ones name paths only.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    exit: Exit,
    kind: &'static str,
    message: String,
}

impl Failure {
    /// Wrong usage that the argument parser cannot see.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Invalid, kind: ErrorKind::Invalid.as_str(), message: message.into() }
    }

    /// A kind of the library's, said about something the library does not know (a local file, say).
    pub(crate) fn of_kind(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { exit: Exit::of_kind(kind), kind: kind.as_str(), message: message.into() }
    }

    /// The local file system failed at `action` (a verb) on `path`.
    pub(crate) fn local(action: &str, path: &Path, error: &io::Error) -> Self {
        let message = format!("cannot {action} {}: {error}", path.display());
        match error.kind() {
            io::ErrorKind::NotFound => Self::of_kind(ErrorKind::NotFound, message),
            io::ErrorKind::AlreadyExists => Self::of_kind(ErrorKind::AlreadyExists, message),
            _ => Self { exit: Exit::Other, kind: "other", message },
        }
    }

    /// Standard output failed: its reader went away, or the disk it goes to is full.
    pub(crate) fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self {
                exit: Exit::OutputClosed,
                kind: "output_closed",
                message: "standard output was closed".into(),
            };
        }
        Self { exit: Exit::Other, kind: "other", message: format!("cannot write to standard output: {error}") }
    }

    /// Ctrl-C.
    pub(crate) fn interrupted() -> Self {
        Self {
            exit: Exit::Interrupted,
            kind: "interrupted",
            message: "interrupted; uploads in progress were abandoned".into(),
        }
    }

    /// Something that should not happen and has no kind of its own.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self { exit: Exit::Other, kind: "other", message: message.into() }
    }

    /// The same kind and exit code with another message.
    pub(crate) fn retold(self, message: String) -> Self {
        Self { message, ..self }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The kind's name, as JSON has it.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// One line.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Whether the failure concerns one file only, so that a command over many goes on with the rest and reports it.
    pub(crate) fn is_about_one_file(&self) -> bool {
        matches!(self.exit, Exit::Invalid | Exit::NotFound | Exit::Exists | Exit::Corrupt)
    }
}

impl From<plastron::Error> for Failure {
    fn from(error: plastron::Error) -> Self {
        Self::of_kind(error.kind(), error.to_string())
    }
}

impl From<plastron::page_log::PageLogFault> for Failure {
    fn from(fault: plastron::page_log::PageLogFault) -> Self {
        plastron::Error::from(fault).into()
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::other(format!("a background task failed: {error}"))
    }
}
