//! A file system that fails when told to, and a clock that moves when told to; for tests.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use plastron_sources::clock::{Clock, Sleep};

use super::medium::{FileSystem, Medium, Space};

/// The real file system, with faults.
#[derive(Debug, Default)]
pub(crate) struct FaultyMedium {
    /// `errno` of every write; 0 for none.
    pub(crate) write_error: AtomicU32,
    /// `errno` of every read.
    pub(crate) read_error: AtomicU32,
    /// `errno` of every removal.
    pub(crate) remove_error: AtomicU32,
    /// What there is, if not what the file system says.
    pub(crate) space: Mutex<Option<Space>>,
    /// Whether every read returns one byte at a time.
    pub(crate) trickle: AtomicBool,
}

fn fail(error: &AtomicU32) -> io::Result<()> {
    match error.load(Ordering::SeqCst) {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno as i32)),
    }
}

impl Medium for FaultyMedium {
    fn write(&self, temporary: &Path, path: &Path, parts: [&[u8]; 2]) -> io::Result<()> {
        fail(&self.write_error)?;
        FileSystem.write(temporary, path, parts)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        FileSystem.open(path)
    }

    fn read(&self, file: &File, parts: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<usize> {
        fail(&self.read_error)?;
        if !self.trickle.load(Ordering::SeqCst) {
            return FileSystem.read(file, parts, offset);
        }
        let first = parts.iter_mut().find(|part| !part.is_empty()).unwrap();
        FileSystem.read(file, &mut [IoSliceMut::new(&mut first[..1])], offset)
    }

    fn remove(&self, path: &Path) -> io::Result<bool> {
        fail(&self.remove_error)?;
        FileSystem.remove(path)
    }

    fn space(&self, directory: &Path) -> io::Result<Space> {
        self.space.lock().unwrap().map_or_else(|| FileSystem.space(directory), Ok)
    }
}

/// A clock that stands still.
#[derive(Debug)]
pub(crate) struct ManualClock(Mutex<Duration>);

impl ManualClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Duration::from_secs(1000))))
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for ManualClock {
    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}
