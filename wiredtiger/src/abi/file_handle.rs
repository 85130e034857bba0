//! `WT_FILE_HANDLE`, 136 bytes.

use std::ffi::{c_char, c_int, c_void};

use super::file_system::FileSystem;
use super::{Session, assert_layout};

/// The fields and functions of an open file; ours stands at the head of `file_handle::FileHandle`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the fields are WiredTiger's, documented there")]
pub struct FileHandle {
    pub file_system: *mut FileSystem,
    pub name: *mut c_char,
    pub close: Option<unsafe extern "C" fn(*mut FileHandle, *mut Session) -> c_int>,
    pub advise: Option<unsafe extern "C" fn(*mut FileHandle, *mut Session, i64, i64, c_int) -> c_int>,
    pub extend: Option<unsafe extern "C" fn(*mut FileHandle, *mut Session, i64) -> c_int>,
    pub extend_nolock: Option<unsafe extern "C" fn(*mut FileHandle, *mut Session, i64) -> c_int>,
    pub lock: Option<unsafe extern "C" fn(*mut FileHandle, *mut Session, bool) -> c_int>,
    pub map: Option<
        unsafe extern "C" fn(*mut FileHandle, *mut Session, *mut *mut c_void, *mut usize, *mut *mut c_void) -> c_int,
    >,
    pub map_discard:
        Option<unsafe extern "C" fn(*mut FileHandle, *mut Session, *mut c_void, usize, *mut c_void) -> c_int>,
    pub map_preload:
        Option<unsafe extern "C" fn(*mut FileHandle, *mut Session, *const c_void, usize, *mut c_void) -> c_int>,
    pub unmap: Option<unsafe extern "C" fn(*mut FileHandle, *mut Session, *mut c_void, usize, *mut c_void) -> c_int>,
    pub read: Option<unsafe extern "C" fn(*mut FileHandle, *mut Session, i64, usize, *mut c_void) -> c_int>,
    pub size: Option<unsafe extern "C" fn(*mut FileHandle, *mut Session, *mut i64) -> c_int>,
    pub sync: Option<unsafe extern "C" fn(*mut FileHandle, *mut Session) -> c_int>,
    pub sync_nowait: Option<unsafe extern "C" fn(*mut FileHandle, *mut Session) -> c_int>,
    pub truncate: Option<unsafe extern "C" fn(*mut FileHandle, *mut Session, i64) -> c_int>,
    pub write: Option<unsafe extern "C" fn(*mut FileHandle, *mut Session, i64, usize, *const c_void) -> c_int>,
}

assert_layout!(
    FileHandle, size 136,
    file_system at 0, name at 8, close at 16, advise at 24, extend at 32, extend_nolock at 40, lock at 48, map at 56,
    map_discard at 64, map_preload at 72, unmap at 80, read at 88, size at 96, sync at 104, sync_nowait at 112,
    truncate at 120, write at 128,
);
