//! The state of a log: all that has to be known to open it. It stands inside a turtle object, which says when it was true.

use super::Damage;
use super::numbers::{Cursor, check_version, checked, put_crc};
use super::run_ref::RunRef;
use super::segment_ref::SegmentRef;
use super::segment_tail::{Trim, put_trims, take_trims};
use crate::page_log::PageLogFault;
use crate::page_log::lsn::Lsn;

/// First bytes of every encoded state.
const STATE_MAGIC: &[u8; 8] = b"PLSTCLOG";

/// The newest version of the format, which is the one written.
const STATE_VERSION: u16 = 1;

/// All that has to be known to open a log: which objects it is made of. What they hold is immutable; this is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogState {
    /// The database: 128 random bits, drawn when it is created.
    pub(crate) database: u128,
    /// The last LSN that the state speaks of: everything up to it is in the bucket, unless it was abandoned or trimmed.
    pub(crate) last_lsn: Lsn,
    /// The number of the next segment.
    pub(crate) next_sequence: u64,
    /// The number of the next index run.
    pub(crate) next_run: u64,
    /// Index runs, oldest first; each speaks of LSNs above those of the one before.
    pub(crate) runs: Vec<RunRef>,
    /// Segments that are in no run yet, oldest first, all above the runs.
    pub(crate) segments: Vec<SegmentRef>,
    /// Trims, in the order of their LSNs.
    pub(crate) trims: Vec<Trim>,
}

impl LogState {
    /// The state of a new, empty log of `database`, which must be drawn at random.
    pub fn new(database: u128) -> Self {
        Self {
            database,
            last_lsn: Lsn::NONE,
            next_sequence: 1,
            next_run: 1,
            runs: Vec::new(),
            segments: Vec::new(),
            trims: Vec::new(),
        }
    }

    /// The database.
    pub fn database(&self) -> u128 {
        self.database
    }

    /// The last LSN that the state speaks of.
    pub fn last_lsn(&self) -> Lsn {
        self.last_lsn
    }

    /// The number of the next segment.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// The index runs, oldest first.
    pub fn runs(&self) -> &[RunRef] {
        &self.runs
    }

    /// The segments that are in no run yet, oldest first. The others are listed by the runs.
    pub fn segments(&self) -> &[SegmentRef] {
        &self.segments
    }

    /// The trims, oldest first.
    pub fn trims(&self) -> &[Trim] {
        &self.trims
    }

    /// The state as bytes: versioned and with a checksum.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Vec::new();
        to.extend_from_slice(STATE_MAGIC);
        to.extend_from_slice(&STATE_VERSION.to_le_bytes());
        to.extend_from_slice(&[0; 6]);
        to.extend_from_slice(&self.database.to_le_bytes());
        for number in [self.last_lsn.get(), self.next_sequence, self.next_run] {
            to.extend_from_slice(&number.to_le_bytes());
        }
        to.extend_from_slice(&(self.runs.len() as u32).to_le_bytes());
        to.extend_from_slice(&(self.segments.len() as u32).to_le_bytes());
        self.runs.iter().for_each(|run| run.encode(&mut to));
        self.segments.iter().for_each(|segment| segment.encode(&mut to));
        put_trims(&self.trims, &mut to);
        put_crc(&mut to, 0);
        to
    }

    /// Reads what [`LogState::encode`] made; `object` is what it stands in, for messages.
    ///
    /// # Errors
    /// `Corrupt`, or `Unsupported` for a later version.
    pub fn decode(bytes: &[u8], object: &str) -> Result<Self, PageLogFault> {
        Self::decode_bytes(bytes).map_err(|damage| PageLogFault::damaged(object, damage))
    }

    pub(crate) fn decode_bytes(bytes: &[u8]) -> Result<Self, Damage> {
        let mut cursor = Cursor::new(bytes, 0);
        check_version(&mut cursor, STATE_MAGIC, STATE_VERSION, "the state of a page log")?;
        let mut cursor = Cursor::new(checked(bytes, 0, "the state of a page log")?, 0);
        cursor.take(10, "the header")?;
        cursor.zeros(6)?;
        let database = cursor.u128("the database")?;
        let last_lsn = Lsn::new(cursor.u64("the last LSN")?);
        let (next_sequence, next_run) = (cursor.u64("the next segment")?, cursor.u64("the next run")?);
        let (runs, segments) = (cursor.u32("the number of runs")?, cursor.u32("the number of segments")?);
        let runs = (0..runs).map(|_| RunRef::decode(&mut cursor, database)).collect::<Result<Vec<_>, _>>()?;
        let segments =
            (0..segments).map(|_| SegmentRef::decode(&mut cursor, database)).collect::<Result<Vec<_>, _>>()?;
        let trims = take_trims(&mut cursor)?;
        cursor.end("the state")?;
        let state = Self { database, last_lsn, next_sequence, next_run, runs, segments, trims };
        match state.contradiction() {
            None => Ok(state),
            Some(check) => Err(Damage::corrupt(0..bytes.len() as u64, check)),
        }
    }

    /// What can't be.
    fn contradiction(&self) -> Option<String> {
        let mut below = Lsn::NONE;
        let spans = self.runs.iter().map(|run| (run.first_lsn, run.last_lsn, run.last_lsn(), run.object_name()));
        let segments = self.segments.iter();
        let segments =
            segments.map(|segment| (segment.first_lsn, segment.last_lsn, segment.last_lsn(), segment.object_name()));
        for (first, last, visible, name) in spans.chain(segments) {
            if first <= below {
                return Some(format!("{name} begins at LSN {first}, which is not above {below}"));
            }
            if visible > self.last_lsn {
                return Some(format!("{name} ends at LSN {visible}, which is above the last one, {}", self.last_lsn));
            }
            below = last;
        }
        let taken = |segment: &&SegmentRef| segment.identity.sequence >= self.next_sequence;
        if let Some(segment) = self.segments.iter().find(taken) {
            return Some(format!("the next segment is {}, and there is {}", self.next_sequence, segment.object_name()));
        }
        let taken = |run: &&RunRef| run.number >= self.next_run;
        self.runs
            .iter()
            .find(taken)
            .map(|run| format!("the next run is {}, and there is {}", self.next_run, run.object_name()))
    }
}
