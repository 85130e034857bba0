//! Reading an object: its file is opened for each request, and is the object.
//!
//! A name appears only when its file is complete and is never changed, so what is opened is whole; removal while it is read is not
//! noticed. The etag is made of inode, time of creation in nanoseconds and size.

use std::fs::File;
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Attribute, Attributes, GetRange, ObjectMeta};
use rustix::buffer::spare_capacity;
use rustix::fs::{FileType, Stat, fstat};
use rustix::io::Errno;

use super::name::{Location, locate};
use super::staging::ATTRIBUTE;
use super::tree::Tree;
use crate::error::Fault;

/// The key of the user metadata kept in [`ATTRIBUTE`].
pub(super) const METADATA: &str = "plastron";

/// The largest value of an extended attribute that Linux has, bytes (`XATTR_SIZE_MAX`).
const ATTRIBUTE_MAX: usize = 64 << 10;

/// What a file without the attribute is answered with.
#[cfg(target_vendor = "apple")]
const NO_ATTRIBUTE: Errno = Errno::NOATTR;
#[cfg(not(target_vendor = "apple"))]
const NO_ATTRIBUTE: Errno = Errno::NODATA;

/// The last second of the year 9999: times beyond cannot be written as text, and only a broken clock makes them.
const TIME_MAX: u64 = 253_402_300_799;

/// An object's opened file.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    location: Location,
    /// What is known of the object.
    pub(super) meta: ObjectMeta,
}

impl Opened {
    pub(super) fn new(file: File, location: Location, name: &Path, stat: &Stat) -> Self {
        Self { file, location, meta: meta_of(name.clone(), stat) }
    }
}

impl Tree {
    /// Opens the object `name`.
    ///
    /// # Errors
    /// [`Fault::NoSuchObject`], [`Fault::Name`], and what the file system says.
    pub(super) fn open(&self, name: &Path) -> Result<Opened, Fault> {
        let location = locate(name)?;
        let file = match self.root.open_file(&location.path()) {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT | Errno::NOTDIR) if self.root.is_gone() => return Err(Fault::NoSuchBucket),
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(Fault::NoSuchObject),
            Err(Errno::NXIO) => return Err(self.not_an_object(&location)),
            Err(errno) => return Err(self.failed("opening", &location, errno)),
        };
        let stat = fstat(&file).map_err(|errno| self.failed("opening", &location, errno))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Opened::new(file, location, name, &stat)),
            FileType::Directory => Err(Fault::NoSuchObject),
            _ => Err(self.not_an_object(&location)),
        }
    }

    /// The user metadata of an opened object.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] if it is not text, and what the file system says.
    pub(super) fn attributes(&self, opened: &Opened) -> Result<Attributes, Fault> {
        let mut attributes = Attributes::new();
        let mut value = Vec::with_capacity(2048);
        let mut read = rustix::fs::fgetxattr(&opened.file, ATTRIBUTE, spare_capacity(&mut value));
        if read == Err(Errno::RANGE) {
            value.reserve(ATTRIBUTE_MAX);
            read = rustix::fs::fgetxattr(&opened.file, ATTRIBUTE, spare_capacity(&mut value));
        }
        match read {
            Ok(_) => {}
            Err(NO_ATTRIBUTE | Errno::OPNOTSUPP) => return Ok(attributes),
            Err(errno) => return Err(self.failed("reading the attribute of", &opened.location, errno)),
        }
        let text = String::from_utf8(value).map_err(|_| Fault::Corrupt {
            what: format!("the extended attribute {ATTRIBUTE} of {}", opened.meta.location),
            start: 0,
            end: 0,
            check: "it is not text".to_owned(),
        })?;
        attributes.insert(Attribute::Metadata(METADATA.into()), text.into());
        Ok(attributes)
    }

    /// The bytes of `range`, which lies inside the object.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] if the file has become shorter, and what the file system says.
    pub(super) fn read(&self, opened: &Opened, range: Range<u64>) -> Result<Bytes, Fault> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(|_| Fault::Range {
            start: range.start,
            end: range.end,
            size: opened.meta.size,
        })?;
        let mut buffer = self.buffers.take(length);
        while buffer.bytes.len() < length {
            let offset = range.start + buffer.bytes.len() as u64;
            // Whole buffer each time; one that is larger does no harm, the surplus is cut below.
            let read = rustix::io::retry_on_intr(|| {
                rustix::io::pread(&opened.file, spare_capacity(&mut buffer.bytes), offset)
            })
            .map_err(|errno| self.failed("reading", &opened.location, errno))?;
            if read == 0 {
                return Err(Fault::Corrupt {
                    what: format!("the file of {}", opened.meta.location),
                    start: range.start,
                    end: range.end,
                    check: format!("it had {} bytes when it was opened and now ends at {offset}", opened.meta.size),
                });
            }
        }
        buffer.bytes.truncate(length);
        Ok(buffer.freeze())
    }

    fn not_an_object(&self, location: &Location) -> Fault {
        let path = self.root.show(&location.path());
        Fault::Config(format!(
            "{} is neither a file nor a directory; a directory bucket holds nothing else, so remove it",
            path.display()
        ))
    }
}

/// The part of an object of `size` bytes that `wanted` asks for; all of it if nothing is.
///
/// # Errors
/// [`Fault::Range`] if the range is empty or begins at the object's end or later.
pub(super) fn resolve(wanted: Option<&GetRange>, size: u64) -> Result<Range<u64>, Fault> {
    let Some(wanted) = wanted else { return Ok(0..size) };
    wanted.as_range(size).map_err(|_| {
        let (start, end) = match wanted {
            GetRange::Bounded(range) => (range.start, range.end),
            GetRange::Offset(start) => (*start, size),
            GetRange::Suffix(length) => (size.saturating_sub(*length), size),
        };
        Fault::Range { start, end, size }
    })
}

/// What a file's status says of the object `location`.
pub(super) fn meta_of(location: Path, stat: &Stat) -> ObjectMeta {
    let seconds = u64::try_from(stat.st_mtime).unwrap_or_default().min(TIME_MAX);
    let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or_default();
    let created: SystemTime = UNIX_EPOCH + Duration::new(seconds, nanoseconds);
    ObjectMeta {
        location,
        last_modified: created.into(),
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        e_tag: Some(etag_of(stat)),
        version: None,
    }
}

/// Tells one object from another that has had, or will have, the same name; quotes included, as HTTP has it.
pub(super) fn etag_of(stat: &Stat) -> String {
    format!("\"{:x}-{:x}.{:x}-{:x}\"", stat.st_ino, stat.st_mtime, stat.st_mtime_nsec, stat.st_size)
}
