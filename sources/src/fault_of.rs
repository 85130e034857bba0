//! What an error of `object_store` means.
//!
//! The transport and the directory store give their verdicts as a [`Fault`] that travels inside the error as a boxed source;
//! here it is taken out again. What is left, errors that `object_store` or a store made by themselves, is mapped by kind and
//! its text scrubbed. Called by everything that calls an `ObjectStore`.

use std::error::Error;

use crate::error::Fault;
use crate::scrub::scrub;

/// Longest chain of sources walked: a chain is a handful of errors, unless it is a loop.
const MAX_DEPTH: usize = 32;

/// The fault behind `error`.
pub(crate) fn fault_of(error: &object_store::Error) -> Fault {
    chain(error).find_map(boxed_fault).or_else(|| chain(error).find_map(io_fault)).unwrap_or_else(|| by_kind(error))
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (**error).source()).take(MAX_DEPTH)
}

fn boxed_fault(error: &(dyn Error + 'static)) -> Option<Fault> {
    #[cfg(feature = "http")]
    if let Some(crate::transport::Refused(fault)) = error.downcast_ref() {
        return Some(fault.clone());
    }
    error.downcast_ref::<Fault>().cloned()
}

/// An error of the operating system, which only a local store can have. One that says "not found" or "exists" is left to
/// `object_store`'s own kind: it may be about something other than the object.
fn io_fault(error: &(dyn Error + 'static)) -> Option<Fault> {
    let error = error.downcast_ref::<std::io::Error>()?;
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::AlreadyExists => None,
        kind => {
            let copy = match error.raw_os_error() {
                Some(code) => std::io::Error::from_raw_os_error(code),
                None => std::io::Error::new(kind, scrub(&error.to_string())),
            };
            Some(Fault::io("local file system", copy))
        }
    }
}

fn by_kind(error: &object_store::Error) -> Fault {
    use object_store::Error as E;
    match error {
        E::NotFound { .. } => Fault::NoSuchObject,
        E::AlreadyExists { .. } => Fault::ObjectExists,
        E::Precondition { .. } => Fault::Replaced { expected: String::new(), found: String::new() },
        E::PermissionDenied { .. } => Fault::Forbidden { code: "PermissionDenied".to_owned() },
        E::Unauthenticated { .. } => Fault::NoCredentials {
            reason: "the provider asks for authentication; set auth_token or a credential chain".to_owned(),
        },
        E::InvalidPath { source } => Fault::Name { reason: scrub(&source.to_string()) },
        E::NotSupported { source } => Fault::Unsupported(scrub(&source.to_string())),
        E::NotImplemented { operation, implementer } => {
            Fault::Unsupported(format!("{implementer} does not offer {operation}"))
        }
        E::UnknownConfigurationKey { key, .. } => Fault::Config(format!("unknown setting {key}")),
        other => Fault::Provider { status: 0, code: String::new(), message: scrub(&deepest(other)) },
    }
}

/// The text of the innermost error, which says most and repeats least.
fn deepest(error: &object_store::Error) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io;

    use plastron_config::ErrorKind;

    use super::*;

    fn generic(source: impl Into<Box<dyn Error + Send + Sync>>) -> object_store::Error {
        object_store::Error::Generic { store: "test", source: source.into() }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("wrapped")]
    struct Wrapped(#[source] Box<dyn Error + Send + Sync>);

    #[test]
    fn a_boxed_fault_is_found_at_any_depth() {
        let error = generic(Wrapped(Box::new(Wrapped(Fault::NoSuchBucket.into()))));
        assert!(matches!(fault_of(&error), Fault::NoSuchBucket));
    }

    #[cfg(feature = "http")]
    #[test]
    fn a_verdict_of_the_transport_is_found() {
        let error =
            generic(Wrapped(Box::new(crate::transport::Refused(Fault::Expired { code: "ExpiredToken".into() }))));
        assert!(matches!(fault_of(&error), Fault::Expired { .. }));
    }

    #[test]
    fn an_error_of_the_operating_system_keeps_its_code() {
        let error = generic(Wrapped(Box::new(io::Error::from_raw_os_error(28))));
        match fault_of(&error) {
            Fault::Io { source, .. } => assert_eq!(source.raw_os_error(), Some(28)),
            other => panic!("{other:?}"),
        }
        let error = generic(io::Error::new(io::ErrorKind::TimedOut, "sig=PLANTED"));
        assert!(!format!("{:?}", fault_of(&error)).contains("PLANTED"));
        // "Not found" of some file is not "no such object".
        let error = generic(io::Error::from(io::ErrorKind::NotFound));
        assert!(matches!(fault_of(&error), Fault::Provider { .. }));
    }

    #[test]
    fn the_rest_is_mapped_by_kind_and_scrubbed() {
        let path = || "secret=PLANTED".to_owned();
        let source = || -> Box<dyn Error + Send + Sync> { "at https://h/?sig=PLANTED".into() };
        for (error, kind) in [
            (object_store::Error::NotFound { path: path(), source: source() }, ErrorKind::NotFound),
            (object_store::Error::AlreadyExists { path: path(), source: source() }, ErrorKind::AlreadyExists),
            (object_store::Error::Precondition { path: path(), source: source() }, ErrorKind::Conflict),
            (object_store::Error::PermissionDenied { path: path(), source: source() }, ErrorKind::Unauthorized),
            (object_store::Error::Unauthenticated { path: path(), source: source() }, ErrorKind::Unauthorized),
            (object_store::Error::NotSupported { source: source() }, ErrorKind::Unsupported),
            (generic(source()), ErrorKind::Invalid),
        ] {
            let fault = fault_of(&error);
            let error = crate::Error::new("get", "x", fault);
            assert_eq!(error.kind(), kind);
            assert!(!format!("{error:?}").contains("PLANTED"));
        }
    }
}
