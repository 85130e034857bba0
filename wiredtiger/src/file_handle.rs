//! An open object. It is read-only: what would change it is refused or, where WiredTiger asks whether it can be done at all, NULL.
//!
//! There is one handle for each open name of a file system; opening the name again counts a reference.

use std::ffi::{c_int, c_void};

use crate::abi::{self, Session};
use crate::extension::guard;
use crate::failure::Failure;
use crate::file_system::FileSystem;
use crate::live::Live;
use crate::strings;

static LIVE: Live = Live::new();

/// An open object. WiredTiger holds a pointer to its first field.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct FileHandle {
    table: abi::file_handle::FileHandle,
    name: String,
    file: plastron::FileHandle,
}

impl FileHandle {
    /// A handle of `owner`'s on `file`.
    pub(crate) fn make(owner: *mut FileSystem, name: &str, file: plastron::FileHandle) -> Result<*mut Self, Failure> {
        let c_name = strings::allocate(name);
        if c_name.is_null() {
            return Err(Failure::new(libc::ENOMEM, "no memory for a file name"));
        }
        let table = abi::file_handle::FileHandle {
            file_system: owner.cast(),
            name: c_name,
            close: Some(close),
            advise: None,
            extend: None,
            extend_nolock: None,
            lock: Some(lock),
            map: None,
            map_discard: None,
            map_preload: None,
            unmap: None,
            read: Some(read),
            size: Some(size),
            sync: None,
            sync_nowait: None,
            truncate: Some(truncate),
            write: Some(write),
        };
        Ok(LIVE.insert(Self { table, name: name.to_owned(), file }))
    }

    /// The object's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Frees a handle.
    ///
    /// # Safety
    /// `handle` must come from [`FileHandle::make`], and nobody may use it after this.
    pub(crate) unsafe fn free(handle: *mut Self) {
        // SAFETY: the caller's contract.
        drop(unsafe { LIVE.remove(handle) });
    }

    /// The handle behind WiredTiger's pointer, on calls too frequent for a look-up.
    ///
    /// # Safety
    /// The pointer must be NULL or an open handle of ours.
    unsafe fn follow<'a>(handle: *mut abi::file_handle::FileHandle) -> Result<&'a Self, Failure> {
        // SAFETY: the caller's contract.
        unsafe { handle.cast::<Self>().as_ref() }.ok_or_else(|| Failure::invalid("the file handle is NULL"))
    }

    /// Fills `buffer`: from the cache on this thread, else from the bucket.
    fn read(&self, start: u64, mut buffer: ReadBuffer) -> Result<(), Failure> {
        let length = buffer.length as u64;
        if self.file.try_copy_at(start, length, |bytes| buffer.append(bytes))? && buffer.is_full() {
            return Ok(());
        }
        let end = start.saturating_add(length);
        let bytes = self.owner().extension().wait(|| self.file.read(start..end))?;
        buffer.filled = 0;
        buffer.append(&bytes);
        if bytes.len() != buffer.length {
            return Err(Failure::new(
                libc::EIO,
                format!("{}: {} bytes came of {}", self.name, bytes.len(), buffer.length),
            ));
        }
        Ok(())
    }

    fn owner(&self) -> &FileSystem {
        // SAFETY: a file system closes its handles before it is freed.
        unsafe { &*self.table.file_system.cast::<FileSystem>() }
    }
}

/// WiredTiger's buffer for one read. It may hold nothing yet, so that there can be no slice of it: it is only ever written to.
struct ReadBuffer {
    /// Valid for writes of `length` bytes, for as long as this lives.
    start: *mut u8,
    length: usize,
    filled: usize,
}

impl ReadBuffer {
    /// Puts `bytes` behind what is there, as far as there is room.
    fn append(&mut self, bytes: &[u8]) {
        let count = bytes.len().min(self.length - self.filled);
        // SAFETY: `filled + count` is within `length`, and memory of WiredTiger's is none of ours.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(self.filled), count) };
        self.filled += count;
    }

    fn is_full(&self) -> bool {
        self.filled == self.length
    }
}

impl Drop for FileHandle {
    fn drop(&mut self) {
        // SAFETY: the name was allocated with `malloc` in `make` and belongs to the handle.
        unsafe { libc::free(self.table.name.cast()) };
    }
}

unsafe extern "C" fn close(handle: *mut abi::file_handle::FileHandle, session: *mut Session) -> c_int {
    guard(|| {
        let handle = handle.cast::<FileHandle>();
        if handle.is_null() || !LIVE.contains(handle) {
            return Err(Failure::invalid("the file handle is NULL or was closed"));
        }
        // SAFETY: alive, and WiredTiger does not close a handle twice at once without holding two references.
        let owner = unsafe { &*handle }.owner();
        Ok(owner.extension().enter(session, "fh_close", || {
            owner.close(handle);
            Ok(())
        }))
    })
}

unsafe extern "C" fn lock(handle: *mut abi::file_handle::FileHandle, _session: *mut Session, _lock: bool) -> c_int {
    guard(|| {
        // SAFETY: WiredTiger's contract. An immutable object needs no lock: it is always granted.
        unsafe { FileHandle::follow(handle) }.map(|_| 0)
    })
}

unsafe extern "C" fn read(
    handle: *mut abi::file_handle::FileHandle,
    session: *mut Session,
    offset: i64,
    length: usize,
    buffer: *mut c_void,
) -> c_int {
    guard(|| {
        // SAFETY: WiredTiger's contract.
        let handle = unsafe { FileHandle::follow(handle) }?;
        let owner = handle.owner();
        Ok(owner.extension().enter(session, "fh_read", || {
            let size = handle.file.size();
            let start = u64::try_from(offset)
                .map_err(|_| Failure::invalid(format!("{}: read at {offset}: negative offset", handle.name)))?;
            if start.checked_add(length as u64).is_none_or(|end| end > size) {
                let range = format!("{}: read of {length} bytes at {offset}", handle.name);
                return Err(Failure::invalid(format!("{range}: past the end, the object has {size} bytes")));
            }
            if length == 0 {
                return Ok(());
            }
            if buffer.is_null() {
                return Err(Failure::invalid(format!("{}: read into NULL", handle.name)));
            }
            // WiredTiger's buffer of `length` bytes is ours for the duration of the call.
            handle.read(start, ReadBuffer { start: buffer.cast(), length, filled: 0 })
        }))
    })
}

unsafe extern "C" fn size(handle: *mut abi::file_handle::FileHandle, session: *mut Session, result: *mut i64) -> c_int {
    guard(|| {
        // SAFETY: WiredTiger's contract.
        let handle = unsafe { FileHandle::follow(handle) }?;
        Ok(handle.owner().extension().enter(session, "fh_size", || {
            if result.is_null() {
                return Err(Failure::invalid(format!("{}: there is no place for the size", handle.name)));
            }
            let size =
                i64::try_from(handle.file.size()).map_err(|_| Failure::new(libc::EFBIG, "the object is too large"))?;
            // SAFETY: not NULL, WiredTiger's place for the result.
            unsafe { result.write(size) };
            Ok(())
        }))
    })
}

unsafe extern "C" fn truncate(handle: *mut abi::file_handle::FileHandle, session: *mut Session, _length: i64) -> c_int {
    // SAFETY: WiredTiger's contract.
    unsafe { immutable("fh_truncate", "truncate", handle, session) }
}

unsafe extern "C" fn write(
    handle: *mut abi::file_handle::FileHandle,
    session: *mut Session,
    _offset: i64,
    _length: usize,
    _buffer: *const c_void,
) -> c_int {
    // SAFETY: WiredTiger's contract.
    unsafe { immutable("fh_write", "write", handle, session) }
}

/// Refuses what would change an object.
///
/// # Safety
/// As [`FileHandle::follow`].
unsafe fn immutable(
    call: &'static str,
    operation: &str,
    handle: *mut abi::file_handle::FileHandle,
    session: *mut Session,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's contract.
        let handle = unsafe { FileHandle::follow(handle) }?;
        Ok(handle.owner().extension().enter(session, call, || {
            Err(Failure::new(libc::ENOTSUP, format!("{}: {operation} of file not supported", handle.name)))
        }))
    })
}
