//! Open flags and file types. The flags were renumbered in 12.0.

use std::ffi::c_int;

/// `WT_FS_OPEN_FILE_TYPE_DATA`.
pub const TYPE_DATA: c_int = 1;
/// `WT_FS_OPEN_FILE_TYPE_REGULAR`.
pub const TYPE_REGULAR: c_int = 4;

/// The open flags of one major version of WiredTiger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFlags {
    /// `WT_FS_OPEN_CREATE`.
    pub create: u32,
    /// `WT_FS_OPEN_READONLY`.
    pub readonly: u32,
}

impl OpenFlags {
    /// The flags of the version that `WT_EXTENSION_API::version` answers.
    pub const fn of_version(major: c_int) -> Self {
        if major >= 12 { Self { create: 0x4, readonly: 0x80 } } else { Self { create: 0x4, readonly: 0x100 } }
    }
}
