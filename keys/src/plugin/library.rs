//! Loading a library and asking it for its module.
#![allow(unsafe_code, reason = "this is the boundary to C")]

use std::ffi::{CString, c_char, c_int};
use std::path::Path;
use std::ptr::NonNull;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::abi::{KeyManagementInterface, PLASTRON_KEY_MANAGEMENT_VERSION};
use super::answer;
use crate::error::Fault;

/// A module in a library that is loaded as long as this lives.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Checked: not null, of our version, and at least as large as the interface.
    pub(super) interface: NonNull<KeyManagementInterface>,
    /// Keeps the code in memory. Unloaded after everything else.
    _library: Library,
}

type Open = unsafe extern "C" fn(*const c_char, *mut *mut KeyManagementInterface) -> c_int;

impl Loaded {
    /// Loads the library at `path` and calls `entry` with `config`.
    pub(super) fn open(path: &Path, entry: &str, config: &str) -> Result<Self, Fault> {
        let shown = path.display();
        // A name without a slash would be looked for in the system's folders.
        let path = path.canonicalize().map_err(|error| Fault::io(format!("looking for the library {shown}"), error))?;
        // A configuration holds no zero byte.
        let config = CString::new(config).map_err(|_| Fault::Config("the module's config holds a zero byte".into()))?;
        // SAFETY: loading runs the library's initialisers. The operator named it in order that its code be run.
        let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }
            .map_err(|error| Fault::Config(format!("the library {shown} can't be loaded: {error}")))?;
        // SAFETY: the header gives the function of this name this type; that the library keeps to it is the operator's to know.
        let open = unsafe { library.get::<Open>(entry) }.map_err(|_| {
            Fault::Config(format!("the library {shown} exports no function {entry}; name its own in config=(entry=…)"))
        })?;
        let mut interface = std::ptr::null_mut();
        // SAFETY: both pointers are valid during the call, and `config` ends with a zero byte.
        let code = unsafe { open(config.as_ptr(), &mut interface) };
        if code != 0 {
            return Err(answer::fault("open", code, b""));
        }
        let interface = NonNull::new(interface)
            .ok_or_else(|| Fault::Config(format!("the library {shown} opened no module, and did not say why")))?;
        if !interface.is_aligned() {
            return Err(Fault::Config(format!("the library {shown} gave a module at an address that none can have")));
        }
        let loaded = Self { interface, _library: library };
        loaded.check()?;
        Ok(loaded)
    }

    /// Refuses what is not our version, before anything behind the first two fields is looked at.
    fn check(&self) -> Result<(), Fault> {
        let at = self.interface.as_ptr();
        // SAFETY: the module has at least these two fields in every version, and it is aligned.
        let (version, size) = unsafe { ((&raw const (*at).version).read(), (&raw const (*at).struct_size).read()) };
        if version != PLASTRON_KEY_MANAGEMENT_VERSION {
            return Err(Fault::Unsupported(format!(
                "the module is made for version {version} of the interface, and this is version {PLASTRON_KEY_MANAGEMENT_VERSION}; build it \
                 with the plastron_key_management.h that belongs to this program"
            )));
        }
        let least = size_of::<KeyManagementInterface>();
        if (size as usize) < least {
            return Err(Fault::Unsupported(format!(
                "the module's struct_size is {size} bytes, and the interface has {least}; build it with the plastron_key_management.h that \
                 belongs to this program"
            )));
        }
        Ok(())
    }

    /// The module's callbacks; not to be called once it is terminated.
    pub(super) fn callbacks(&self) -> &KeyManagementInterface {
        // SAFETY: it was checked in `open`, is not freed before `terminate`, after which nobody calls this, and the header lets nobody write to it after it was opened.
        unsafe { self.interface.as_ref() }
    }
}
