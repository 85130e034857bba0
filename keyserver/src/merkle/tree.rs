//! The tree over stored pages: one batch of changes at a time, and proofs of any version that is still stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::hasher::TreeHasher;
use super::page::{BITS, MAX_LEVEL, Page, PageId, Region, SLOTS, Slot, in_slot};
use super::proof::{Terminal, TreeProof};
use crate::{Digest, Error, Result};

/// Where pages are read from.
pub trait PageSource {
    /// The page with that number.
    ///
    /// # Errors
    /// `Corrupt` if it is not there or cannot be read: a tree never refers to a page that was not stored.
    fn page(&self, id: PageId) -> Result<Arc<Page>>;
}

/// One version of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// The page at its top; none for the empty tree.
    pub page: Option<PageId>,
    /// The root hash.
    pub hash: Digest,
}

/// What a batch of changes amounts to: all of it is to be stored at once, with whatever else belongs to the epoch.
#[derive(Debug, Clone)]
pub struct TreeChange {
    /// The new version.
    pub root: Root,
    /// New pages.
    pub written: Vec<(PageId, Page)>,
    /// Pages of the version before that are not in this one.
    pub retired: Vec<PageId>,
    /// The next number that was not given out.
    pub next_page: PageId,
}

/// A tree of one realm over stored pages.
#[derive(Debug)]
pub struct Tree<'a, S: PageSource + ?Sized> {
    hasher: &'a TreeHasher,
    source: &'a S,
}

impl<'a, S: PageSource + ?Sized> Tree<'a, S> {
    /// The realm's trees in `source`.
    pub fn new(hasher: &'a TreeHasher, source: &'a S) -> Self {
        Self { hasher, source }
    }

    /// The empty version.
    pub fn empty(hasher: &TreeHasher) -> Root {
        Root { page: None, hash: hasher.empty(&Digest::NONE, 0) }
    }

    /// The version that follows `root` when each index in `changes` has the digest given. New pages are numbered from `next_page` on.
    ///
    /// # Errors
    /// Those of the source.
    pub fn apply(&self, root: &Root, changes: &BTreeMap<Digest, Digest>, next_page: PageId) -> Result<TreeChange> {
        let mut change = TreeChange { root: *root, written: Vec::new(), retired: Vec::new(), next_page };
        if changes.is_empty() {
            return Ok(change);
        }
        let leaves: Vec<(Digest, Digest)> = changes.iter().map(|(index, value)| (*index, *value)).collect();
        let before = match root.page {
            None => Page::default(),
            Some(id) => {
                change.retired.push(id);
                (*self.source.page(id)?).clone()
            }
        };
        let (page, region) = self.write(before, 0, &leaves, &mut change)?;
        change.root = Root { page: Some(page), hash: region.hash(self.hasher, &Digest::NONE, 0) };
        Ok(change)
    }

    /// Puts `leaves`, sorted and all within the page's prefix, into `page` at `level`, and writes it.
    fn write(
        &self,
        mut page: Page,
        level: usize,
        leaves: &[(Digest, Digest)],
        change: &mut TreeChange,
    ) -> Result<(PageId, Region)> {
        let Some((path, _)) = leaves.first().copied() else {
            return Err(Error::Corrupt { what: "tree", offset: level, check: "a page without a change".to_owned() });
        };
        if level > MAX_LEVEL {
            let check = format!("two leaves have the index {path}");
            return Err(Error::Corrupt { what: "tree", offset: level, check });
        }
        for group in leaves.chunk_by(|(a, _), (b, _)| a.nibble(level) == b.nibble(level)) {
            let Some((first, value)) = group.first().copied() else { continue };
            let at = first.nibble(level);
            let slot = match (page.slot(at), group.len()) {
                (Slot::Empty, 1) => Slot::Leaf { index: first, value },
                (Slot::Leaf { index, .. }, 1) if index == first => Slot::Leaf { index, value },
                (Slot::Empty, _) => self.child(Page::default(), level, group, change)?,
                (Slot::Leaf { index, value }, _) => {
                    // The leaf that stood here alone goes down with the others, unless it is one of them.
                    let mut all = group.to_vec();
                    if let Err(place) = all.binary_search_by_key(&index, |(index, _)| *index) {
                        all.insert(place, (index, value));
                    }
                    self.child(Page::default(), level, &all, change)?
                }
                (Slot::Child { page: id, .. }, _) => {
                    change.retired.push(id);
                    self.child((*self.source.page(id)?).clone(), level, group, change)?
                }
            };
            page.set(at, slot);
        }
        let region = page.learn(self.hasher, &path, level);
        let id = change.next_page;
        change.next_page = id.checked_add(1).ok_or_else(|| Error::Corrupt {
            what: "tree",
            offset: level,
            check: "no page number is left".to_owned(),
        })?;
        change.written.push((id, page));
        Ok((id, region))
    }

    fn child(&self, page: Page, level: usize, leaves: &[(Digest, Digest)], change: &mut TreeChange) -> Result<Slot> {
        let path = leaves.first().map_or(Digest::NONE, |(index, _)| *index);
        let (id, region) = self.write(page, level + 1, leaves, change)?;
        Ok(Slot::Child { page: id, hash: region.hash(self.hasher, &path, (level + 1) * BITS) })
    }

    /// The digest at `index` in the version `root`, if it is there.
    ///
    /// # Errors
    /// Those of the source.
    pub fn get(&self, root: &Root, index: &Digest) -> Result<Option<Digest>> {
        let mut next = root.page;
        let mut level = 0;
        while let Some(id) = next.filter(|_| level <= MAX_LEVEL) {
            match self.source.page(id)?.slot(index.nibble(level)) {
                Slot::Leaf { index: found, value } if found == *index => return Ok(Some(value)),
                Slot::Empty | Slot::Leaf { .. } => return Ok(None),
                Slot::Child { page, .. } => next = Some(page),
            }
            level += 1;
        }
        Ok(None)
    }

    /// A proof of what is, or is not, at `index` in the version `root`.
    ///
    /// # Errors
    /// Those of the source.
    pub fn prove(&self, root: &Root, index: &Digest) -> Result<TreeProof> {
        let mut siblings = Vec::with_capacity(32);
        let mut next = root.page;
        let mut level = 0;
        while let Some(id) = next.filter(|_| level <= MAX_LEVEL) {
            let page = self.source.page(id)?;
            match self.descend(&page, level, index, &mut siblings) {
                Descent::Ends(terminal) => return Ok(TreeProof::new(siblings, terminal)),
                Descent::Child(page) => next = Some(page),
            }
            level += 1;
        }
        Ok(TreeProof::new(siblings, Terminal::Empty))
    }

    /// Goes down a page towards `index`, and collects the siblings on the way.
    fn descend(&self, page: &Page, level: usize, index: &Digest, siblings: &mut Vec<Option<Digest>>) -> Descent {
        let (mut from, mut length) = (0, SLOTS);
        loop {
            match page.within(from, length) {
                [] => return Descent::Ends(Terminal::Empty),
                [Slot::Leaf { index: found, .. }] if found == index => return Descent::Ends(Terminal::Present),
                [Slot::Leaf { index, value }] => {
                    return Descent::Ends(Terminal::Other { index: *index, value: *value });
                }
                [Slot::Child { page, .. }] if length == 1 => return Descent::Child(*page),
                _ => {}
            }
            let half = length / 2;
            let depth = level * BITS + BITS - half.trailing_zeros() as usize;
            let right = index.bit(depth - 1);
            let other = if right { from } else { from + half };
            siblings.push(match page.region(self.hasher, index, level, other, half) {
                Region::Empty => None,
                region => Some(region.hash(self.hasher, &in_slot(index, level, other), depth)),
            });
            from += if right { half } else { 0 };
            length = half;
        }
    }

    /// Walks the version `root`, and says what it holds, in the order of indices, and which pages. Every hash is computed anew.
    ///
    /// # Errors
    /// Those of the source, and `Corrupt` if a hash, a place or the shape of a page is wrong.
    pub fn walk(&self, root: &Root, mut leaf: impl FnMut(Digest, Digest), mut page: impl FnMut(PageId)) -> Result<()> {
        let fault = |level: usize, check: &str| Error::Corrupt { what: "tree", offset: level, check: check.to_owned() };
        let Some(top) = root.page else {
            let same = root.hash == Self::empty(self.hasher).hash;
            return if same { Ok(()) } else { Err(fault(0, "the hash of the empty tree is wrong")) };
        };
        // Depth first, smallest index first; at most sixteen a level wait.
        let mut waiting = vec![(Digest::NONE, 0, Slot::Child { page: top, hash: root.hash })];
        while let Some((path, level, slot)) = waiting.pop() {
            match slot {
                Slot::Empty => {}
                Slot::Leaf { index, value } => {
                    if index.prefix(level * BITS) != path {
                        return Err(fault(level, "a leaf stands in a place that is not its own"));
                    }
                    leaf(index, value);
                }
                Slot::Child { page: id, hash } => {
                    if level > MAX_LEVEL {
                        return Err(fault(level, "a page stands below the last level"));
                    }
                    let found = self.source.page(id)?.anew();
                    let region = found.whole(self.hasher, &path, level);
                    let alone = matches!(region, Region::Leaf { .. }) && level > 0;
                    if alone || found.occupied() == 0 || region.hash(self.hasher, &path, level * BITS) != hash {
                        return Err(fault(level, "a page does not have the hash, or the shape, that it should have"));
                    }
                    page(id);
                    for at in (0..SLOTS).rev() {
                        waiting.push((in_slot(&path, level, at), level + 1, found.slot(at)));
                    }
                }
            }
        }
        Ok(())
    }
}

enum Descent {
    Ends(Terminal),
    Child(PageId),
}
