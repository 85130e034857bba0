//! Listing: all names under a prefix in bytewise order, in bounded memory.
//!
//! The tree is walked depth first. At each level entries are ordered by what the names behind them have in common, which for a
//! directory includes the slash: `a.b`, then all of `a/`, then `a0`. Since all names behind one entry are one contiguous run
//! (see [`name`](super::name)), that order of entries gives the order of whole names, and no merging is needed.
//!
//! Memory: one [`Page`] for each level that is open. They share [`BUDGET`]: a new level gets half of what the levels above leave.
//!
//! What is no object — links, devices, names that [`locate`](super::name::locate) does not make — is reported, in its place, as an
//! error naming the path; the listing can go on after it. Empty directories and `_plastron/tmp` are invisible.

use std::sync::Arc;

use object_store::ObjectMeta;
use object_store::path::Path;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Dir, FileType};
use rustix::io::Errno;

use super::fault::{error, fault};
use super::name::{Piece, TEMPORARY, directory_of, join};
use super::page::{Entry, Kind, Page};
use super::read::meta_of;
use super::root::lookup;
use super::tree::Tree;
use crate::error::Fault;

/// Memory for the pages of one listing, bytes: about 100,000 entries of usual length in one directory without reading it twice.
/// The page being read takes up to its own share once more.
pub(super) const BUDGET: usize = 16 << 20;

/// The least a level gets, bytes, however deep it lies: a name of 1,024 bytes has at most 512 levels.
const LEVEL_MIN: usize = 16 << 10;

/// How deep an object is looked for before a directory is shown as a prefix; each step holds a descriptor. A nest of empty directories
/// that is deeper is shown though there is nothing in it.
const SEARCH_DEPTH_MAX: u32 = 32;

/// What a listing yields, in the order of names.
#[derive(Debug)]
pub(super) enum Listed {
    /// An object.
    Object(ObjectMeta),
    /// All names that begin with this path and a slash, when they are not listed one by one.
    Prefix(Path),
}

/// A listing under way. Blocks; for blocking threads only.
#[derive(Debug)]
pub(super) struct Lister {
    tree: Arc<Tree>,
    /// What all names begin with.
    prefix: String,
    /// What all names come after.
    after: Option<String>,
    /// Whether names are only listed up to the first slash after the prefix.
    shallow: bool,
    budget: usize,
    levels: Vec<Level>,
}

/// One directory on the way to where the listing is.
#[derive(Debug)]
struct Level {
    path: String,
    /// What all names in it begin with.
    prefix: String,
    continued: bool,
    /// Open only while entries of this very level are looked at.
    directory: Option<OwnedFd>,
    entries: std::vec::IntoIter<Entry>,
    /// The end of the page, if there is more beyond it; before the first page there is.
    next: Next,
    bytes: usize,
}

#[derive(Debug)]
enum Next {
    First,
    After(Entry),
    End,
}

impl Level {
    fn new(path: String, prefix: String, continued: bool) -> Self {
        Self { path, prefix, continued, directory: None, entries: Vec::new().into_iter(), next: Next::First, bytes: 0 }
    }
}

impl Lister {
    /// A listing of the names that begin with `prefix`, any string, and come after `after`.
    pub(super) fn new(tree: Arc<Tree>, prefix: String, after: Option<String>, shallow: bool) -> Self {
        let first = match prefix.rsplit_once('/') {
            None => Some(Level::new(String::new(), String::new(), false)),
            // Anything else than a path has no names below it.
            Some((parent, _)) => Path::parse(parent)
                .ok()
                .filter(|path| path.as_ref() == parent && !path.is_root())
                .map(|path| Level::new(directory_of(&path), format!("{parent}/"), false)),
        };
        Self { tree, prefix, after, shallow, budget: BUDGET, levels: first.into_iter().collect() }
    }

    /// The same with another [`BUDGET`].
    #[cfg(test)]
    pub(super) fn with_budget(mut self, budget: usize) -> Self {
        self.budget = budget;
        self
    }

    /// Memory that all pages take now, bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.levels.iter().map(|level| level.bytes).sum()
    }

    /// The next object or prefix. An error that concerns one entry or directory does not end the listing.
    pub(super) fn next(&mut self) -> Option<Result<Listed, object_store::Error>> {
        loop {
            let entry = match self.levels.last_mut()?.entries.next() {
                Some(entry) => entry,
                None => match self.turn_page() {
                    Ok(()) => continue,
                    Err((path, fault)) => {
                        self.levels.pop();
                        return Some(Err(error(&path, fault)));
                    }
                },
            };
            match self.visit(&entry) {
                Ok(Some(listed)) => return Some(Ok(listed)),
                Ok(None) => {}
                Err((name, fault)) => return Some(Err(error(&name, fault))),
            }
        }
    }

    /// Reads the deepest level's next page, or leaves that level if there is none.
    fn turn_page(&mut self) -> Result<(), (String, Fault)> {
        let held: usize = self.levels.iter().rev().skip(1).map(|level| level.bytes).sum();
        let limit = (self.budget.saturating_sub(held) / 2).max(LEVEL_MIN);
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        let after = match std::mem::replace(&mut level.next, Next::End) {
            Next::First => None,
            Next::After(entry) => Some(entry),
            Next::End => {
                self.levels.pop();
                return Ok(());
            }
        };
        open(&self.tree, level)?;
        let Some(directory) = &level.directory else {
            self.levels.pop();
            return Ok(());
        };
        let wanted = |entry: &Entry| {
            let hidden = entry.kind == Kind::Directory
                && entry.piece().is_some_and(|piece| join(&level.path, &piece.entry()) == TEMPORARY);
            let after = self.after.as_ref().is_none_or(|after| reaches(&level.prefix, entry, after));
            !hidden && after && matches(&level.prefix, entry, &self.prefix)
        };
        let page = Page::read(directory, level.continued, after.as_ref(), limit, wanted)
            .map_err(|errno| (level.prefix.clone(), fault("listing", &self.tree.root.show(&level.path), errno)))?;
        level.bytes = page.bytes;
        if page.more
            && let Some(last) = page.entries.last()
        {
            level.next = Next::After(last.clone());
        }
        level.entries = page.entries.into_iter();
        Ok(())
    }

    fn visit(&mut self, entry: &Entry) -> Result<Option<Listed>, (String, Fault)> {
        let Some(level) = self.levels.last_mut() else { return Ok(None) };
        let name = format!("{}{}", level.prefix, String::from_utf8_lossy(&entry.key));
        let Some(piece) = entry.piece() else {
            let reason = if let Kind::Foreign(reason) = entry.kind { reason } else { "its name is not UTF-8" };
            let shown = self.tree.root.show(&join(&level.path, &String::from_utf8_lossy(&entry.key)));
            let fault = Fault::Config(format!(
                "{} was not put there by Plastron and is no object ({reason}); move it out of the bucket's directory",
                shown.display()
            ));
            return Err((name, fault));
        };
        let on_disk = piece.entry();
        let path = join(&level.path, &on_disk);
        if entry.kind == Kind::Object {
            open(&self.tree, level)?;
            let Some(directory) = &level.directory else { return Ok(None) };
            return match lookup(directory.as_fd(), &on_disk) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode).is_file() => {
                    let location = Path::parse(&name)
                        .map_err(|problem| (name.clone(), Fault::Name { reason: problem.to_string() }))?;
                    Ok(Some(Listed::Object(meta_of(location, &stat))))
                }
                // Removed, or replaced by a directory, since the page was read.
                Ok(_) | Err(Errno::NOENT) => Ok(None),
                Err(errno) => Err((name, fault("listing", &self.tree.root.show(&path), errno))),
            };
        }
        let continued = matches!(piece, Piece::More(_));
        if self.shallow && !continued {
            if self.after.as_ref().is_some_and(|after| after.starts_with(&name)) {
                return Ok(None);
            }
            let prefix =
                Path::parse(&name).map_err(|problem| (name.clone(), Fault::Name { reason: problem.to_string() }))?;
            let occupied = self.tree.is_occupied(&path, 0).map_err(|fault| (name, fault))?;
            return Ok(occupied.then_some(Listed::Prefix(prefix)));
        }
        level.directory = None;
        self.levels.push(Level::new(path, name, continued));
        Ok(None)
    }
}

/// Opens the level's directory unless it is open; leaves it closed if it is not there (any more).
fn open(tree: &Tree, level: &mut Level) -> Result<(), (String, Fault)> {
    if level.directory.is_none() {
        // A directory that was removed reads as an empty one.
        if tree.root.is_gone() {
            return Err((level.prefix.clone(), Fault::NoSuchBucket));
        }
        level.directory = match tree.root.open_directory(&level.path) {
            Ok(directory) => Some(directory),
            Err(Errno::NOENT | Errno::NOTDIR) => None,
            Err(errno) => {
                return Err((level.prefix.clone(), fault("listing", &tree.root.show(&level.path), errno)));
            }
        };
    }
    Ok(())
}

/// Whether `entry`, in a directory all of whose names begin with `prefix`, leads to a name after `after`.
fn reaches(prefix: &str, entry: &Entry, after: &str) -> bool {
    let name = || prefix.bytes().chain(entry.key.iter().copied());
    let beyond = name().cmp(after.bytes()).is_gt();
    match entry.kind {
        Kind::Object | Kind::Foreign(_) => beyond,
        // Names go on from here; they may pass `after` unless it is already behind.
        Kind::Directory | Kind::More => beyond || after.bytes().take(prefix.len() + entry.key.len()).eq(name()),
    }
}

/// Whether `entry` leads to a name that begins with `prefix`; `base` is what all names in its directory begin with.
fn matches(base: &str, entry: &Entry, prefix: &str) -> bool {
    let goes_on = matches!(entry.kind, Kind::Directory | Kind::More);
    let mut name = base.bytes().chain(entry.key.iter().copied());
    let mut wanted = prefix.bytes();
    loop {
        match (wanted.next(), name.next()) {
            (None, _) => return true,
            (Some(_), None) => return goes_on,
            (Some(wanted), Some(found)) if wanted != found => return false,
            _ => {}
        }
    }
}

impl Tree {
    /// Whether there is anything but empty directories in the one at `path`, which lies `depth` below where the search began.
    fn is_occupied(&self, path: &str, depth: u32) -> Result<bool, Fault> {
        let failed = |errno| fault("listing", &self.root.show(path), errno);
        let directory = match self.root.open_directory(path) {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(false),
            Err(errno) => return Err(failed(errno)),
        };
        for entry in Dir::read_from(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let is_directory = match entry.file_type() {
                FileType::Unknown => {
                    lookup(directory.as_fd(), name).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir())
                }
                kind => kind.is_dir(),
            };
            // What is no object has to be found by those who look inside: it counts.
            let Ok(name) = name.to_str() else { return Ok(true) };
            let inner = join(path, name);
            let counts = if is_directory {
                inner != TEMPORARY && (depth >= SEARCH_DEPTH_MAX || self.is_occupied(&inner, depth + 1)?)
            } else {
                true
            };
            if counts {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
