//! The vocabulary of registries: versions, fences, and what is promised.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// Which of all that was ever published: its number, the epoch of its leader, and its checksum.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    /// Number, from 1 on, without gaps.
    pub sequence: u64,
    /// Epoch of the leader that published it.
    pub epoch: u64,
    /// Checksum of what was written.
    pub checksum: u32,
}

/// Proof of having taken over. It is good until somebody else takes over.
#[derive(Clone, PartialEq, Eq)]
pub struct Fence {
    /// The leader's epoch.
    pub epoch: u64,
    /// 128 random bits that no other leader has.
    pub writer: u128,
    /// Number with which it took over.
    pub opened_at: u64,
    /// What it calls itself; for people.
    pub owner: Arc<str>,
}

/// Something that was published.
#[derive(Clone, PartialEq, Eq)]
pub struct Versioned {
    /// Which it is.
    pub version: Version,
    /// What was published: a [`Turtle`](crate::Turtle), or where it is.
    pub content: Bytes,
}

/// What a new leader gets.
#[derive(Clone, PartialEq, Eq)]
pub struct Acquired {
    /// To be shown with every commit.
    pub fence: Fence,
    /// What the first commit is based on.
    pub version: Version,
    /// The newest content; none if nothing was ever published.
    pub content: Option<Bytes>,
}

/// What a registry promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Guarantees {
    /// Every read sees the newest of all commits that were acknowledged before it began.
    pub linearizable: bool,
    /// It goes on when a machine fails.
    pub highly_available: bool,
    /// After a takeover nothing of an earlier leader is acknowledged.
    pub fenced: bool,
    /// Longest content, bytes.
    pub max_content_bytes: usize,
}

impl Guarantees {
    /// The strictest promises, for content of so many bytes.
    pub fn strict(max_content_bytes: usize) -> Self {
        Self { linearizable: true, highly_available: true, fenced: true, max_content_bytes }
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (epoch {}, {:08x})", self.sequence, self.epoch, self.checksum)
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fence(epoch {} of {:?} from {})", self.epoch, self.owner, self.opened_at)
    }
}

impl fmt::Debug for Versioned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Versioned({:?}, {} bytes)", self.version, self.content.len())
    }
}

impl fmt::Debug for Acquired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = self.content.as_ref().map(Bytes::len);
        write!(f, "Acquired({:?}, {:?}, {content:?} bytes)", self.fence, self.version)
    }
}
