//! Dumping a chain: where each of its records is and what it says of itself, without its bytes.

use std::fmt;
use std::time::Duration;

use super::PageLogFault;
use super::lsn::Lsn;
use super::reader::Step;
use super::record::RecordKind;
use super::table::TableHandle;

/// One record of a chain, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumpedRecord {
    /// Its LSN.
    pub lsn: Lsn,
    /// What it says about the page.
    pub kind: RecordKind,
    /// The page's record before.
    pub backlink: Lsn,
    /// The full page it builds on; none for a full page.
    pub base: Lsn,
    /// The object that it is in; none while it is in memory only.
    pub object: Option<String>,
    /// Where it begins there, bytes.
    pub offset: u64,
    /// Bytes that it takes there, header included; in memory, those of the page.
    pub length: u64,
}

impl fmt::Display for DumpedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            RecordKind::Full => "full page",
            RecordKind::Delta => "delta",
            RecordKind::Discard => "tombstone",
            RecordKind::Trim => "trim",
        };
        write!(f, "{kind} at LSN {}, backlink {}, base {}", self.lsn, self.backlink, self.base)?;
        match &self.object {
            Some(object) => write!(f, ", {object} bytes {}..{}", self.offset, self.offset + self.length),
            None => write!(f, ", {} bytes in memory", self.length),
        }
    }
}

impl TableHandle {
    /// The records that a get at `lsn` would return, newest first, and where they are. A chain that is broken ends with the fault instead
    /// of the record that is wrong.
    ///
    /// # Errors
    /// As [`TableHandle::get`].
    pub async fn dump(&self, page: u64, lsn: Lsn) -> Result<Vec<DumpedRecord>, PageLogFault> {
        let (steps, _) = self.log().shared.walk(self.id(), page, lsn, Duration::ZERO, false).await?;
        Ok(steps.iter().map(DumpedRecord::of).collect())
    }
}

impl DumpedRecord {
    fn of(step: &Step) -> Self {
        let (object, offset, length) = match step {
            Step::Record(record) => (None, 0, record.payload.len() as u64),
            Step::Located(located) => {
                let entry = &located.entry;
                (Some(located.segment.object_name()), entry.offset, u64::from(entry.length))
            }
        };
        let (backlink, base) = (step.backlink(), step.base());
        Self { lsn: step.key().lsn, kind: step.kind(), backlink, base, object, offset, length }
    }
}
