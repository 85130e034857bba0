//! Typed faults through `object_store` and out again.
//!
//! `object_store` knows a handful of errors and flattens the rest into text. The transport therefore boxes its verdicts as
//! [`Refused`] inside an [`HttpError`], which `object_store` passes through untouched, and [`fault_of`] finds them again.

use object_store::client::{HttpError, HttpErrorKind};

use super::scrub::scrub;
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

/// Everything `object_store` can say, as our fault, scrubbed.
///
/// [`Fault::ObjectExists`] from the end of an upload in parts may also mean that an earlier attempt of ours has created the object
/// and its answer was lost: compare the creation id. If there is no object at all then, the upload is lost and has to be made anew.
pub(crate) fn fault_of(error: &object_store::Error) -> Fault {
    use object_store::Error;
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(found) = cause {
        if let Some(Refused(fault)) = found.downcast_ref::<Refused>() {
            return fault.clone();
        }
        cause = found.source();
    }
    match error {
        Error::NotFound { .. } => Fault::NoSuchObject,
        Error::AlreadyExists { .. } => Fault::ObjectExists,
        // Creates are told apart above and by `object_store`; what is left are reads of one version of an object.
        Error::Precondition { .. } | Error::NotModified { .. } => {
            Fault::Replaced { expected: "that of the opened object".to_owned(), found: "another".to_owned() }
        }
        Error::PermissionDenied { .. } => Fault::Forbidden { code: "403".to_owned() },
        Error::Unauthenticated { .. } => Fault::WrongSecret { code: "401".to_owned() },
        Error::NotSupported { .. } | Error::NotImplemented { .. } => Fault::Unsupported(scrub(&error.to_string())),
        Error::InvalidPath { .. } => Fault::Name { reason: scrub(&error.to_string()) },
        Error::UnknownConfigurationKey { .. } => Fault::Config(scrub(&error.to_string())),
        _ => Fault::Provider { status: 0, code: "unexpected answer".to_owned(), message: scrub(&error.to_string()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: text.to_owned().into() }
    }

    #[test]
    fn a_verdict_is_found_however_deep_it_lies() {
        let inner =
            object_store::Error::Generic { store: "S3", source: Box::new(Refused::into_http(Fault::NoSuchBucket)) };
        let outer = object_store::Error::NotFound { path: "k".to_owned(), source: Box::new(inner) };
        assert!(matches!(fault_of(&outer), Fault::NoSuchBucket));
    }

    #[test]
    fn the_rest_is_translated_and_scrubbed() {
        let not_found = object_store::Error::NotFound { path: "k".to_owned(), source: "x".into() };
        assert!(matches!(fault_of(&not_found), Fault::NoSuchObject));
        let text = fault_of(&generic("GET https://h/c/b?sv=1&sig=hush failed with Bearer hushhush")).to_string();
        assert!(!text.contains("hush"), "{text}");
        let exists = object_store::Error::AlreadyExists { path: "k".to_owned(), source: "x".into() };
        assert!(matches!(fault_of(&exists), Fault::ObjectExists));
        let path = object_store::path::Path::parse("a//b").map_err(object_store::Error::from).unwrap_err();
        assert!(matches!(fault_of(&path), Fault::Name { .. }));
    }
}
