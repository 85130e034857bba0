//! `WT_STORAGE_SOURCE`, 40 bytes.

use std::ffi::{c_char, c_int};

use super::file_system::FileSystem;
use super::{Session, assert_layout};

/// The table of functions a storage source offers; ours stands at the head of `storage_source::StorageSource`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the fields are WiredTiger's, documented there")]
pub struct StorageSource {
    pub add_reference: Option<unsafe extern "C" fn(*mut StorageSource) -> c_int>,
    pub customize_file_system: Option<
        unsafe extern "C" fn(
            *mut StorageSource,
            *mut Session,
            bucket: *const c_char,
            auth_token: *const c_char,
            config: *const c_char,
            *mut *mut FileSystem,
        ) -> c_int,
    >,
    pub flush: Option<Flush>,
    pub flush_finish: Option<Flush>,
    pub terminate: Option<unsafe extern "C" fn(*mut StorageSource, *mut Session) -> c_int>,
}

/// `ss_flush` and `ss_flush_finish`: (source, session, file system, local name, object name, config).
pub type Flush = unsafe extern "C" fn(
    *mut StorageSource,
    *mut Session,
    *mut FileSystem,
    *const c_char,
    *const c_char,
    *const c_char,
) -> c_int;

assert_layout!(StorageSource, size 40, add_reference at 0, customize_file_system at 8, flush at 16, flush_finish at 24, terminate at 32);
