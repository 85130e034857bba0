//! The C interface. **What stands here is written to `include/plastron_key_management.h`, comments and all**; after a change run
//! `PLASTRON_UPDATE_HEADER=1 cargo test -p plastron-keys --test plugin header`.
//!
//! It is the interface of WiredTiger's design (`WT_KEY_MANAGEMENT`: load arguments, get arguments, three callbacks), with what it leaves open filled
//! in: results, an end, a version, the failure of a write, and the wrapping of data keys.

use std::ffi::{c_char, c_int, c_void};

/// The version of the interface that this header describes.
pub const PLASTRON_KEY_MANAGEMENT_VERSION: u32 = 1;

/// Arguments of load_key_blob. Set by Plastron, not changed by the module.
#[repr(C)]
#[derive(Debug)]
pub struct KeyLoadArgs {
    /// The blob of the checkpoint that is being loaded. Valid during the call only.
    pub blob_data: *const c_void,
    /// Its bytes: 1 to 16 MiB.
    pub blob_size: usize,
}

/// Arguments of get_key_blob and get_key_complete, which gets the same structure again. All zero before get_key_blob.
#[repr(C)]
#[derive(Debug)]
pub struct KeyGetArgs {
    /// Set by the module in get_key_blob if has_changes is true: the blob, already wrapped. It is the module's, which keeps it until
    /// get_key_complete returns and may free it then.
    pub blob_data: *mut c_void,
    /// Set by the module with blob_data: 1 to 16 MiB.
    pub blob_size: usize,
    /// Set by the module in get_key_blob, a boolean: whether the blob has changed since it was last loaded or completed. If 0, nothing is
    /// written and get_key_complete is not called.
    pub has_changes: u8,
    /// Set by Plastron for get_key_complete: the LSN of the page that holds the blob, or 0 if it could not be written.
    pub returned_lsn: u64,
    /// Set by Plastron for get_key_complete: 0, or an errno value if the blob could not be written. The keys that were in force before still are then.
    pub error: c_int,
}

/// Arguments of wrap_data_key and unwrap_data_key.
#[repr(C)]
#[derive(Debug)]
pub struct DataKeyArgs {
    /// What the data key belongs to. Bind the wrapped key to these bytes as associated data, so that it unwraps with the same bytes only.
    pub binding: *const u8,
    /// Bytes of the binding; 33 in this version.
    pub binding_size: usize,
    /// wrap_data_key: the data key, 32 bytes. unwrap_data_key: what wrap_data_key gave.
    pub input: *const u8,
    /// Bytes of the input.
    pub input_size: usize,
    /// Where the result goes. wrap_data_key: the wrapped key, in any form that names its own KEK. unwrap_data_key: the data key.
    pub output: *mut u8,
    /// Bytes that fit: 8192 for wrap_data_key, 32 for unwrap_data_key.
    pub output_capacity: usize,
    /// Set by the module: bytes of the result, at least 1; for unwrap_data_key 32.
    pub output_size: usize,
}

/// A key-management module: callbacks that Plastron makes.
///
/// Every callback returns 0, or what went wrong: EACCES or EPERM for a key that is wrong, missing or not permitted, EBADMSG for bytes that
/// were damaged, ENOTSUP for a format that is too new, EINVAL for a call that is not allowed now, ENOMEM, or any other value, which counts as
/// a failure that may pass.
///
/// load_key_blob, get_key_blob, get_key_complete and terminate are called one at a time. wrap_data_key and unwrap_data_key are called at any time
/// between open and terminate, from several threads at once, also while one of the others runs. Any thread may call. Callbacks may
/// block; they must not throw C++ exceptions or call exit. The structure itself is not changed between open and terminate.
#[repr(C)]
#[derive(Debug)]
pub struct KeyManagementInterface {
    /// PLASTRON_KEY_MANAGEMENT_VERSION.
    pub version: u32,
    /// sizeof(struct plastron_key_management).
    pub struct_size: u32,
    /// Called when a checkpoint is loaded: at start-up of an existing database, when a follower picks up a new checkpoint, and when a
    /// follower becomes the leader. The same blob may come again, and an older one. Keys of blobs that were loaded before stay usable.
    pub load_key_blob: Option<unsafe extern "C" fn(km: *mut KeyManagementInterface, args: *const KeyLoadArgs) -> c_int>,
    /// Called once in every checkpoint.
    pub get_key_blob: Option<unsafe extern "C" fn(km: *mut KeyManagementInterface, args: *mut KeyGetArgs) -> c_int>,
    /// Called after a get_key_blob with has_changes, when the blob is persisted or could not be: always exactly once.
    pub get_key_complete: Option<unsafe extern "C" fn(km: *mut KeyManagementInterface, args: *mut KeyGetArgs) -> c_int>,
    /// Called at the end, once; the module frees itself. May be NULL.
    pub terminate: Option<unsafe extern "C" fn(km: *mut KeyManagementInterface) -> c_int>,
    /// Wraps the data key of a new object by the key in force. NULL, with unwrap_data_key, for a module that only carries blobs for an engine
    /// which encrypts its pages itself.
    pub wrap_data_key: Option<unsafe extern "C" fn(km: *mut KeyManagementInterface, args: *mut DataKeyArgs) -> c_int>,
    /// Gives back a data key, by whichever key wrapped it.
    pub unwrap_data_key: Option<unsafe extern "C" fn(km: *mut KeyManagementInterface, args: *mut DataKeyArgs) -> c_int>,
    /// What the last failure was, in words without secrets; a line that ends with a zero byte and is valid until the next call. Called on the
    /// thread on which a callback failed, right after it. May be NULL.
    pub last_error: Option<unsafe extern "C" fn(km: *mut KeyManagementInterface) -> *const c_char>,
}

/// The function that a library exports, by the name plastron_key_management_open if no other is configured. `config` is what stands in the
/// brackets of the module's own config=(...), and is valid during the call only. Sets `km` and returns 0, or returns what went wrong and does not.
pub type OpenKeyManagement =
    Option<unsafe extern "C" fn(config: *const c_char, km: *mut *mut KeyManagementInterface) -> c_int>;
