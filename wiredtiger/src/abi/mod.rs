//! WiredTiger's C interface, as far as a storage source meets it: x86-64, little-endian, every function returns `int`.
//!
//! The layouts were read from WiredTiger 11.3.1 and 12.0 (`wiredtiger.in`, `wiredtiger_ext.h`) and are asserted at compile time in each
//! file. Two things differ between the two versions and are told apart at run time: the slot of `get_extension_api`
//! ([`connection`]) and the open flags ([`flags`]). No header of WiredTiger's is needed to build this.

pub mod connection;
pub mod extension_api;
pub mod file_handle;
pub mod file_system;
pub mod flags;
pub mod storage_source;

use std::marker::{PhantomData, PhantomPinned};

/// `WT_SESSION`: only ever passed through.
#[repr(C)]
#[derive(Debug)]
pub struct Session {
    _opaque: [u8; 0],
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// `WT_CONFIG_ARG`: a NULL-terminated array of configuration strings, later ones first in force.
pub type ConfigArg = *const *const std::ffi::c_char;

/// Asserts at compile time that the fields of a `repr(C)` structure stand where WiredTiger puts them.
macro_rules! assert_layout {
    ($type:ty, size $size:literal, $($field:ident at $offset:literal),+ $(,)?) => {
        const _: () = {
            assert!(size_of::<$type>() == $size);
            $(assert!(std::mem::offset_of!($type, $field) == $offset);)+
        };
    };
}
pub(crate) use assert_layout;
