//! The keyserver's errors as key modules say them.

use plastron_keys::Fault;

use crate::{Error, ErrorKind};

/// `error` as a fault of the module. What was attempted is said by the caller.
pub(super) fn fault(error: Error) -> Fault {
    match error.kind() {
        ErrorKind::Unauthorized => Fault::Refused(error.to_string()),
        ErrorKind::Unsupported => Fault::Unsupported(error.to_string()),
        ErrorKind::Unavailable => Fault::Unreachable(error.to_string()),
        ErrorKind::Corrupt => match error {
            Error::Corrupt { what, offset, check } => Fault::corrupt(offset, format!("{what}: {check}")),
            other => Fault::corrupt(0, other.to_string()),
        },
        _ => Fault::Config(error.to_string()),
    }
}
