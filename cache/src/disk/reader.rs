//! Reading a block: on the caller's thread, verified, in one or two system calls.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::block_file::{BlockFault, BlockHeader, chunks_around};
use super::entry::{Pin, charge_of};
use super::tier::{Disk, Shared};
use crate::known_objects::KnownObject;
use crate::stats::Event;

/// Headers up to this length are read onto the stack; that is all but those of huge blocks and absurd names.
const STACK_HEADER_BYTES: usize = 1024;

/// Why a file could not be used.
#[derive(Debug)]
enum Trouble {
    /// It is wrong.
    Fault(BlockFault),
    /// It could not be read.
    Io(io::Error),
}

impl From<BlockFault> for Trouble {
    fn from(fault: BlockFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// One block's file, opened.
struct Source<'a> {
    shared: &'a Shared,
    object: &'a KnownObject,
    block: u64,
    header_bytes: usize,
    data_bytes: usize,
    file: Arc<File>,
}

impl Disk {
    /// The whole block.
    pub(crate) fn block(&self, object: &KnownObject, block: u64) -> Option<Bytes> {
        self.shared().with_file(object, block, |source| {
            let mut buffer = source.shared.buffers.take(source.data_bytes);
            source.whole(buffer.as_mut())?;
            Ok(buffer.freeze())
        })
    }

    /// The bytes `within` the block, into `to`, which has exactly their length. If it returns false, `to` holds anything.
    pub(crate) fn part(&self, object: &KnownObject, block: u64, within: &Range<usize>, to: &mut [u8]) -> bool {
        let read = self.shared().with_file(object, block, |source| {
            if within.len() == source.data_bytes { source.whole(to) } else { source.part(within, to) }
        });
        read.is_some()
    }
}

impl Shared {
    /// Finds, opens and pins a block's file for `read`, and deals with what is wrong with it.
    fn with_file<T>(
        &self,
        object: &KnownObject,
        block: u64,
        read: impl FnOnce(&Source<'_>) -> Result<T, Trouble>,
    ) -> Option<T> {
        let (header_bytes, data_bytes) = self.file_bytes(object, block);
        let (pin, file) = self.find(object, block, charge_of((header_bytes + data_bytes) as u64))?;
        let source = Source { shared: self, object, block, header_bytes, data_bytes, file };
        match read(&source) {
            Ok(value) => {
                pin.entry().touch();
                Some(value)
            }
            Err(trouble) => {
                self.discard_bad(&pin, &trouble);
                None
            }
        }
    }

    fn find(&self, object: &KnownObject, block: u64, charge: u64) -> Option<(Pin, Arc<File>)> {
        let name = self.name(object, block);
        let known = self.index.pin(&name);
        if let Some(file) = known.as_ref().and_then(|pin| pin.entry().file()) {
            return known.map(|pin| (pin, file));
        }
        if known.is_none() && !self.may_hold_unknown() {
            return None;
        }
        match (self.medium.open(&self.layout.path(&name)), known) {
            (Ok(file), known) => {
                let pin = known.or_else(|| {
                    self.adopt(name, charge);
                    self.index.pin(&name)
                })?;
                let file = Arc::new(file);
                self.open_files.keep(pin.entry(), &file);
                Some((pin, file))
            }
            (Err(error), Some(pin)) if error.kind() == io::ErrorKind::NotFound => {
                self.vanished(pin.entry());
                None
            }
            (Err(error), known) => {
                if error.kind() != io::ErrorKind::NotFound {
                    self.stats.add(Event::DiskReadErrors, 1);
                    tracing::debug!(file = %self.layout.path(&name).display(), %error, "cannot open a cache file");
                }
                drop(known);
                None
            }
        }
    }

    fn discard_bad(&self, pin: &Pin, trouble: &Trouble) {
        let file = self.layout.path(&pin.entry().name);
        match trouble {
            Trouble::Fault(fault) => {
                self.stats.add(Event::DiskCorrupt, 1);
                tracing::warn!(file = %file.display(), %fault, "a cache file is damaged; it is removed and fetched again");
            }
            Trouble::Io(error) => {
                self.stats.add(Event::DiskReadErrors, 1);
                tracing::warn!(file = %file.display(), %error, "a cache file cannot be read; it is removed");
                self.pause.begin(error);
            }
        }
        self.discard(pin.entry());
    }
}

impl Source<'_> {
    /// Reads header and data with one call, and one byte more, to notice if there is one.
    fn whole(&self, to: &mut [u8]) -> Result<(), Trouble> {
        self.with_header(|header| {
            let wanted = header.len() + to.len();
            let mut excess = [0];
            let parts = &mut [IoSliceMut::new(header), IoSliceMut::new(to), IoSliceMut::new(&mut excess)];
            match self.read(parts, 0, wanted)? {
                read if read < wanted => return Err(BlockFault::Truncated.into()),
                read if read > wanted => return Err(BlockFault::TooLong.into()),
                _ => {}
            }
            Ok(self.checked(header)?.verify(0, to)?)
        })
    }

    /// Reads the header, and then the chunks around the part.
    fn part(&self, within: &Range<usize>, to: &mut [u8]) -> Result<(), Trouble> {
        let chunks = chunks_around(within, self.data_bytes);
        let mut buffer = self.shared.buffers.take(self.data_bytes);
        let bytes = buffer.as_mut().get_mut(chunks.clone()).ok_or(BlockFault::OtherBlock)?;
        self.with_header(|header| {
            let header_bytes = header.len();
            if self.read(&mut [IoSliceMut::new(header)], 0, header_bytes)? < header_bytes {
                return Err(BlockFault::Truncated.into());
            }
            let checked = self.checked(header)?;
            let wanted = bytes.len();
            let at = (header_bytes + chunks.start) as u64;
            if self.read(&mut [IoSliceMut::new(bytes)], at, wanted)? < wanted {
                return Err(BlockFault::Truncated.into());
            }
            Ok(checked.verify(chunks.start, bytes)?)
        })?;
        let part = buffer.as_ref().get(within.clone()).filter(|part| part.len() == to.len());
        to.copy_from_slice(part.ok_or(BlockFault::OtherBlock)?);
        Ok(())
    }

    fn with_header<T>(&self, run: impl FnOnce(&mut [u8]) -> Result<T, Trouble>) -> Result<T, Trouble> {
        let mut stack = [0; STACK_HEADER_BYTES];
        match stack.get_mut(..self.header_bytes) {
            Some(header) => run(header),
            None => run(&mut vec![0; self.header_bytes]),
        }
    }

    /// Decodes the header and compares it with what this file must hold.
    fn checked<'h>(&self, header: &'h [u8]) -> Result<BlockHeader<'h>, BlockFault> {
        let decoded = BlockHeader::decode(header)?;
        let shift = self.shared.options.geometry.shift();
        if decoded.is(&self.object.id, self.object.digest, shift, self.block, self.data_bytes) {
            Ok(decoded)
        } else {
            Err(BlockFault::OtherBlock)
        }
    }

    /// Reads until `wanted` bytes are there or the file ends.
    fn read(&self, mut parts: &mut [IoSliceMut<'_>], offset: u64, wanted: usize) -> io::Result<usize> {
        let mut read = 0;
        while read < wanted {
            match self.shared.medium.read(&self.file, parts, offset + read as u64)? {
                0 => break,
                count => {
                    read += count;
                    IoSliceMut::advance_slices(&mut parts, count);
                }
            }
        }
        Ok(read)
    }
}
