//! One directory's entries in the order of the names they lead to, a bounded page at a time.
//!
//! A directory is read in no order and may be of any size, so a page is made by reading all of it and keeping the first
//! entries after the last page's end, as many as the page may hold. A directory that fits is read once; one that is *n* times the
//! page is read *n* times.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Dir, FileType};
use rustix::io::Errno;

use super::name::{Piece, decode};
use super::root::lookup;

/// What an entry takes in memory beside its key, bytes: itself, and what the allocator adds.
const OVERHEAD: usize = size_of::<Entry>() + 16;

/// One directory entry, ordered as the names behind it are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// What every name behind this entry has after those of its directory; that of a directory ends in a slash.
    pub(super) key: Box<[u8]>,
    pub(super) kind: Kind,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A file that is an object.
    Object,
    /// A directory for what follows a slash.
    Directory,
    /// A directory for the rest of a long component.
    More,
    /// Nothing that an object's name leads to, and why; the key is the entry's name itself.
    Foreign(&'static str),
}

impl Entry {
    fn new(name: &[u8], kind: FileType, continued: bool) -> Self {
        let (key, kind) = match (decode(name, continued), kind) {
            (Err(reason), _) => (name.into(), Kind::Foreign(reason)),
            (Ok(Piece::End(text)), FileType::RegularFile) => (text.into_bytes(), Kind::Object),
            (Ok(Piece::End(mut text)), FileType::Directory) => {
                text.push('/');
                (text.into_bytes(), Kind::Directory)
            }
            (Ok(Piece::More(text)), FileType::Directory) => (text.into_bytes(), Kind::More),
            (Ok(_), FileType::Symlink) => {
                (name.into(), Kind::Foreign("it is a symbolic link, which is never followed"))
            }
            (Ok(Piece::More(_)), _) => {
                (name.into(), Kind::Foreign("its name is that of a directory for long names, which it is not"))
            }
            (Ok(_), _) => (name.into(), Kind::Foreign("it is neither a file nor a directory")),
        };
        Self { key: key.into(), kind }
    }

    /// The piece of a name that this entry is; `None` for a foreign one.
    pub(super) fn piece(&self) -> Option<Piece> {
        let text = std::str::from_utf8(&self.key).ok()?;
        match self.kind {
            Kind::Object => Some(Piece::End(text.to_owned())),
            Kind::Directory => text.strip_suffix('/').map(|text| Piece::End(text.to_owned())),
            Kind::More => Some(Piece::More(text.to_owned())),
            Kind::Foreign(_) => None,
        }
    }

    fn cost(&self) -> usize {
        self.key.len() + OVERHEAD
    }
}

/// The first entries after some point, in order.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    /// Whether there are entries beyond the last one.
    pub(super) more: bool,
    /// Memory that the entries take, bytes.
    pub(super) bytes: usize,
}

impl Page {
    /// Reads the entries of `directory` after `after` that are `wanted`, up to about `limit` bytes of them, but one at least.
    /// `continued` as in [`decode`]. Takes twice the limit while it works.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn read(
        directory: &OwnedFd,
        continued: bool,
        after: Option<&Entry>,
        limit: usize,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Result<Self, Errno> {
        let mut page = Self::default();
        // Once something was dropped: the last entry that was kept. All after it are not for this page.
        let mut bound: Option<Entry> = None;
        for found in Dir::read_from(directory)? {
            let found = found?;
            let name = found.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let kind = match found.file_type() {
                FileType::Unknown => match lookup(directory.as_fd(), name) {
                    Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                    Err(Errno::NOENT) => continue,
                    Err(errno) => return Err(errno),
                },
                kind => kind,
            };
            let entry = Entry::new(name.to_bytes(), kind, continued);
            if bound.as_ref().is_some_and(|bound| entry > *bound) {
                continue;
            }
            if after.is_some_and(|after| entry <= *after) || !wanted(&entry) {
                continue;
            }
            page.bytes += entry.cost();
            page.entries.push(entry);
            if page.bytes > limit.saturating_mul(2) {
                page.cut(limit);
                bound = page.entries.last().cloned();
            }
        }
        page.cut(limit);
        page.entries.shrink_to_fit();
        Ok(page)
    }

    /// Sorts, and drops what is over the limit.
    fn cut(&mut self, limit: usize) {
        self.entries.sort_unstable();
        let mut bytes = 0;
        let fitting = self.entries.iter().take_while(|entry| {
            bytes += entry.cost();
            bytes <= limit
        });
        let keep = fitting.count().max(1);
        if keep < self.entries.len() {
            self.entries.truncate(keep);
            self.more = true;
        }
        self.bytes = self.entries.iter().map(Entry::cost).sum();
    }
}
