//! `WT_FILE_SYSTEM`, 72 bytes.

use std::ffi::{c_char, c_int};

use super::file_handle::FileHandle;
use super::{Session, assert_layout};

/// The table of functions a file system offers; ours stands at the head of `file_system::FileSystem`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the fields are WiredTiger's, documented there")]
pub struct FileSystem {
    pub directory_list: Option<List>,
    pub directory_list_single: Option<List>,
    pub directory_list_free:
        Option<unsafe extern "C" fn(*mut FileSystem, *mut Session, *mut *mut c_char, u32) -> c_int>,
    pub exist: Option<unsafe extern "C" fn(*mut FileSystem, *mut Session, *const c_char, *mut bool) -> c_int>,
    pub open_file: Option<
        unsafe extern "C" fn(
            *mut FileSystem,
            *mut Session,
            name: *const c_char,
            file_type: c_int,
            flags: u32,
            *mut *mut FileHandle,
        ) -> c_int,
    >,
    pub remove: Option<unsafe extern "C" fn(*mut FileSystem, *mut Session, *const c_char, flags: u32) -> c_int>,
    pub rename:
        Option<unsafe extern "C" fn(*mut FileSystem, *mut Session, *const c_char, *const c_char, flags: u32) -> c_int>,
    pub size: Option<unsafe extern "C" fn(*mut FileSystem, *mut Session, *const c_char, *mut i64) -> c_int>,
    pub terminate: Option<unsafe extern "C" fn(*mut FileSystem, *mut Session) -> c_int>,
}

/// `fs_directory_list` and `fs_directory_list_single`: (file system, session, directory, prefix, names, count).
pub type List = unsafe extern "C" fn(
    *mut FileSystem,
    *mut Session,
    *const c_char,
    *const c_char,
    *mut *mut *mut c_char,
    *mut u32,
) -> c_int;

assert_layout!(
    FileSystem, size 72,
    directory_list at 0, directory_list_single at 8, directory_list_free at 16, exist at 24, open_file at 32, remove at 40,
    rename at 48, size at 56, terminate at 64,
);
