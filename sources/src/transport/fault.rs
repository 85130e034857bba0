//! Typed faults on their way through `object_store`.
//!
//! `object_store` knows a handful of errors and flattens the rest into text. The transport therefore boxes its verdicts as
//! [`Refused`] inside an [`HttpError`], which `object_store` passes through untouched, and `crate::fault_of` finds them again.
//!
//! [`Fault::ObjectExists`] from the end of an upload in parts may also mean that an earlier attempt of ours has created the object
//! and its answer was lost: compare the creation id. If there is no object at all then, the upload is lost and has to be made anew.

use object_store::client::{HttpError, HttpErrorKind};

use crate::error::Fault;

/// A final verdict of the transport, on its way through `object_store`. A credential provider may box one as well.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) Fault);

impl Refused {
    /// `fault` as an error that `object_store` passes on without retrying.
    pub(crate) fn into_http(fault: Fault) -> HttpError {
        HttpError::new(HttpErrorKind::Unknown, Self(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::fault_of::fault_of;

    #[test]
    fn a_verdict_is_found_however_deep_it_lies() {
        let inner =
            object_store::Error::Generic { store: "S3", source: Box::new(Refused::into_http(Fault::NoSuchBucket)) };
        let outer = object_store::Error::NotFound { path: "k".to_owned(), source: Box::new(inner) };
        assert!(matches!(fault_of(&outer), Fault::NoSuchBucket));
    }
}
