//! A WiredTiger connection made of tables, in both layouts, to call the extension as WiredTiger does.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::sync::Mutex;

use plastron_wiredtiger::abi::Session;
use plastron_wiredtiger::abi::connection::Connection;
use plastron_wiredtiger::abi::extension_api::ExtensionApi;
use plastron_wiredtiger::abi::file_handle::FileHandle;
use plastron_wiredtiger::abi::file_system::FileSystem;
use plastron_wiredtiger::abi::storage_source::StorageSource;
use plastron_wiredtiger::wiredtiger_extension_init;

/// Which version's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    V11,
    V12,
}

impl Layout {
    pub fn readonly(self) -> u32 {
        match self {
            Self::V11 => 0x100,
            Self::V12 => 0x80,
        }
    }

    fn version(self) -> c_int {
        match self {
            Self::V11 => 11,
            Self::V12 => 12,
        }
    }
}

/// Words of the connection's table; the last one points back to the mock, as WiredTiger's private fields would.
const WORDS: usize = 40;
const SELF: usize = WORDS - 1;

/// What the mock knows, reached by the functions through the connection's last word or the API's first.
#[derive(Debug)]
struct State {
    home: CString,
    api: Box<[*mut c_void; 37]>,
    sources: Mutex<BTreeMap<String, usize>>,
    errors: Mutex<Vec<String>>,
    messages: Mutex<Vec<String>>,
    /// The name whose registration is refused.
    refuse: Option<&'static str>,
}

/// A connection that has (or has not) loaded the extension.
#[derive(Debug)]
pub struct Mock {
    words: Box<[*const c_void; WORDS]>,
    state: *mut State,
    /// What `wiredtiger_extension_init` answered.
    pub loaded: c_int,
}

unsafe fn state<'a>(connection: *mut Connection) -> &'a State {
    unsafe { &**connection.cast::<*const State>().add(SELF) }
}

unsafe extern "C" fn get_home(connection: *mut Connection) -> *const c_char {
    unsafe { state(connection) }.home.as_ptr()
}

unsafe extern "C" fn add_storage_source(
    connection: *mut Connection,
    name: *const c_char,
    source: *mut StorageSource,
    config: *const c_char,
) -> c_int {
    assert!(config.is_null());
    let state = unsafe { state(connection) };
    let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap().to_owned();
    if state.refuse == Some(name.as_str()) {
        return libc::EBUSY;
    }
    state.sources.lock().unwrap().insert(name, source as usize);
    0
}

unsafe extern "C" fn get_extension_api(connection: *mut Connection) -> *mut ExtensionApi {
    unsafe { state(connection) }.api.as_ptr().cast_mut().cast()
}

unsafe extern "C" fn never_called() {
    panic!("a slot that an extension must not call");
}

unsafe fn print(api: *mut ExtensionApi, format: *const c_char, text: *const c_char) -> (&'static State, String) {
    assert_eq!(unsafe { CStr::from_ptr(format) }, c"%s", "text must never be a format");
    let state: &State = unsafe { &*(*api).conn.cast::<State>() };
    (state, unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned())
}

unsafe extern "C" fn err_printf(
    api: *mut ExtensionApi,
    _: *mut Session,
    format: *const c_char,
    text: *const c_char,
) -> c_int {
    let (state, text) = unsafe { print(api, format, text) };
    state.errors.lock().unwrap().push(text);
    0
}

unsafe extern "C" fn msg_printf(
    api: *mut ExtensionApi,
    _: *mut Session,
    format: *const c_char,
    text: *const c_char,
) -> c_int {
    let (state, text) = unsafe { print(api, format, text) };
    state.messages.lock().unwrap().push(text);
    0
}

unsafe extern "C" fn version_11(major: *mut c_int, minor: *mut c_int, patch: *mut c_int) -> *const c_char {
    unsafe {
        major.write(11);
        minor.write(3);
        patch.write(1);
    }
    c"WiredTiger 11.3.1".as_ptr()
}

unsafe extern "C" fn version_12(major: *mut c_int, minor: *mut c_int, patch: *mut c_int) -> *const c_char {
    unsafe {
        major.write(12);
        minor.write(0);
        patch.write(0);
    }
    c"WiredTiger 12.0.0".as_ptr()
}

impl Mock {
    /// A connection with database directory `home` that loads the extension with `config`.
    pub fn load(layout: Layout, home: &Path, config: Option<&str>) -> Self {
        Self::load_refusing(layout, home, config, None)
    }

    /// The same, where the registration of one store is refused.
    pub fn load_refusing(layout: Layout, home: &Path, config: Option<&str>, refuse: Option<&'static str>) -> Self {
        let state = Box::into_raw(Box::new(State {
            home: CString::new(home.to_str().unwrap()).unwrap(),
            api: Box::new([std::ptr::null_mut(); 37]),
            sources: Mutex::default(),
            errors: Mutex::default(),
            messages: Mutex::default(),
            refuse,
        }));
        let api = unsafe { &mut (*state).api };
        api[0] = state.cast();
        api[1] = err_printf as *mut c_void;
        api[2] = msg_printf as *mut c_void;
        api[32] = if layout.version() == 11 { version_11 as *mut c_void } else { version_12 as *mut c_void };
        // Every public slot holds a function, as in WiredTiger; behind the table come private pointers to the heap.
        let public = if layout == Layout::V11 { 21 } else { 22 };
        let mut words = Box::new([state as *const c_void; WORDS]);
        words[..public].fill(never_called as *const c_void);
        words[3] = get_home as *const c_void;
        words[18] = add_storage_source as *const c_void;
        words[public - 1] = get_extension_api as *const c_void;
        let mut mock = Self { words, state, loaded: -1 };
        let config = config.map(|text| CString::new(text).unwrap());
        let array = [config.as_ref().map_or(std::ptr::null(), |text| text.as_ptr()), std::ptr::null()];
        mock.loaded = unsafe { wiredtiger_extension_init(mock.connection(), array.as_ptr()) };
        // The extension silences panics; a test that fails has to say why.
        drop(std::panic::take_hook());
        mock
    }

    pub fn connection(&mut self) -> *mut Connection {
        self.words.as_mut_ptr().cast()
    }

    pub fn names(&self) -> Vec<String> {
        self.state().sources.lock().unwrap().keys().cloned().collect()
    }

    pub fn source(&self, name: &str) -> *mut StorageSource {
        self.state().sources.lock().unwrap()[name] as *mut StorageSource
    }

    /// The error messages since the last call.
    pub fn errors(&self) -> Vec<String> {
        std::mem::take(&mut self.state().errors.lock().unwrap())
    }

    /// The other messages since the last call.
    pub fn messages(&self) -> Vec<String> {
        std::mem::take(&mut self.state().messages.lock().unwrap())
    }

    /// Terminates every store once, as WiredTiger does when the connection is closed.
    pub fn close(&self) {
        for source in std::mem::take(&mut *self.state().sources.lock().unwrap()).into_values() {
            let source = source as *mut StorageSource;
            assert_eq!(unsafe { ((*source).terminate.unwrap())(source, std::ptr::null_mut()) }, 0);
        }
    }

    fn state(&self) -> &State {
        unsafe { &*self.state }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.close();
        drop(unsafe { Box::from_raw(self.state) });
    }
}

pub const SESSION: *mut Session = std::ptr::null_mut();

fn text(value: Option<&str>) -> Option<CString> {
    value.map(|text| CString::new(text).unwrap())
}

fn pointer(value: &Option<CString>) -> *const c_char {
    value.as_ref().map_or(std::ptr::null(), |text| text.as_ptr())
}

/// Calls through a store's table.
pub mod source {
    use super::*;

    pub fn customize(
        source: *mut StorageSource,
        bucket: Option<&str>,
        token: Option<&str>,
        config: Option<&[u8]>,
    ) -> Result<*mut FileSystem, c_int> {
        let (bucket, token) = (text(bucket), text(token));
        let config = config.map(|bytes| [bytes, b"\0"].concat());
        let mut result = std::ptr::dangling_mut::<FileSystem>();
        let errno = unsafe {
            ((*source).customize_file_system.unwrap())(
                source,
                SESSION,
                pointer(&bucket),
                pointer(&token),
                config.as_ref().map_or(std::ptr::null(), |bytes| bytes.as_ptr().cast()),
                &raw mut result,
            )
        };
        if errno == 0 { Ok(result) } else { Err(errno) }
    }

    pub fn flush(
        source: *mut StorageSource,
        files: *mut FileSystem,
        local: Option<&str>,
        object: Option<&str>,
    ) -> c_int {
        let (local, object) = (text(local), text(object));
        unsafe {
            ((*source).flush.unwrap())(source, SESSION, files, pointer(&local), pointer(&object), std::ptr::null())
        }
    }

    pub fn flush_finish(
        source: *mut StorageSource,
        files: *mut FileSystem,
        local: Option<&str>,
        object: Option<&str>,
    ) -> c_int {
        let (local, object) = (text(local), text(object));
        unsafe {
            ((*source).flush_finish.unwrap())(
                source,
                SESSION,
                files,
                pointer(&local),
                pointer(&object),
                std::ptr::null(),
            )
        }
    }

    pub fn add_reference(source: *mut StorageSource) -> c_int {
        unsafe { ((*source).add_reference.unwrap())(source) }
    }

    pub fn terminate(source: *mut StorageSource) -> c_int {
        unsafe { ((*source).terminate.unwrap())(source, SESSION) }
    }
}

/// Calls through a file system's table.
pub mod files {
    use super::*;

    pub fn list(
        files: *mut FileSystem,
        directory: Option<&str>,
        prefix: Option<&str>,
        single: bool,
    ) -> Result<Vec<String>, c_int> {
        let (directory, prefix) = (text(directory), text(prefix));
        let (mut names, mut count) = (std::ptr::null_mut(), 77_u32);
        let function =
            unsafe { if single { (*files).directory_list_single } else { (*files).directory_list } }.unwrap();
        let errno =
            unsafe { function(files, SESSION, pointer(&directory), pointer(&prefix), &raw mut names, &raw mut count) };
        if errno != 0 {
            return Err(errno);
        }
        let found = (0..count as usize)
            .map(|index| unsafe { CStr::from_ptr(*names.add(index)) }.to_str().unwrap().to_owned())
            .collect();
        assert_eq!(unsafe { ((*files).directory_list_free.unwrap())(files, SESSION, names, count) }, 0);
        Ok(found)
    }

    pub fn exist(files: *mut FileSystem, name: Option<&str>) -> Result<bool, c_int> {
        let name = text(name);
        let mut result = false;
        let errno = unsafe { ((*files).exist.unwrap())(files, SESSION, pointer(&name), &raw mut result) };
        if errno == 0 { Ok(result) } else { Err(errno) }
    }

    pub fn open(
        files: *mut FileSystem,
        name: Option<&str>,
        file_type: c_int,
        flags: u32,
    ) -> Result<*mut FileHandle, c_int> {
        let name = text(name);
        let mut result = std::ptr::dangling_mut::<FileHandle>();
        let errno =
            unsafe { ((*files).open_file.unwrap())(files, SESSION, pointer(&name), file_type, flags, &raw mut result) };
        if errno == 0 { Ok(result) } else { Err(errno) }
    }

    pub fn remove(files: *mut FileSystem, name: Option<&str>) -> c_int {
        let name = text(name);
        unsafe { ((*files).remove.unwrap())(files, SESSION, pointer(&name), 0) }
    }

    pub fn rename(files: *mut FileSystem, from: Option<&str>, to: Option<&str>) -> c_int {
        let (from, to) = (text(from), text(to));
        unsafe { ((*files).rename.unwrap())(files, SESSION, pointer(&from), pointer(&to), 0) }
    }

    pub fn size(files: *mut FileSystem, name: Option<&str>) -> Result<i64, c_int> {
        let name = text(name);
        let mut result = -1;
        let errno = unsafe { ((*files).size.unwrap())(files, SESSION, pointer(&name), &raw mut result) };
        if errno == 0 { Ok(result) } else { Err(errno) }
    }

    pub fn terminate(files: *mut FileSystem) -> c_int {
        unsafe { ((*files).terminate.unwrap())(files, SESSION) }
    }
}

/// Calls through a file handle's table.
pub mod handle {
    use super::*;

    pub fn read(handle: *mut FileHandle, offset: i64, length: usize) -> Result<Vec<u8>, c_int> {
        let mut buffer = vec![0xa5; length];
        let errno = unsafe { ((*handle).read.unwrap())(handle, SESSION, offset, length, buffer.as_mut_ptr().cast()) };
        if errno == 0 { Ok(buffer) } else { Err(errno) }
    }

    pub fn size(handle: *mut FileHandle) -> Result<i64, c_int> {
        let mut result = -1;
        let errno = unsafe { ((*handle).size.unwrap())(handle, SESSION, &raw mut result) };
        if errno == 0 { Ok(result) } else { Err(errno) }
    }

    pub fn lock(handle: *mut FileHandle) -> c_int {
        unsafe { ((*handle).lock.unwrap())(handle, SESSION, true) }
    }

    pub fn close(handle: *mut FileHandle) -> c_int {
        unsafe { ((*handle).close.unwrap())(handle, SESSION) }
    }
}
