//! The module itself: every call of the interface, and a check of every answer.
#![allow(unsafe_code, reason = "this is the boundary to C")]

use std::ffi::{c_char, c_int};
use std::fmt;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use rustix::io::Errno;

use super::abi::{DataKeyArgs, KeyGetArgs, KeyLoadArgs, KeyManagementInterface};
use super::answer::{self, MOST_SAID};
use super::library::Loaded;
use crate::envelope::{Binding, DataKey, KEY_BYTES, MAX_WRAPPED_KEY_BYTES, SecretKey, WrappedKey};
use crate::error::Fault;
use crate::module::{BlobAnswer, Completion, DataKeyWrapper, KeyModule, MAX_KEY_BLOB_BYTES};

const NAME: &str = "plugin";

/// `key_management=(name=plugin,config=(library=…))`.
pub struct PluginModule {
    /// Whether data keys are wrapped at all.
    wraps: bool,
    /// The blob that waits to be completed. Held during every call of which there may be one at a time.
    pending: Mutex<Option<Blob>>,
    /// Whether the module was terminated. Held, to read, during every call, so that `terminate` waits for all of them.
    ended: RwLock<bool>,
    loaded: Loaded,
}

type DataKeyCallback = unsafe extern "C" fn(*mut KeyManagementInterface, *mut DataKeyArgs) -> c_int;

/// The module's own blob, as it named it; only ever handed back.
#[derive(Clone, Copy)]
struct Blob {
    data: *mut std::ffi::c_void,
    size: usize,
}

// SAFETY: the header says that any thread may call, that `wrap_data_key` and `unwrap_data_key` may be called at once, and that the others are not, for
// which `pending` sees. The pointer of a pending blob is never followed on our side after get_key_blob.
unsafe impl Send for PluginModule {}
// SAFETY: as above.
unsafe impl Sync for PluginModule {}

impl PluginModule {
    /// Loads `library` and opens its module by the function `entry` with `config`, the text in the brackets of its own configuration. With `wraps`, the
    /// module must wrap data keys; without, payloads are not encrypted, even if it could.
    ///
    /// # Errors
    /// [`Fault::Io`] and [`Fault::Config`] for a library that can't be loaded; [`Fault::Unsupported`] for one that was made for another version of the
    /// interface; [`Fault::Module`] for what the module says.
    pub fn open(library: &Path, entry: &str, config: &str, wraps: bool) -> Result<Self, Fault> {
        let loaded = Loaded::open(library, entry, config)?;
        let module = Self { wraps, pending: Mutex::default(), ended: RwLock::new(false), loaded };
        let callbacks = module.loaded.callbacks();
        for (name, missing) in [
            ("load_key_blob", callbacks.load_key_blob.is_none()),
            ("get_key_blob", callbacks.get_key_blob.is_none()),
            ("get_key_complete", callbacks.get_key_complete.is_none()),
        ] {
            if missing {
                return Err(Fault::Config(format!("the module has no {name}")));
            }
        }
        match (callbacks.wrap_data_key.is_some(), callbacks.unwrap_data_key.is_some()) {
            (true, true) => Ok(module),
            (false, false) if !wraps => Ok(module),
            (false, false) => Err(Fault::Config(
                "the module wraps no data keys, so payloads would not be encrypted; if the engine encrypts its pages itself, say data_keys=none".into(),
            )),
            _ => Err(Fault::Config("the module has only one of wrap_data_key and unwrap_data_key".into())),
        }
    }

    /// Keeps the module open as long as the guard lives.
    fn open_still(&self) -> Result<RwLockReadGuard<'_, bool>, Fault> {
        let ended = self.ended.read().unwrap_or_else(PoisonError::into_inner);
        if *ended { Err(Fault::Terminated) } else { Ok(ended) }
    }

    fn pending(&self) -> MutexGuard<'_, Option<Blob>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pointer(&self) -> *mut KeyManagementInterface {
        self.loaded.interface.as_ptr()
    }

    /// The fault of a callback that returned `code`; called right after it.
    fn checked(&self, function: &'static str, code: c_int) -> Result<(), Fault> {
        if code == 0 {
            return Ok(());
        }
        let mut said = Vec::new();
        if let Some(last_error) = self.loaded.callbacks().last_error {
            // SAFETY: the module is open, and this thread is the one on which it failed.
            let text = unsafe { last_error(self.pointer()) };
            said = line(text);
        }
        Err(answer::fault(function, code, &said))
    }

    fn data_key_call(
        &self,
        function: &'static str,
        callback: fn(&KeyManagementInterface) -> Option<DataKeyCallback>,
        binding: &Binding,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, Fault> {
        // First of all: once the module is terminated, its callbacks can't even be looked at.
        let _open = self.open_still()?;
        let callback = callback(self.loaded.callbacks()).ok_or_else(|| Fault::NoKeys { module: NAME.into() })?;
        let binding = binding.to_bytes();
        let mut args = DataKeyArgs {
            binding: binding.as_ptr(),
            binding_size: binding.len(),
            input: input.as_ptr(),
            input_size: input.len(),
            output: output.as_mut_ptr(),
            output_capacity: output.len(),
            output_size: 0,
        };
        // SAFETY: the module is open. Every pointer is valid for its size during the call.
        let code = unsafe { callback(self.pointer(), &mut args) };
        self.checked(function, code)?;
        match args.output_size {
            size if size <= output.len() => Ok(size),
            size => Err(Fault::State(format!(
                "the key module's {function} says it wrote {size} bytes where {} fit",
                output.len()
            ))),
        }
    }
}

impl KeyModule for PluginModule {
    fn name(&self) -> &str {
        NAME
    }

    fn load_key_blob(&self, blob: &[u8]) -> Result<(), Fault> {
        let _open = self.open_still()?;
        let pending = self.pending();
        if pending.is_some() {
            return Err(Fault::State("load_key_blob was called between get_key_blob and get_key_complete".into()));
        }
        let Some(callback) = self.loaded.callbacks().load_key_blob else { return Ok(()) };
        let args = KeyLoadArgs { blob_data: blob.as_ptr().cast(), blob_size: blob.len() };
        // SAFETY: the module is open, no other such call is under way, and the blob is valid during the call.
        let code = unsafe { callback(self.pointer(), &args) };
        self.checked("load_key_blob", code)
    }

    fn get_key_blob(&self) -> Result<BlobAnswer, Fault> {
        let _open = self.open_still()?;
        let mut pending = self.pending();
        if pending.is_some() {
            return Err(Fault::State("get_key_blob was called again before get_key_complete".into()));
        }
        let Some(callback) = self.loaded.callbacks().get_key_blob else { return Ok(BlobAnswer::Unchanged) };
        let mut args = KeyGetArgs { blob_data: null_mut(), blob_size: 0, has_changes: 0, returned_lsn: 0, error: 0 };
        // SAFETY: the module is open, no other such call is under way, and the arguments are valid during the call.
        let code = unsafe { callback(self.pointer(), &mut args) };
        self.checked("get_key_blob", code)?;
        if args.has_changes == 0 {
            return Ok(BlobAnswer::Unchanged);
        }
        let (data, size) = (args.blob_data, args.blob_size);
        *pending = Some(Blob { data, size });
        if data.is_null() || size == 0 || size > MAX_KEY_BLOB_BYTES {
            let fault = match data.is_null() {
                true => Fault::State("the key module says that its blob has changed, and gives none".into()),
                false => Fault::Size {
                    what: "the key module's blob",
                    size: size as u64,
                    low: 1,
                    high: MAX_KEY_BLOB_BYTES as u64,
                },
            };
            // It expects to be told, whatever it gave.
            let told = self.complete(&mut pending, 0, Errno::INVAL.raw_os_error());
            return Err(told.err().unwrap_or(fault));
        }
        // SAFETY: the header demands that the module keep so many bytes there until get_key_complete returns, which the lock keeps from being called.
        let blob = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) }.to_vec();
        Ok(BlobAnswer::Changed(blob))
    }

    fn get_key_complete(&self, completion: &Completion) -> Result<(), Fault> {
        let _open = self.open_still()?;
        let mut pending = self.pending();
        match completion {
            Completion::Persisted { lsn } => self.complete(&mut pending, *lsn, 0),
            Completion::Failed { reason } => {
                tracing::warn!(reason, "the key module's blob was not persisted");
                self.complete(&mut pending, 0, Errno::IO.raw_os_error())
            }
        }
    }

    fn terminate(&self) -> Result<(), Fault> {
        // Waits for every call that is under way.
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *ended, true) {
            return Err(Fault::Terminated);
        }
        let Some(callback) = self.loaded.callbacks().terminate else { return Ok(()) };
        // SAFETY: the module is open, nothing else is being called, and nothing is called any more; it may be freed by this.
        match unsafe { callback(self.pointer()) } {
            0 => Ok(()),
            // It is gone: it can't be asked for its words.
            code => Err(answer::fault("terminate", code, b"")),
        }
    }

    fn data_keys(&self) -> Option<&dyn DataKeyWrapper> {
        self.wraps.then_some(self)
    }
}

impl PluginModule {
    fn complete(&self, pending: &mut Option<Blob>, returned_lsn: u64, error: c_int) -> Result<(), Fault> {
        let Some(Blob { data, size }) = pending.take() else {
            return Err(Fault::State("get_key_complete was called without a changed blob from get_key_blob".into()));
        };
        let Some(callback) = self.loaded.callbacks().get_key_complete else { return Ok(()) };
        let mut args = KeyGetArgs { blob_data: data, blob_size: size, has_changes: 1, returned_lsn, error };
        // SAFETY: the module is open, no other such call is under way, and the blob is the module's own.
        let code = unsafe { callback(self.pointer(), &mut args) };
        self.checked("get_key_complete", code)
    }
}

impl DataKeyWrapper for PluginModule {
    fn wrap(&self, key: &DataKey, binding: &Binding) -> Result<WrappedKey, Fault> {
        let mut output = vec![0; MAX_WRAPPED_KEY_BYTES];
        let size =
            self.data_key_call("wrap_data_key", |module| module.wrap_data_key, binding, key.expose(), &mut output)?;
        output.truncate(size);
        output.shrink_to_fit();
        WrappedKey::from_bytes(output)
    }

    fn unwrap(&self, wrapped: &WrappedKey, binding: &Binding) -> Result<DataKey, Fault> {
        let key = SecretKey::written_by(|key| {
            let size = self.data_key_call(
                "unwrap_data_key",
                |module| module.unwrap_data_key,
                binding,
                wrapped.as_bytes(),
                key,
            )?;
            if size != KEY_BYTES {
                return Err(Fault::State(format!(
                    "the key module's unwrap_data_key gave {size} bytes, and a data key has {KEY_BYTES}"
                )));
            }
            Ok(())
        })?;
        Ok(DataKey::from_secret(key))
    }
}

impl Drop for PluginModule {
    fn drop(&mut self) {
        if let Ok(_open) = self.open_still() {
            let mut pending = self.pending();
            if pending.is_some() {
                // There is nobody left to tell.
                let _ = self.complete(&mut pending, 0, Errno::CANCELED.raw_os_error());
            }
        }
        // `Terminated` if it was.
        let _ = self.terminate();
    }
}

impl fmt::Debug for PluginModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginModule").field("wraps", &self.wraps).finish_non_exhaustive()
    }
}

/// The text at `text` up to its zero byte, or as much of it as is wanted.
fn line(text: *const c_char) -> Vec<u8> {
    let mut bytes = Vec::new();
    if text.is_null() {
        return bytes;
    }
    for offset in 0..MOST_SAID {
        // SAFETY: no byte before this one was zero, so the text goes on here.
        match unsafe { text.add(offset).read() } {
            0 => break,
            byte => bytes.push(byte as u8),
        }
    }
    bytes
}
