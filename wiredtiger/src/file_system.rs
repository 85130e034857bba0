//! A bucket as a WiredTiger file system: write-once-read-many, one connection to one bucket.
//!
//! Names are flat, with WiredTiger's `bucket_prefix` already in front. Opening costs at most one request, and none when the name is
//! open already: WiredTiger opens, sizes and reads first blocks under a connection-wide lock.

use std::collections::HashMap;
use std::ffi::{c_char, c_int};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::TryStreamExt;
use plastron_sources::{ErrorKind, ObjectInfo};

use crate::abi::flags::{TYPE_DATA, TYPE_REGULAR};
use crate::abi::{self, Session};
use crate::bucket;
use crate::extension::{Extension, guard};
use crate::failure::Failure;
use crate::file_handle::FileHandle;
use crate::live::Live;
use crate::storage_source::StorageSource;
use crate::strings;

static LIVE: Live = Live::new();

/// A bucket, opened. WiredTiger holds a pointer to its first field.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct FileSystem {
    table: abi::file_system::FileSystem,
    owner: *mut StorageSource,
    extension: Arc<Extension>,
    files: plastron::FileSystem,
    /// The open handles by name, with their references.
    handles: Mutex<HashMap<String, Open>>,
    /// What was flushed and is to enter the cache.
    flushed: Mutex<HashMap<String, ObjectInfo>>,
}

/// Objects between their flush and its finish that are remembered at the most.
const MAX_FLUSHED: usize = 1024;

#[derive(Debug)]
struct Open {
    handle: *mut FileHandle,
    references: u32,
}

const TABLE: abi::file_system::FileSystem = abi::file_system::FileSystem {
    directory_list: Some(directory_list),
    directory_list_single: Some(directory_list_single),
    directory_list_free: Some(directory_list_free),
    exist: Some(exist),
    open_file: Some(open_file),
    remove: Some(remove),
    rename: Some(rename),
    size: Some(size),
    terminate: Some(terminate),
};

impl FileSystem {
    /// Opens `bucket` for `source`.
    pub(crate) fn open(
        owner: *mut StorageSource,
        source: &StorageSource,
        bucket: &str,
        auth_token: &str,
        config: &str,
    ) -> Result<*mut Self, Failure> {
        let extension = Arc::clone(source.extension());
        let files = extension.block_on(bucket::open(&extension, source.provider(), bucket, auth_token, config))?;
        Ok(LIVE.insert(Self {
            table: TABLE,
            owner,
            extension,
            files,
            handles: Mutex::default(),
            flushed: Mutex::default(),
        }))
    }

    /// What all file systems of the connection share.
    pub(crate) fn extension(&self) -> &Arc<Extension> {
        &self.extension
    }

    /// Stores the file at `path` as `object`. It enters the cache with [`FileSystem::finish`].
    pub(crate) fn put_file(&self, object: &str, path: &Path) -> Result<(), plastron::Error> {
        let bucket = self.files.bucket();
        let info = self.extension.wait(|| async { Ok(Box::pin(bucket.put_file(object, path)).await?) })?;
        let mut flushed = self.flushed();
        if flushed.len() >= MAX_FLUSHED {
            // Tables that were dropped between the two calls; what is forgotten enters the cache when it is read.
            flushed.clear();
        }
        flushed.insert(object.to_owned(), info);
        Ok(())
    }

    /// Puts the file at `path`, which was stored as `object`, into the cache. WiredTiger panics if this fails, so it can't.
    pub(crate) fn finish(&self, object: &str, path: &Path) {
        let flushed = self.flushed().remove(object);
        if let Some(info) = flushed {
            self.extension.block_on(self.files.admit_file(&info, path));
        }
    }

    fn flushed(&self) -> MutexGuard<'_, HashMap<String, ObjectInfo>> {
        self.flushed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the object holds exactly the bytes of the file at `path`.
    pub(crate) fn same_content(&self, object: &str, path: &Path) -> Result<bool, plastron::Error> {
        self.extension.wait(|| Box::pin(bucket::same_content(&self.files, object, path)))
    }

    /// Drops one reference to `handle`, and frees it with the last one.
    pub(crate) fn close(&self, handle: *mut FileHandle) {
        let mut handles = self.lock();
        // SAFETY: the caller looked it up, and it is freed only below, under this lock.
        let name = unsafe { &*handle }.name().to_owned();
        let Some(open) = handles.get_mut(&name).filter(|open| open.handle == handle) else { return };
        open.references = open.references.saturating_sub(1);
        if open.references == 0 {
            handles.remove(&name);
            // SAFETY: the last reference is gone, and nobody can find it any more.
            unsafe { FileHandle::free(handle) };
        }
    }

    /// Frees a file system that its store found open when its last reference went.
    ///
    /// # Safety
    /// `file_system` must be alive and used by nobody else.
    pub(crate) unsafe fn terminate_left_open(file_system: *mut Self, session: *mut Session) {
        // SAFETY: the caller's contract.
        if let Some(file_system) = unsafe { LIVE.remove(file_system) } {
            file_system.shut(session);
        }
    }

    /// Closes what is open and says what was done.
    fn shut(&self, session: *mut Session) {
        for (_, open) in self.lock().drain() {
            // SAFETY: the file system is going away, and WiredTiger uses none of its handles after that.
            unsafe { FileHandle::free(open.handle) };
        }
        self.extension.block_on(self.files.close());
        if let Some(cache) = self.files.cache() {
            self.extension.block_on(cache.flush());
        }
        self.extension.debug(session, || bucket::statistics(&self.files));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file system behind WiredTiger's pointer.
    ///
    /// # Safety
    /// The reference must not outlive the file system; WiredTiger does not terminate it during a call on it.
    unsafe fn find<'a>(file_system: *mut abi::file_system::FileSystem) -> Result<&'a Self, Failure> {
        let file_system = file_system.cast::<Self>();
        if file_system.is_null() || !LIVE.contains(file_system) {
            return Err(Failure::invalid("the file system is NULL or was terminated"));
        }
        // SAFETY: it is alive, and stays so during the call by contract.
        Ok(unsafe { &*file_system })
    }

    /// The name without WiredTiger's `./` in front.
    fn plain(name: &str) -> &str {
        let mut name = name;
        while let Some(rest) = name.strip_prefix("./") {
            name = rest.trim_start_matches('/');
        }
        name
    }

    fn open_handle(&self, this: *mut Self, name: &str) -> Result<*mut FileHandle, Failure> {
        if let Some(open) = self.lock().get_mut(name) {
            open.references += 1;
            return Ok(open.handle);
        }
        // The request is made without the lock: another thread may open the same name meanwhile, and then its handle is used.
        let file = self.extension.wait(|| self.files.open_file(name)).map_err(|error| missing(name, error))?;
        let mut handles = self.lock();
        if let Some(open) = handles.get_mut(name) {
            open.references += 1;
            return Ok(open.handle);
        }
        let handle = FileHandle::make(this, name, file)?;
        handles.insert(name.to_owned(), Open { handle, references: 1 });
        Ok(handle)
    }

    fn list(&self, directory: &str, prefix: &str, limit: usize) -> Result<Vec<String>, Failure> {
        let directory = Self::plain(directory);
        let strip = match directory {
            "" | "." => String::new(),
            directory if directory.ends_with('/') => directory.to_owned(),
            directory => format!("{directory}/"),
        };
        let complete = format!("{strip}{prefix}");
        let names = self.extension.wait(|| async {
            let mut entries = self.files.list(&complete);
            let mut names = Vec::new();
            while names.len() < limit
                && let Some(entry) = entries.try_next().await?
            {
                names.push(entry.name.strip_prefix(&strip).unwrap_or(&entry.name).to_owned());
            }
            Ok::<_, plastron::Error>(names)
        })?;
        Ok(names)
    }
}

/// A missing object in WiredTiger's words; anything else as it is.
fn missing(name: &str, error: plastron::Error) -> Failure {
    match error.kind() {
        ErrorKind::NotFound => Failure::new(libc::ENOENT, format!("{name}: No such file or object")),
        _ => error.into(),
    }
}

/// The body of both listing functions.
unsafe fn list(
    call: &'static str,
    limit: usize,
    file_system: *mut abi::file_system::FileSystem,
    session: *mut Session,
    (directory, prefix): (*const c_char, *const c_char),
    (result, count): (*mut *mut *mut c_char, *mut u32),
) -> c_int {
    guard(|| {
        // SAFETY: WiredTiger's contract.
        let file_system = unsafe { FileSystem::find(file_system) }?;
        Ok(file_system.extension.enter(session, call, || {
            if result.is_null() || count.is_null() {
                return Err(Failure::invalid("there is no place for the names or for their number"));
            }
            // SAFETY: strings and places of WiredTiger's, not NULL where they are written.
            let (directory, prefix) = unsafe {
                result.write(std::ptr::null_mut());
                count.write(0);
                (strings::optional(directory, "the directory")?, strings::optional(prefix, "the prefix")?)
            };
            let names = file_system.list(directory.unwrap_or(""), prefix.unwrap_or(""), limit)?;
            let length =
                u32::try_from(names.len()).map_err(|_| Failure::new(libc::EOVERFLOW, "more than 2^32 names"))?;
            let names = strings::allocate_list(&names)?;
            // SAFETY: not NULL, WiredTiger's places for the results.
            unsafe {
                result.write(names);
                count.write(length);
            }
            Ok(())
        }))
    })
}

unsafe extern "C" fn directory_list(
    file_system: *mut abi::file_system::FileSystem,
    session: *mut Session,
    directory: *const c_char,
    prefix: *const c_char,
    result: *mut *mut *mut c_char,
    count: *mut u32,
) -> c_int {
    // SAFETY: WiredTiger's arguments, passed on.
    unsafe { list("fs_directory_list", usize::MAX, file_system, session, (directory, prefix), (result, count)) }
}

unsafe extern "C" fn directory_list_single(
    file_system: *mut abi::file_system::FileSystem,
    session: *mut Session,
    directory: *const c_char,
    prefix: *const c_char,
    result: *mut *mut *mut c_char,
    count: *mut u32,
) -> c_int {
    // SAFETY: WiredTiger's arguments, passed on.
    unsafe { list("fs_directory_list_single", 1, file_system, session, (directory, prefix), (result, count)) }
}

unsafe extern "C" fn directory_list_free(
    _file_system: *mut abi::file_system::FileSystem,
    _session: *mut Session,
    names: *mut *mut c_char,
    count: u32,
) -> c_int {
    guard(|| {
        // SAFETY: WiredTiger gives back what `directory_list` allocated, with its count.
        unsafe { strings::free_list(names, count as usize) };
        Ok(0)
    })
}

/// The body of a call about one name.
///
/// # Safety
/// The arguments must be WiredTiger's.
unsafe fn named(
    call: &'static str,
    file_system: *mut abi::file_system::FileSystem,
    session: *mut Session,
    name: *const c_char,
    body: impl FnOnce(&FileSystem, &str) -> Result<(), Failure>,
) -> c_int {
    guard(|| {
        // SAFETY: WiredTiger's contract.
        let file_system = unsafe { FileSystem::find(file_system) }?;
        Ok(file_system.extension.enter(session, call, || {
            // SAFETY: a string of WiredTiger's.
            body(file_system, unsafe { strings::required(name, "the name") }?)
        }))
    })
}

unsafe extern "C" fn exist(
    file_system: *mut abi::file_system::FileSystem,
    session: *mut Session,
    name: *const c_char,
    result: *mut bool,
) -> c_int {
    let body = |file_system: &FileSystem, name: &str| {
        if result.is_null() {
            return Err(Failure::invalid(format!("{name}: there is no place for the answer")));
        }
        let exists = file_system.extension.wait(|| file_system.files.exists(FileSystem::plain(name)))?;
        // SAFETY: not NULL, WiredTiger's place for the result.
        unsafe { result.write(exists) };
        Ok(())
    };
    // SAFETY: WiredTiger's arguments, passed on.
    unsafe { named("fs_exist", file_system, session, name, body) }
}

unsafe extern "C" fn open_file(
    file_system: *mut abi::file_system::FileSystem,
    session: *mut Session,
    name: *const c_char,
    file_type: c_int,
    flags: u32,
    result: *mut *mut abi::file_handle::FileHandle,
) -> c_int {
    let raw = file_system.cast::<FileSystem>();
    let body = |file_system: &FileSystem, name: &str| {
        if result.is_null() {
            return Err(Failure::invalid(format!("{name}: there is no place for the handle")));
        }
        // SAFETY: not NULL, WiredTiger's place for the result.
        unsafe { result.write(std::ptr::null_mut()) };
        let known = file_system.extension.flags();
        if flags & known.readonly == 0 || flags & known.create != 0 {
            return Err(Failure::invalid(format!("{name}: objects are opened read-only (flags {flags:#x})")));
        }
        if file_type != TYPE_DATA && file_type != TYPE_REGULAR {
            return Err(Failure::invalid(format!(
                "{name}: only data and regular files are kept in a bucket (type {file_type})"
            )));
        }
        let handle = file_system.open_handle(raw, FileSystem::plain(name))?;
        // SAFETY: as above.
        unsafe { result.write(handle.cast()) };
        Ok(())
    };
    // SAFETY: WiredTiger's arguments, passed on.
    unsafe { named("fs_open_file", file_system, session, name, body) }
}

unsafe extern "C" fn remove(
    file_system: *mut abi::file_system::FileSystem,
    session: *mut Session,
    name: *const c_char,
    _flags: u32,
) -> c_int {
    let body = |file_system: &FileSystem, name: &str| {
        if file_system.extension.options().worm_strict {
            return Err(Failure::new(
                libc::ENOTSUP,
                format!("{name}: remove of file not supported (worm_strict=true)"),
            ));
        }
        let name = FileSystem::plain(name);
        let mut rounds = 0;
        let removed = file_system.extension.wait(|| {
            rounds += 1;
            file_system.files.remove(name)
        });
        match removed {
            // An earlier round may have removed it and not heard so.
            Err(error) if rounds > 1 && error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|error| missing(name, error)),
        }
    };
    // SAFETY: WiredTiger's arguments, passed on.
    unsafe { named("fs_remove", file_system, session, name, body) }
}

unsafe extern "C" fn rename(
    file_system: *mut abi::file_system::FileSystem,
    session: *mut Session,
    from: *const c_char,
    to: *const c_char,
    _flags: u32,
) -> c_int {
    let body = |_: &FileSystem, from: &str| {
        // SAFETY: a string of WiredTiger's.
        unsafe { strings::required(to, "the new name") }?;
        Err(Failure::new(libc::ENOTSUP, format!("{from}: rename of file not supported")))
    };
    // SAFETY: WiredTiger's arguments, passed on.
    unsafe { named("fs_rename", file_system, session, from, body) }
}

unsafe extern "C" fn size(
    file_system: *mut abi::file_system::FileSystem,
    session: *mut Session,
    name: *const c_char,
    result: *mut i64,
) -> c_int {
    let body = |file_system: &FileSystem, name: &str| {
        if result.is_null() {
            return Err(Failure::invalid(format!("{name}: there is no place for the size")));
        }
        let plain = FileSystem::plain(name);
        let size =
            file_system.extension.wait(|| file_system.files.size(plain)).map_err(|error| missing(plain, error))?;
        let size =
            i64::try_from(size).map_err(|_| Failure::new(libc::EFBIG, format!("{name}: the object is too large")))?;
        // SAFETY: not NULL, WiredTiger's place for the result.
        unsafe { result.write(size) };
        Ok(())
    };
    // SAFETY: WiredTiger's arguments, passed on.
    unsafe { named("fs_size", file_system, session, name, body) }
}

unsafe extern "C" fn terminate(file_system: *mut abi::file_system::FileSystem, session: *mut Session) -> c_int {
    guard(|| {
        let raw = file_system.cast::<FileSystem>();
        // SAFETY: WiredTiger's contract.
        let found = unsafe { FileSystem::find(file_system) }?;
        let extension = Arc::clone(&found.extension);
        let owner = found.owner;
        Ok(extension.enter(session, "fs_terminate", || {
            // SAFETY: the storage source outlives its file systems: WiredTiger terminates it after them, and terminating it frees those left open.
            unsafe { &*owner }.forget(raw);
            // SAFETY: WiredTiger uses it no more after this call.
            if let Some(file_system) = unsafe { LIVE.remove(raw) } {
                file_system.shut(session);
            }
            Ok(())
        }))
    })
}
