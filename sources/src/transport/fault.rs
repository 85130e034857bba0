//! Typed faults through `object_store` and out again.
//!
//! `object_store` knows a handful of errors and flattens the rest into text. The transport therefore boxes its verdicts as
//! [`Refused`] inside an [`HttpError`], which `object_store` passes through untouched, and [`fault_of`] finds them again.

use object_store::client::{HttpError, HttpErrorKind};

use crate::error::Fault;

/// A final verdict of the transport, on its way through `object_store`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) Fault);

impl Refused {
    /// `fault` as an error that `object_store` passes on without retrying.
    pub(crate) fn into_http(fault: Fault) -> HttpError {
        HttpError::new(HttpErrorKind::Unknown, Self(fault))
    }
}

/// Everything `object_store` can say, as our fault, scrubbed.
pub(crate) fn fault_of(error: &object_store::Error) -> Fault {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(found) = cause {
        if let Some(Refused(fault)) = found.downcast_ref::<Refused>() {
            return fault.clone();
        }
        cause = found.source();
    }
    match error {
        object_store::Error::NotFound { .. } => Fault::NoSuchObject,
        object_store::Error::AlreadyExists { .. } => Fault::ObjectExists,
        _ => Fault::Provider { status: 0, code: String::new(), message: "unexpected answer".to_owned() },
    }
}
