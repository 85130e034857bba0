//! `WT_EXTENSION_API`, 296 bytes, append-only by WiredTiger's own promise.

use std::ffi::{c_char, c_int, c_void};

use super::{Session, assert_layout};

/// `err_printf` and `msg_printf`: (api, session or NULL, format, …).
pub type Printf = unsafe extern "C" fn(*mut ExtensionApi, *mut Session, *const c_char, ...) -> c_int;

/// The functions WiredTiger offers to an extension; those we do not call are padding.
#[repr(C)]
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are WiredTiger's, documented there")]
pub struct ExtensionApi {
    pub conn: *mut c_void,
    pub err_printf: Option<Printf>,
    pub msg_printf: Option<Printf>,
    pub strerror: Option<unsafe extern "C" fn(*mut ExtensionApi, *mut Session, c_int) -> *const c_char>,
    _unused: [*mut c_void; 28],
    pub version: Option<unsafe extern "C" fn(*mut c_int, *mut c_int, *mut c_int) -> *const c_char>,
    _rest: [*mut c_void; 4],
}

assert_layout!(ExtensionApi, size 296, conn at 0, err_printf at 8, msg_printf at 16, strerror at 24, version at 256);
