//! What an error is called by gRPC, and what a status that comes back is here.
//!
//! The table is in `keyserver/proto/keyserver.proto` and `docs/src/reference/keyserver-grpc.md`.

use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::{Error, ErrorKind, Refusal};

/// The metadata with an error's kind, in lower case with underscores.
pub(crate) const KIND: &str = "plastron-kind";
/// The metadata with what precisely it was.
const REASON: &str = "plastron-reason";
/// The most characters of a replica's text that are shown.
const MOST_TEXT: usize = 500;

fn code_of(error: &Error) -> Code {
    match error {
        Error::Certificate { .. } => return Code::Unauthenticated,
        Error::Overloaded { .. } | Error::Refused(Refusal::Full { .. }) => return Code::ResourceExhausted,
        Error::Timeout { .. } => return Code::DeadlineExceeded,
        _ => {}
    }
    match error.kind() {
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::Unsupported => Code::Unimplemented,
        ErrorKind::Unauthorized => Code::PermissionDenied,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::AlreadyExists,
        ErrorKind::Conflict | ErrorKind::Fenced => Code::Aborted,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Corrupt => Code::DataLoss,
        _ => Code::Internal,
    }
}

fn status(code: Code, text: impl Into<String>, kind: ErrorKind, reason: &'static str) -> Status {
    let mut status = Status::new(code, text);
    let metadata = status.metadata_mut();
    metadata.insert(KIND, MetadataValue::from_static(kind.as_str()));
    metadata.insert(REASON, MetadataValue::from_static(reason));
    status
}

/// The status that says so.
pub(crate) fn status_of(error: &Error) -> Status {
    status(code_of(error), error.to_string(), error.kind(), error.reason())
}

/// The status of a message that has more bytes than are read.
pub(crate) fn too_large(why: String) -> Status {
    status(Code::ResourceExhausted, why, ErrorKind::Invalid, "too-large")
}

fn kind_of(status: &Status) -> ErrorKind {
    const KINDS: [ErrorKind; 9] = [
        ErrorKind::NotFound,
        ErrorKind::AlreadyExists,
        ErrorKind::Conflict,
        ErrorKind::Fenced,
        ErrorKind::Unauthorized,
        ErrorKind::Corrupt,
        ErrorKind::Invalid,
        ErrorKind::Unavailable,
        ErrorKind::Unsupported,
    ];
    let named = status.metadata().get(KIND).and_then(|kind| kind.to_str().ok());
    match named.and_then(|named| KINDS.into_iter().find(|kind| kind.as_str() == named)) {
        // What is damaged there is not damaged here, and another may be asked.
        Some(ErrorKind::Corrupt) => ErrorKind::Unavailable,
        Some(kind) => kind,
        None => match status.code() {
            Code::InvalidArgument | Code::OutOfRange => ErrorKind::Invalid,
            Code::Unimplemented => ErrorKind::Unsupported,
            Code::PermissionDenied | Code::Unauthenticated => ErrorKind::Unauthorized,
            Code::NotFound => ErrorKind::NotFound,
            Code::AlreadyExists | Code::Aborted => ErrorKind::Conflict,
            _ => ErrorKind::Unavailable,
        },
    }
}

/// What came back from `address`, where it is not what was asked for.
pub(crate) fn error_of(operation: &'static str, address: &str, status: &Status) -> Error {
    let address = address.to_owned();
    // What the connection did, and not what the replica says.
    if let Some(mut why) = std::error::Error::source(status) {
        while let Some(beneath) = why.source() {
            why = beneath;
        }
        return Error::Request { operation, address, why: why.to_string() };
    }
    let message = status.message().chars().filter(|c| !c.is_control()).take(MOST_TEXT).collect();
    Error::Remote { kind: kind_of(status), address, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_by_its_status_and_is_of_the_same_kind_for_who_asked() {
        let not_there = Error::NotFound { what: "epoch", why: "9".to_owned() };
        let damaged = Error::Corrupt { what: "profile", offset: 3, check: "no".to_owned() };
        for (error, code, reason, kind) in [
            (Error::Invalid { what: "a", why: "b".to_owned() }, Code::InvalidArgument, "invalid", ErrorKind::Invalid),
            (
                Error::Unsupported { what: "a", version: 2, known: 1 },
                Code::Unimplemented,
                "unsupported",
                ErrorKind::Unsupported,
            ),
            (Error::Certificate { what: "a" }, Code::Unauthenticated, "certificate", ErrorKind::Unauthorized),
            (Refusal::OldPolicy.into(), Code::PermissionDenied, "refused-old-policy", ErrorKind::Unauthorized),
            (Refusal::Pending.into(), Code::Aborted, "refused-pending", ErrorKind::Conflict),
            (Refusal::Commitment.into(), Code::InvalidArgument, "refused-commitment", ErrorKind::Invalid),
            (Refusal::Full { most: 9 }.into(), Code::ResourceExhausted, "refused-full", ErrorKind::Unavailable),
            (not_there, Code::NotFound, "not-found", ErrorKind::NotFound),
            (Error::Overloaded { what: "a", most: 1 }, Code::ResourceExhausted, "overloaded", ErrorKind::Unavailable),
            (Error::Timeout { what: "a", seconds: 1 }, Code::DeadlineExceeded, "timeout", ErrorKind::Unavailable),
            (Error::Stopped("a"), Code::Unavailable, "stopped", ErrorKind::Unavailable),
            // There, and not here.
            (damaged, Code::DataLoss, "corrupt", ErrorKind::Unavailable),
        ] {
            let status = status_of(&error);
            assert_eq!((status.code(), status.message()), (code, &*error.to_string()));
            assert_eq!(status.metadata().get(REASON).unwrap(), reason);
            let back = error_of("ask", "a:1", &status);
            assert!(matches!(back, Error::Remote { .. }) && back.kind() == kind, "{back}");
            // Without the metadata of ours, the code says it as well.
            assert_eq!(kind_of(&Status::new(code, "")), kind, "{error}");
        }
        let large = too_large("so many".to_owned());
        assert_eq!((large.code(), kind_of(&large)), (Code::ResourceExhausted, ErrorKind::Invalid));
        let cut = Status::from_error(Box::new(std::io::Error::other("the wire")));
        assert!(error_of("ask", "a:1", &cut).to_string().contains("ask at a:1 failed: the wire"));
    }
}
