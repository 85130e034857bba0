//! Text across the C boundary: arguments in, allocated lists out.

use std::ffi::{CStr, c_char};

use crate::failure::Failure;

/// The argument `what` as text.
///
/// # Safety
/// `text` must be NULL or NUL-terminated, and unchanged for the lifetime of the result.
pub(crate) unsafe fn required<'a>(text: *const c_char, what: &str) -> Result<&'a str, Failure> {
    // SAFETY: the caller's contract.
    unsafe { optional(text, what) }?.ok_or_else(|| Failure::invalid(format!("{what} is NULL")))
}

/// The argument `what` as text; `None` where it is NULL.
///
/// # Safety
/// As [`required`].
pub(crate) unsafe fn optional<'a>(text: *const c_char, what: &str) -> Result<Option<&'a str>, Failure> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and NUL-terminated by contract.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(Some).map_err(|_| Failure::invalid(format!("{what} is not UTF-8")))
}

/// At most `limit` bytes of text that may be anything, stale memory included: up to the first NUL, with what is not UTF-8 replaced.
///
/// # Safety
/// `text` must be NULL or readable up to its first NUL or `limit` bytes, whichever comes first.
pub(crate) unsafe fn untrusted(text: *const c_char, limit: usize) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: `strnlen` reads no further than the first NUL or `limit`.
    let length = unsafe { libc::strnlen(text, limit) };
    // SAFETY: those bytes were just read.
    let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
    String::from_utf8_lossy(bytes).into_owned()
}

/// A copy of `text` in memory of `malloc`, NULL when there is none left or the text holds a NUL.
pub(crate) fn allocate(text: &str) -> *mut c_char {
    let Ok(text) = std::ffi::CString::new(text) else { return std::ptr::null_mut() };
    // SAFETY: `strdup` copies a NUL-terminated string.
    unsafe { libc::strdup(text.as_ptr()) }
}

/// An array of copies of `names` in memory of `malloc`, to be given back by [`free_list`]. NULL for no names.
pub(crate) fn allocate_list(names: &[String]) -> Result<*mut *mut c_char, Failure> {
    let out_of_memory = || Failure::new(libc::ENOMEM, "no memory for a list of names");
    if names.is_empty() {
        return Ok(std::ptr::null_mut());
    }
    // SAFETY: `calloc` checks its product for overflow and returns zeroed memory or NULL.
    let list = unsafe { libc::calloc(names.len(), size_of::<*mut c_char>()) }.cast::<*mut c_char>();
    if list.is_null() {
        return Err(out_of_memory());
    }
    for (index, name) in names.iter().enumerate() {
        let copy = allocate(name);
        if copy.is_null() {
            // SAFETY: the list was made here, its unused entries are NULL.
            unsafe { free_list(list, names.len()) };
            return Err(out_of_memory());
        }
        // SAFETY: `index` is below the length that was allocated.
        unsafe { list.add(index).write(copy) };
    }
    Ok(list)
}

/// Gives back what [`allocate_list`] made.
///
/// # Safety
/// `list` must be NULL or an array of at least `count` entries of [`allocate_list`], not freed before.
pub(crate) unsafe fn free_list(list: *mut *mut c_char, count: usize) {
    if list.is_null() {
        return;
    }
    for index in 0..count {
        // SAFETY: within the array by contract; `free` takes NULL.
        unsafe { libc::free(list.add(index).read().cast()) };
    }
    // SAFETY: the array itself came from `calloc`.
    unsafe { libc::free(list.cast()) };
}
