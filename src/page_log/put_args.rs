//! What a put says about its page.

use super::lsn::Lsn;
use super::record::PageFlags;

/// What a put says about its page, besides the bytes.
///
/// ```
/// use plastron::page_log::{Lsn, PutArgs};
///
/// let first = Lsn::new(7); // what an earlier put of the full page gave
/// let change = PutArgs::delta(first, first);
/// let next_image = PutArgs::full().backlink(first);
/// # drop((change, next_image));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PutArgs {
    pub(crate) delta: bool,
    pub(crate) base: Lsn,
    pub(crate) backlink: Lsn,
    pub(crate) flags: PageFlags,
}

impl PutArgs {
    /// A full page that has no earlier image.
    pub const fn full() -> Self {
        Self { delta: false, base: Lsn::NONE, backlink: Lsn::NONE, flags: PageFlags::NONE }
    }

    /// A delta: `base` is the LSN of its full page, `backlink` that of the record before it in the chain.
    pub const fn delta(base: Lsn, backlink: Lsn) -> Self {
        Self { delta: true, base, backlink, flags: PageFlags::NONE }
    }

    /// With the LSN of the page's record before.
    #[must_use]
    pub const fn backlink(mut self, backlink: Lsn) -> Self {
        self.backlink = backlink;
        self
    }

    /// With flags, which `get` gives back.
    #[must_use]
    pub const fn flags(mut self, flags: PageFlags) -> Self {
        self.flags = flags;
        self
    }
}
