//! A registered store: opens file systems, flushes files into them, and counts its references.
//!
//! The count starts at 1, for the registration. `add_reference` at 0 or at the highest count is `EINVAL`. At 0 everything is freed,
//! handles and file systems that were left open included, in that order.

use std::collections::BTreeSet;
use std::ffi::{c_char, c_int};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use plastron_sources::{ErrorKind, Provider};

use crate::abi::{self, Session};
use crate::extension::{Extension, below, guard};
use crate::failure::Failure;
use crate::file_system::FileSystem;
use crate::live::Live;
use crate::strings;

static LIVE: Live = Live::new();

/// How much of a file system's configuration is looked at; it may be stale memory.
const CONFIG_LIMIT: usize = 4096;

/// One registered store. WiredTiger holds a pointer to its first field.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct StorageSource {
    table: abi::storage_source::StorageSource,
    provider: Provider,
    extension: Arc<Extension>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    references: u32,
    /// Addresses of the file systems that were made here and not yet terminated.
    file_systems: BTreeSet<usize>,
}

const TABLE: abi::storage_source::StorageSource = abi::storage_source::StorageSource {
    add_reference: Some(add_reference),
    customize_file_system: Some(customize_file_system),
    flush: Some(flush),
    flush_finish: Some(flush_finish),
    terminate: Some(terminate),
};

impl StorageSource {
    /// A store with one reference.
    pub(crate) fn make(provider: Provider, extension: Arc<Extension>) -> *mut abi::storage_source::StorageSource {
        let state = Mutex::new(State { references: 1, file_systems: BTreeSet::new() });
        LIVE.insert(Self { table: TABLE, provider, extension, state }).cast()
    }

    /// Frees a store that was never registered.
    ///
    /// # Safety
    /// `source` must come from [`StorageSource::make`] and be used by nobody else.
    pub(crate) unsafe fn discard(source: *mut abi::storage_source::StorageSource) {
        // SAFETY: the caller's contract.
        drop(unsafe { LIVE.remove(source.cast::<Self>()) });
    }

    /// The store's name in configuration strings.
    pub(crate) fn provider(&self) -> Provider {
        self.provider
    }

    /// What all stores of the connection share.
    pub(crate) fn extension(&self) -> &Arc<Extension> {
        &self.extension
    }

    /// Forgets a file system that is being terminated.
    pub(crate) fn forget(&self, file_system: *mut FileSystem) {
        self.lock().file_systems.remove(&(file_system as usize));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store behind WiredTiger's pointer.
    ///
    /// # Safety
    /// The reference must not outlive the store; WiredTiger holds a reference during every call.
    unsafe fn find<'a>(source: *mut abi::storage_source::StorageSource) -> Result<&'a Self, Failure> {
        let source = source.cast::<Self>();
        if source.is_null() || !LIVE.contains(source) {
            return Err(Failure::invalid("the storage source is NULL or was terminated"));
        }
        // SAFETY: it is alive, and stays so during the call by contract.
        Ok(unsafe { &*source })
    }

    /// The file system behind WiredTiger's pointer, if it is one of this store's.
    fn file_system(&self, file_system: *mut abi::file_system::FileSystem) -> Result<&FileSystem, Failure> {
        if !self.lock().file_systems.contains(&(file_system as usize)) {
            return Err(Failure::invalid(
                "the file system is NULL, was terminated, or belongs to another storage source",
            ));
        }
        // SAFETY: it was made here and not terminated; WiredTiger does not terminate it during a call on it.
        Ok(unsafe { &*file_system.cast::<FileSystem>() })
    }

    fn flush(&self, session: *mut Session, files: &FileSystem, local: &str, object: &str) -> Result<(), Failure> {
        let path = below(self.extension.home(), local);
        if !path.try_exists().map_err(|error| read_failure(local, &error))? {
            return Err(Failure::new(
                libc::ENOENT,
                format!("{local}: No such file; it was dropped before it was flushed"),
            ));
        }
        match files.put_file(object, &path) {
            Ok(()) => {
                self.extension.debug(session, || format!("ss_flush: {local} stored as {object}"));
                Ok(())
            }
            // A flush may be repeated after its acknowledgement was lost, by us or by WiredTiger after a crash.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if !files.same_content(object, &path).map_err(|error| flush_failure(error, &path))? {
                    return Err(error.into());
                }
                self.extension.debug(session, || format!("ss_flush: {object} holds {local} already"));
                Ok(())
            }
            Err(error) => Err(flush_failure(error, &path)),
        }
    }
}

/// Why a flush failed. "Not found" is about the local file only where that is missing (it was dropped while we looked, and WiredTiger
/// takes `ENOENT` for success, rightly); about anything in the bucket it must not look like success.
fn flush_failure(error: plastron::Error, local: &Path) -> Failure {
    match error.kind() {
        ErrorKind::NotFound if matches!(local.try_exists(), Ok(false)) => Failure::new(libc::ENOENT, error.to_string()),
        ErrorKind::NotFound => Failure::new(libc::EIO, error.to_string()),
        _ => error.into(),
    }
}

fn read_failure(local: &str, error: &std::io::Error) -> Failure {
    Failure::new(error.raw_os_error().unwrap_or(libc::EIO), format!("{local}: {error}"))
}

unsafe extern "C" fn add_reference(source: *mut abi::storage_source::StorageSource) -> c_int {
    guard(|| {
        // SAFETY: WiredTiger holds a reference during the call.
        let source = unsafe { StorageSource::find(source) }?;
        let mut state = source.lock();
        state.references = match state.references {
            0 => return Err(Failure::invalid("missing reference")),
            count => count.checked_add(1).ok_or_else(|| Failure::invalid("too many references"))?,
        };
        Ok(0)
    })
}

unsafe extern "C" fn customize_file_system(
    source: *mut abi::storage_source::StorageSource,
    session: *mut Session,
    bucket: *const c_char,
    auth_token: *const c_char,
    config: *const c_char,
    result: *mut *mut abi::file_system::FileSystem,
) -> c_int {
    guard(|| {
        let raw = source;
        // SAFETY: WiredTiger holds a reference during the call.
        let source = unsafe { StorageSource::find(source) }?;
        Ok(source.extension.enter(session, "ss_customize_file_system", || {
            if result.is_null() {
                return Err(Failure::invalid("there is no place for the file system"));
            }
            // SAFETY: strings of WiredTiger's; the configuration may be stale memory, so a bounded part of it is read.
            let (bucket, auth_token, config) = unsafe {
                result.write(std::ptr::null_mut());
                (
                    strings::required(bucket, "the bucket")?,
                    strings::optional(auth_token, "the auth token")?.unwrap_or(""),
                    strings::untrusted(config, CONFIG_LIMIT),
                )
            };
            if bucket.is_empty() {
                return Err(Failure::invalid("the bucket is empty: tiered_storage=(bucket=…) names it"));
            }
            let file_system = FileSystem::open(raw.cast(), source, bucket, auth_token, &config)?;
            source.lock().file_systems.insert(file_system as usize);
            // SAFETY: not NULL, WiredTiger's place for the result.
            unsafe { result.write(file_system.cast()) };
            Ok(())
        }))
    })
}

unsafe extern "C" fn flush(
    source: *mut abi::storage_source::StorageSource,
    session: *mut Session,
    file_system: *mut abi::file_system::FileSystem,
    local: *const c_char,
    object: *const c_char,
    _config: *const c_char,
) -> c_int {
    guard(|| {
        // SAFETY: WiredTiger holds a reference during the call.
        let source = unsafe { StorageSource::find(source) }?;
        Ok(source.extension.enter(session, "ss_flush", || {
            let files = source.file_system(file_system)?;
            // SAFETY: strings of WiredTiger's.
            let (local, object) =
                unsafe { (strings::required(local, "the source")?, strings::required(object, "the object")?) };
            source.flush(session, files, local, object)
        }))
    })
}

unsafe extern "C" fn flush_finish(
    source: *mut abi::storage_source::StorageSource,
    session: *mut Session,
    file_system: *mut abi::file_system::FileSystem,
    local: *const c_char,
    object: *const c_char,
    _config: *const c_char,
) -> c_int {
    guard(|| {
        // SAFETY: WiredTiger holds a reference during the call.
        let source = unsafe { StorageSource::find(source) }?;
        Ok(source.extension.enter(session, "ss_flush_finish", || {
            let files = source.file_system(file_system)?;
            // SAFETY: strings of WiredTiger's.
            let (local, object) =
                unsafe { (strings::required(local, "the source")?, strings::required(object, "the object")?) };
            files.finish(object, &below(source.extension.home(), local));
            Ok(())
        }))
    })
}

unsafe extern "C" fn terminate(source: *mut abi::storage_source::StorageSource, session: *mut Session) -> c_int {
    guard(|| {
        let raw = source.cast::<StorageSource>();
        // SAFETY: WiredTiger holds a reference until this call.
        let source = unsafe { StorageSource::find(source) }?;
        let left_open = {
            let mut state = source.lock();
            state.references = state.references.checked_sub(1).ok_or_else(|| Failure::invalid("missing reference"))?;
            if state.references > 0 {
                return Ok(0);
            }
            std::mem::take(&mut state.file_systems)
        };
        let extension = Arc::clone(&source.extension);
        let errno = extension.enter(session, "terminate", || {
            for file_system in left_open {
                // SAFETY: the last reference is gone, so nobody else uses what it left open.
                unsafe { FileSystem::terminate_left_open(file_system as *mut FileSystem, session) };
            }
            Ok(())
        });
        // SAFETY: no reference is left, so nobody uses it after this.
        drop(unsafe { LIVE.remove(raw) });
        Ok(errno)
    })
}

/// The file system's cache directory: what `cache_directory=` says, relative to `home`, else `cache-<bucket>` in `home`.
///
/// The text is not ours: WiredTiger passes `cache_directory=…` or, where that is not set, whatever stood in memory. Anything but a
/// well-formed setting of that key is ignored.
pub(crate) fn cache_directory(home: &Path, bucket: &str, config: &str) -> std::path::PathBuf {
    let (config, _) = plastron_config::Config::parse_lenient(config);
    let named =
        config.string("cache_directory").ok().flatten().filter(|name| !name.is_empty() && !name.contains('\u{fffd}'));
    match named {
        Some(name) => below(home, &name),
        None => {
            let bucket: String =
                bucket.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
            home.join(format!("cache-{bucket}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::flags::OpenFlags;
    use crate::load_options::LoadOptions;
    use crate::messages::{Level, Messages};

    #[test]
    fn the_count_of_references_does_not_overflow() {
        // SAFETY: there is no API, so nothing is said.
        let messages = unsafe { Messages::new(std::ptr::null_mut(), Level::ERROR) };
        let (options, flags) = (LoadOptions::parse("").unwrap(), OpenFlags::of_version(11));
        let extension = Extension::start(messages, ".".into(), options, flags).unwrap();
        let source = StorageSource::make(Provider::Dir, extension);
        // SAFETY: the store is alive until it is terminated below, and nobody else uses it.
        unsafe {
            StorageSource::find(source).unwrap().lock().references = u32::MAX - 1;
            assert_eq!(add_reference(source), 0);
            assert_eq!(add_reference(source), libc::EINVAL);
            StorageSource::find(source).unwrap().lock().references = 0;
            assert_eq!(add_reference(source), libc::EINVAL);
            assert_eq!(terminate(source, std::ptr::null_mut()), libc::EINVAL);
            StorageSource::find(source).unwrap().lock().references = 1;
            assert_eq!(terminate(source, std::ptr::null_mut()), 0);
            assert_eq!(add_reference(source), libc::EINVAL);
        }
        assert_eq!(guard(|| panic!("caught")), libc::EIO);
    }

    #[test]
    fn cache_directories() {
        let home = Path::new("/home");
        for (config, directory) in [
            ("cache_directory=cache", "/home/cache"),
            ("cache_directory=/elsewhere", "/elsewhere"),
            ("prefix=p,cache_directory=\"a b\",more=1", "/home/a b"),
            ("", "/home/cache-b_eu-1"),
            ("cache_directory=", "/home/cache-b_eu-1"),
            ("((((", "/home/cache-b_eu-1"),
            ("cache_directory=\u{fffd}x", "/home/cache-b_eu-1"),
        ] {
            assert_eq!(cache_directory(home, "b;eu-1", config), Path::new(directory), "{config}");
        }
    }
}
