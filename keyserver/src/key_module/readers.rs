//! Which nodes may read: what stands in the profile of `cluster/<cluster>/readers`.

use super::names::{MAX_ID_BYTES, check_id};
use crate::encoding::{Reader, Writer};
use crate::proto::{Message, Profile};
use crate::{Error, Result};

/// The most readers of a cluster.
pub const MAX_READERS: usize = 128;

/// Ids of nodes, ascending, none twice. The list may be empty: then nobody may read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readers(Vec<String>);

impl Readers {
    /// The application under which a profile has it.
    pub const APPLICATION: &'static str = "readers";

    /// The list of these, in any order.
    ///
    /// # Errors
    /// `Invalid` for an id that is none, and for too many.
    pub fn new(ids: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut ids: Vec<String> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        ids.iter().try_for_each(|id| check_id("node", id))?;
        if ids.len() > MAX_READERS {
            let why = format!("{} nodes, of at most {MAX_READERS}", ids.len());
            return Err(Error::Invalid { what: Self::WHAT, why });
        }
        Ok(Self(ids))
    }

    /// The ids.
    pub fn ids(&self) -> &[String] {
        &self.0
    }

    /// The list in a profile.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`; `NotFound` if the profile has none.
    pub fn of(profile: &Profile) -> Result<Self> {
        let missing = || Error::NotFound { what: Self::WHAT, why: "the profile has none".to_owned() };
        Self::from_bytes(profile.keys().get(Self::APPLICATION).ok_or_else(missing)?)
    }
}

impl Message for Readers {
    const WHAT: &'static str = "list of readers";
    const KIND: u8 = 23;
    const MOST: usize = 10 << 10;

    fn write(&self, writer: &mut Writer) {
        writer.count(self.0.len());
        for id in &self.0 {
            writer.bytes(id.as_bytes());
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let count = reader.count(MAX_READERS, 5)?;
        let mut ids: Vec<String> = Vec::with_capacity(count);
        for _ in 0..count {
            let id = read_id(reader)?;
            if ids.last().is_some_and(|last| *last >= id) {
                return Err(reader.fault("the ids of readers are not in ascending order"));
            }
            ids.push(id);
        }
        Ok(Self(ids))
    }
}

/// An id, checked.
pub(super) fn read_id(reader: &mut Reader<'_>) -> Result<String> {
    let id = reader.text(MAX_ID_BYTES)?;
    check_id("id", &id).map_err(|error| reader.fault(error.to_string()))?;
    Ok(id)
}
