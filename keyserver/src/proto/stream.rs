//! What verifiers are told: every change and every head, in order.

use super::entry::SignedEntry;
use super::epoch_head::SignedHead;
use super::message::Message;
use super::realm::RealmPolicy;
use crate::Result;
use crate::encoding::{Reader, Writer};

/// A place in the stream: the changes of an epoch are counted from 0, and its head comes after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamPosition {
    /// The epoch.
    pub epoch: u64,
    /// How many of its changes come before.
    pub change: u64,
}

/// One thing in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamItem {
    /// An index gets an entry with this epoch.
    Change(Box<SignedEntry>),
    /// The epoch is complete.
    Head {
        /// With the replicas' signatures.
        head: Box<SignedHead>,
        /// The policy that the head names as the next, if that is another than its own.
        next_policy: Option<Box<RealmPolicy>>,
    },
}

/// Some of the stream, from where the verifier asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPage {
    /// Where it begins.
    pub from: StreamPosition,
    /// What follows one another there; empty if there is nothing new.
    pub items: Vec<StreamItem>,
}

impl StreamPage {
    /// Where the next page begins.
    pub fn end(&self) -> StreamPosition {
        let start = StreamPosition { epoch: self.from.epoch.max(1), change: self.from.change };
        self.items.iter().fold(start, |at, item| match item {
            StreamItem::Change(_) => StreamPosition { change: at.change.saturating_add(1), ..at },
            StreamItem::Head { .. } => StreamPosition { epoch: at.epoch.saturating_add(1), change: 0 },
        })
    }
}

/// The most items of a page.
pub const MAX_STREAM_ITEMS: usize = 4096;

impl Message for StreamPage {
    const WHAT: &'static str = "page of the verifiers' stream";
    const KIND: u8 = 13;
    const MOST: usize = 8 << 20;

    fn write(&self, writer: &mut Writer) {
        writer.u64(self.from.epoch).u64(self.from.change).count(self.items.len());
        for item in &self.items {
            match item {
                StreamItem::Change(entry) => entry.write(writer.u8(0)),
                StreamItem::Head { head, next_policy } => {
                    head.write(writer.u8(1));
                    writer.option(next_policy.as_ref(), |policy, writer| policy.write(writer));
                }
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let from = StreamPosition { epoch: reader.u64()?, change: reader.u64()? };
        let count = reader.count(MAX_STREAM_ITEMS, 64)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(match reader.u8()? {
                0 => StreamItem::Change(Box::new(SignedEntry::read(reader)?)),
                1 => StreamItem::Head {
                    head: Box::new(SignedHead::read(reader)?),
                    next_policy: reader.option(RealmPolicy::read)?.map(Box::new),
                },
                other => return Err(reader.fault(format!("{other} is no sort of item"))),
            });
        }
        Ok(Self { from, items })
    }
}
