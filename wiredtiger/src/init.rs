//! `wiredtiger_extension_init`: reads the load-time configuration and registers the stores.

use std::ffi::{CString, c_int};
use std::sync::Arc;

use crate::abi::ConfigArg;
use crate::abi::connection::{Connection, LoadingConnection, first_string};
use crate::abi::extension_api::ExtensionApi;
use crate::abi::flags::OpenFlags;
use crate::extension::{Extension, guard, path_from};
use crate::failure::Failure;
use crate::load_options::LoadOptions;
use crate::messages::{Level, Messages};
use crate::storage_source::StorageSource;
use crate::strings;

/// The entry point that WiredTiger calls when it loads the library.
///
/// Returns 0, `EINVAL` for a wrong load-time configuration (said through the connection's error messages), or what `add_storage_source` answered.
///
/// # Safety
/// `connection` must be a `WT_CONNECTION` of WiredTiger 11.3 or 12.0 and `config` its `WT_CONFIG_ARG`; both may be NULL (`EINVAL`, defaults).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wiredtiger_extension_init(connection: *mut Connection, config: ConfigArg) -> c_int {
    // SAFETY: the caller's contract is passed on.
    guard(|| unsafe { load(connection, config) })
}

unsafe fn load(connection: *mut Connection, config: ConfigArg) -> Result<c_int, Failure> {
    quiet_panics();
    // SAFETY: the caller's contract.
    let connection =
        unsafe { LoadingConnection::new(connection) }.ok_or_else(|| Failure::invalid("the connection is NULL"))?;
    let api = connection.extension_api();
    // SAFETY: the API belongs to the connection, which outlives its extensions; before that ends every store is terminated, and the last one
    // closes the messages.
    let at_load = unsafe { Messages::new(api, Level::ERROR) };
    // SAFETY: `config` is WiredTiger's array of strings; the API was just fetched.
    let options = unsafe { strings::optional(first_string(config), "the load-time configuration") }
        .and_then(|text| LoadOptions::parse(text.unwrap_or("")));
    let options = match options {
        Ok(options) => options,
        Err(failure) => {
            at_load.error(std::ptr::null_mut(), &format!("plastron: config=(…): {failure}"));
            return Err(failure);
        }
    };
    // SAFETY: as above; the home string is copied.
    let (messages, home) = unsafe { (Messages::new(api, options.verbosity), path_from(connection.home())) };
    let extension = Extension::start(messages, home, options, flags_of(api)).inspect_err(|failure| {
        at_load.error(std::ptr::null_mut(), &format!("plastron: {failure}"));
    })?;
    for provider in &extension.options().stores {
        let Ok(name) = CString::new(provider.as_str()) else { continue };
        let source = StorageSource::make(*provider, Arc::clone(&extension));
        // SAFETY: the source stays alive until its last reference is terminated.
        let errno = unsafe { connection.add_storage_source(&name, source) };
        if errno != 0 {
            at_load.error(std::ptr::null_mut(), &format!("plastron: {provider} could not be registered"));
            // SAFETY: WiredTiger refused it, so this is the only reference; those registered before are terminated by WiredTiger.
            unsafe { StorageSource::discard(source) };
            return Ok(errno);
        }
    }
    Ok(0)
}

/// The open flags of the WiredTiger behind `api`.
fn flags_of(api: *mut ExtensionApi) -> OpenFlags {
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    if !api.is_null() {
        // SAFETY: the table is alive; `version` writes three integers.
        unsafe {
            if let Some(version) = (*api).version {
                version(&raw mut major, &raw mut minor, &raw mut patch);
            }
        }
    }
    OpenFlags::of_version(major)
}

/// The standard library prints panics to stderr, where an extension has no business; ours go to the message system with the failure they
/// become. The shared library has a copy of the standard library of its own, so no other code in the process is affected; a Rust program
/// that links this crate shares its own with it, and sets its hook after this.
fn quiet_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|info| tracing::error!("{info}"))));
}
