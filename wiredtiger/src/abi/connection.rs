//! `WT_CONNECTION`, as far as an extension calls it.
//!
//! | slot | 11.3.1 | 12.0 |
//! | --- | --- | --- |
//! | `get_home` | 24 | 24 |
//! | `add_storage_source` | 144 | 144 |
//! | `get_storage_source` | 152 | 160 |
//! | `get_extension_api` | 160 | 168 |
//!
//! In 11.3.1 the structure ends at 168, and what follows is private data of the connection: pointers to the heap. So when the
//! word at 168 points into the same shared object as the word at 0, which is a function of WiredTiger's, it is a function, and this is 12.0.

use std::ffi::{c_char, c_int, c_void};

use super::ConfigArg;
use super::extension_api::ExtensionApi;
use super::storage_source::StorageSource;

const GET_HOME: usize = 24;
const ADD_STORAGE_SOURCE: usize = 144;
const GET_EXTENSION_API_11: usize = 160;
const GET_EXTENSION_API_12: usize = 168;

/// `WT_CONNECTION`: a table of functions, read slot by slot.
#[repr(C)]
#[derive(Debug)]
pub struct Connection {
    _opaque: [u8; 0],
}

/// A connection in the middle of loading us.
#[derive(Debug, Clone, Copy)]
pub struct LoadingConnection(*mut Connection);

type GetHome = unsafe extern "C" fn(*mut Connection) -> *const c_char;
type AddStorageSource =
    unsafe extern "C" fn(*mut Connection, *const c_char, *mut StorageSource, *const c_char) -> c_int;
type GetExtensionApi = unsafe extern "C" fn(*mut Connection) -> *mut ExtensionApi;

impl LoadingConnection {
    /// Takes the connection that WiredTiger passed to `wiredtiger_extension_init`; `None` if it is NULL.
    ///
    /// # Safety
    /// `connection` must be NULL or a `WT_CONNECTION` of WiredTiger 11.3 or 12.0, alive while this value is used.
    pub unsafe fn new(connection: *mut Connection) -> Option<Self> {
        (!connection.is_null()).then_some(Self(connection))
    }

    fn slot(self, offset: usize) -> *const c_void {
        // SAFETY: by the contract of `new` the structure has readable, aligned words at least up to 168 + 8: the public table in
        // 12.0, the table and the connection's private fields behind it in 11.3.1.
        unsafe { self.0.byte_add(offset).cast::<*const c_void>().read() }
    }

    /// The database's home directory.
    pub fn home(self) -> *const c_char {
        let function = self.slot(GET_HOME);
        if function.is_null() {
            return std::ptr::null();
        }
        // SAFETY: slot 24 holds `get_home` in both layouts, and it is not NULL.
        unsafe { std::mem::transmute::<*const c_void, GetHome>(function)(self.0) }
    }

    /// Registers `source` under `name`.
    ///
    /// # Safety
    /// `source` must stay alive until its `terminate` drops the last reference.
    pub unsafe fn add_storage_source(self, name: &std::ffi::CStr, source: *mut StorageSource) -> c_int {
        let function = self.slot(ADD_STORAGE_SOURCE);
        if function.is_null() {
            return libc::ENOTSUP;
        }
        // SAFETY: slot 144 holds `add_storage_source` in both layouts; the name is copied by WiredTiger, a NULL config is allowed.
        unsafe {
            std::mem::transmute::<*const c_void, AddStorageSource>(function)(
                self.0,
                name.as_ptr(),
                source,
                std::ptr::null(),
            )
        }
    }

    /// The extension API, from wherever this version keeps it.
    pub fn extension_api(self) -> *mut ExtensionApi {
        let offset = if same_object(self.slot(0), self.slot(GET_EXTENSION_API_12)) {
            GET_EXTENSION_API_12
        } else {
            GET_EXTENSION_API_11
        };
        let function = self.slot(offset);
        if function.is_null() {
            return std::ptr::null_mut();
        }
        // SAFETY: the slot holds `get_extension_api` in the layout that was just told apart.
        unsafe { std::mem::transmute::<*const c_void, GetExtensionApi>(function)(self.0) }
    }
}

/// Whether two addresses lie in the same shared object.
fn same_object(one: *const c_void, other: *const c_void) -> bool {
    fn base(address: *const c_void) -> Option<*mut c_void> {
        // SAFETY: `Dl_info` is plain data, valid when zeroed.
        let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
        // SAFETY: `dladdr` only compares the address with the maps of loaded objects; it does not read through it.
        let found = unsafe { libc::dladdr(address, &raw mut info) };
        (found != 0 && !info.dli_fbase.is_null()).then_some(info.dli_fbase)
    }
    matches!((base(one), base(other)), (Some(a), Some(b)) if a == b)
}

/// The first string of a `WT_CONFIG_ARG`: for an extension, what stood in `config=(…)` when it was loaded.
///
/// # Safety
/// `config` must be NULL or a NULL-terminated array of NUL-terminated strings.
pub unsafe fn first_string(config: ConfigArg) -> *const c_char {
    if config.is_null() {
        return std::ptr::null();
    }
    // SAFETY: by contract the array has at least its terminating NULL.
    unsafe { config.read() }
}
