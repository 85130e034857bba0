//! All that a name has had.

use super::entry::SignedEntry;
use super::message::Message;
use super::profile::Profile;
use crate::Result;
use crate::encoding::{Reader, Writer};

/// One entry that a name has had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryItem {
    /// With which epoch it came.
    pub epoch: u64,
    /// The entry, with what made it valid.
    pub signed: SignedEntry,
    /// Its profile.
    pub profile: Profile,
}

/// Some of them, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// The entries.
    pub items: Vec<HistoryItem>,
}

impl HistoryPage {
    /// The most entries of a page.
    pub const MOST_ITEMS: usize = 32;
}

impl Message for HistoryPage {
    const WHAT: &'static str = "page of a name's history";
    const KIND: u8 = 18;
    const MOST: usize = 8 << 20;

    fn write(&self, writer: &mut Writer) {
        writer.count(self.items.len());
        for item in &self.items {
            writer.u64(item.epoch);
            item.signed.write(writer);
            item.profile.write(writer);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let count = reader.count(Self::MOST_ITEMS, 64)?;
        let read = |reader: &mut Reader<'_>| {
            Ok(HistoryItem {
                epoch: reader.u64()?,
                signed: SignedEntry::read(reader)?,
                profile: Profile::read(reader)?,
            })
        };
        Ok(Self { items: (0..count).map(|_| read(reader)).collect::<Result<_>>()? })
    }
}
