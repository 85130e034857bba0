//! What the journal has and the database does not.
//!
//! Every block at which an entry may begin is looked at, in both files. What is newer than what the database contains must be there from the next sequence on, without a gap;
//! then it does not matter in which file it was found. What is not readable behind the last of them was being written when the process or the power ended, and nobody
//! was told of it. A gap is damage: nothing is written before all in front of it is synced.

use super::entry::{BLOCK_BYTES, Frame, Generation};
use crate::error::Fault;

/// What to do about a journal that can't be used.
pub(crate) const REMEDY: &str =
    "what was acknowledged may be missing; put the folder aside, start with a new one and reseed it";

/// Where an entry lies: in which file, and at which byte of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) number: usize,
    pub(crate) offset: usize,
    pub(crate) frame: Frame<'a>,
}

/// The entries above sequence `contained`, in order; they begin there since `base`.
///
/// # Errors
/// The file, and what is `Corrupt` in it: an entry is missing or damaged, or one that can't be used, or an older journal than the database knows of.
pub(crate) fn replay<'a>(
    images: [&'a [u8]; 2],
    generation: Generation,
    base: u64,
    contained: u64,
) -> Result<Vec<Place<'a>>, (usize, Fault)> {
    let mut all: Vec<Place<'a>> = Vec::new();
    for (number, image) in images.into_iter().enumerate() {
        let mut offset = BLOCK_BYTES;
        while offset < image.len() {
            let frame = Frame::at(image, offset, generation);
            all.extend(frame.map(|frame| Place { number, offset, frame }));
            offset += frame.map_or(BLOCK_BYTES, |frame| frame.len());
        }
    }
    all.sort_by_key(|place| place.frame.sequence);
    let last_contained = all.iter().rev().find(|place| place.frame.sequence <= contained).copied();
    let newer: Vec<_> = all.into_iter().filter(|place| place.frame.sequence > contained).collect();
    let (mut before, mut expected) = (last_contained, contained);
    for place in &newer {
        expected = expected.saturating_add(1);
        if place.frame.sequence != expected {
            // Behind the one before, where that is known and belongs there; else at the beginning of the file.
            let (number, offset) = before
                .filter(|before| before.frame.sequence.saturating_add(1) == expected)
                .map_or((place.number, BLOCK_BYTES), |before| (before.number, before.offset + before.frame.len()));
            let check = format!(
                "entry {expected} of the journal can't be read, and entry {} at byte {} of file {} can: {REMEDY}",
                place.frame.sequence, place.offset, place.number
            );
            return Err((number, Fault::corrupt(offset, check)));
        }
        before = Some(*place);
    }
    let knows = last_contained.is_some_and(|place| place.frame.sequence == contained);
    if contained > base && newer.is_empty() && !knows {
        let check = format!("entry {contained} is in the database, and the journal is older: {REMEDY}");
        return Err((0, Fault::corrupt(BLOCK_BYTES, check)));
    }
    Ok(newer)
}
