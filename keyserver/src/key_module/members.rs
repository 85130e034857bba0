//! Who may read at one epoch.

use std::collections::BTreeMap;

use crate::Digest;

/// What is known of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Version of the node's entry.
    pub version: u64,
    /// Names the key that is wrapped to.
    pub key: Digest,
}

/// The readers of an epoch that can be wrapped to, by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// The epoch.
    pub epoch: u64,
    /// Digest of its head.
    pub head: Digest,
    /// Version of the list's entry.
    pub version: u64,
    /// The readers.
    pub nodes: BTreeMap<String, Member>,
}

impl Members {
    /// Of who knows nothing yet.
    pub const NOBODY: Self = Self { epoch: 0, head: Digest::NONE, version: 0, nodes: BTreeMap::new() };

    /// Whether a KEK that went to these is known to somebody who, by what `now` says of a later epoch, is to read no more: a node that is not listed any
    /// more, or has another key.
    pub fn are_exposed(&self, now: &Self) -> bool {
        now.epoch > self.epoch
            && self.nodes.iter().any(|(id, member)| now.nodes.get(id).is_none_or(|now| now.key != member.key))
    }

    /// Whether these are to have the same KEK as `other`: the same nodes, with the same keys.
    pub fn are_as(&self, other: &Self) -> bool {
        let keys = |members: &Self| -> Vec<(String, Digest)> {
            members.nodes.iter().map(|(id, member)| (id.clone(), member.key)).collect()
        };
        keys(self) == keys(other)
    }

    /// What went back from these to `later`, which is of a later epoch; none if nothing did.
    pub(super) fn went_back(&self, later: &Self) -> Option<String> {
        if later.epoch == self.epoch && later.head != self.head {
            return Some(format!("epoch {} has another head than the one seen before", self.epoch));
        }
        if later.epoch < self.epoch {
            return Some(format!("epoch {} was seen before, and this is of epoch {}", self.epoch, later.epoch));
        }
        if later.version < self.version {
            return Some(format!(
                "the list of readers had version {} before, and has {} now",
                self.version, later.version
            ));
        }
        self.nodes.iter().find_map(|(id, before)| {
            let now = later.nodes.get(id).filter(|now| now.version < before.version)?;
            Some(format!("node {id} had version {} before, and has {} now", before.version, now.version))
        })
    }
}
