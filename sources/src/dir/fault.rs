//! Operating-system errors as [`Fault`]s, and faults as the errors that `object_store`'s trait returns.
//!
//! A fault travels inside the boxed `source` of an [`object_store::Error`]; `Bucket` takes it out again by walking the sources.

use std::path::Path;

use rustix::io::Errno;

use crate::error::Fault;

/// The store's name in errors of `object_store`.
pub(super) const STORE: &str = "dir_store";

/// What `errno` means for `action` (such as `creating`) on `path`. A missing object is the caller's to recognise.
pub(super) fn fault(action: &str, path: &Path, errno: Errno) -> Fault {
    let shown = path.display();
    match errno {
        Errno::ROFS => Fault::Unsupported(format!(
            "{action} {shown}: the file system is mounted read-only; open the bucket with readonly=true, or remount it"
        )),
        Errno::NAMETOOLONG => Fault::Name {
            reason: format!("{action} {shown}: the name is too long for this file system; use a shorter one"),
        },
        Errno::XDEV => Fault::Config(format!(
            "{action} {shown}: it lies on another file system than the rest of the bucket; a directory bucket must not contain mount points"
        )),
        Errno::LOOP => Fault::Config(format!(
            "{action} {shown}: it is, or lies behind, a symbolic link, and a directory bucket never follows one; put a real file or directory there"
        )),
        Errno::NOSPC | Errno::DQUOT => {
            Fault::io(format!("{action} {shown} (free some space, or move the bucket)"), errno.into())
        }
        Errno::MFILE | Errno::NFILE => {
            Fault::io(format!("{action} {shown} (raise the limit on open files, `ulimit -n`)"), errno.into())
        }
        Errno::ACCESS | Errno::PERM => Fault::io(
            format!(
                "{action} {shown} (the process needs read, write and search permission on the bucket's directories)"
            ),
            errno.into(),
        ),
        errno => Fault::io(format!("{action} {shown}"), errno.into()),
    }
}

/// The conflict that only a directory has: `name` is taken by a directory, or something on its way is a file.
pub(super) fn conflict(name: &str) -> Fault {
    Fault::Name {
        reason: format!(
            "a directory bucket cannot hold an object beside others whose names go on after it with a slash (`a` beside `a/b`), \
             and `{name}` would make such a pair; rename one of the two"
        ),
    }
}

/// `fault` of an operation on `name` (or on the bucket, with an empty name) as `object_store` classifies it.
pub(super) fn error(name: &str, fault: Fault) -> object_store::Error {
    let path = name.to_owned();
    let denied = matches!(&fault, Fault::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied);
    match fault {
        Fault::NoSuchObject => object_store::Error::NotFound { path, source: fault.into() },
        Fault::ObjectExists => object_store::Error::AlreadyExists { path, source: fault.into() },
        Fault::Unsupported(_) => object_store::Error::NotSupported { source: fault.into() },
        _ if denied => object_store::Error::PermissionDenied { path, source: fault.into() },
        fault => object_store::Error::Generic { store: STORE, source: fault.into() },
    }
}

#[cfg(test)]
mod tests {
    use plastron_config::ErrorKind;

    use super::*;
    use crate::error::Error;
    use crate::fault_of::fault_of;

    /// What comes of `errno` on the way through `object_store` to the caller.
    fn seen(errno: Errno) -> Error {
        let inside = error("a", fault("creating", Path::new("/bucket/a"), errno));
        Error::new("put", "a", fault_of(&inside))
    }

    #[test]
    fn every_errno_names_the_path_and_what_to_do() {
        for (errno, kind, words) in [
            (Errno::NOSPC, ErrorKind::Unavailable, "free some space"),
            (Errno::DQUOT, ErrorKind::Unavailable, "free some space"),
            (Errno::IO, ErrorKind::Unavailable, "creating"),
            (Errno::MFILE, ErrorKind::Unavailable, "ulimit -n"),
            (Errno::ACCESS, ErrorKind::Unauthorized, "permission on the bucket's directories"),
            (Errno::PERM, ErrorKind::Unauthorized, "permission on the bucket's directories"),
            (Errno::ROFS, ErrorKind::Unsupported, "readonly=true"),
            (Errno::NAMETOOLONG, ErrorKind::Invalid, "use a shorter one"),
            (Errno::XDEV, ErrorKind::Invalid, "mount points"),
            (Errno::LOOP, ErrorKind::Invalid, "symbolic link"),
        ] {
            let error = seen(errno);
            let text = error.to_string();
            assert_eq!(error.kind(), kind, "{text}");
            assert!(text.contains("/bucket/a") && text.contains(words), "{text}");
        }
    }

    #[test]
    fn faults_of_objects_keep_the_kinds_of_object_store() {
        assert!(matches!(error("a", Fault::NoSuchObject), object_store::Error::NotFound { path, .. } if path == "a"));
        assert!(matches!(error("a", Fault::ObjectExists), object_store::Error::AlreadyExists { .. }));
        assert!(matches!(error("a", conflict("a")), object_store::Error::Generic { .. }));
        assert!(matches!(fault_of(&error("", Fault::NoSuchBucket)), Fault::NoSuchBucket));
    }
}
