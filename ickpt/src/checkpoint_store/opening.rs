//! What is found when a database is opened: what its journal has to say, or that the journal is not its own.

use std::collections::HashMap;

use super::journal::{Header, JournalFile, JournalState, Place, REMEDY, replay};
use super::record::Record;
use super::tables::Instance;
use crate::error::{Fault, Result};

/// What is to be written to the database before anything else.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The newest record of each key that is in the journal only.
    pub(super) records: HashMap<Vec<u8>, Vec<u8>>,
    /// The last entry of the journal that counts.
    pub(super) last: u64,
}

/// Looks at both files of the journal, of which `images` were read.
///
/// # Errors
/// `Corrupt`, for a journal that is damaged, missing, or not this database's as it is now; `Unsupported`.
pub(super) fn found(instance: &Instance, files: &[JournalFile; 2], images: &[Vec<u8>; 2]) -> Result<Found> {
    let both = || files.iter().zip(images);
    match instance.journal {
        Some(state) if state.begun => {
            for (number, (file, image)) in both().enumerate() {
                whose(instance, state, number, image).map_err(|fault| file.refuse(fault))?;
            }
            newer(state, files, images)
        }
        // While it is being begun there is nothing in it, so it may be half made; but not somebody else's.
        before => {
            for (file, image) in both() {
                let another = Header::decode(image).is_ok_and(|header| Some(header.identity) != instance.identity);
                if another || (before.is_none() && !image.is_empty()) {
                    let check = format!(
                        "this journal is not of the database beside it, which is new, or older than it, or of another instance: \
                         put back the database that belongs to it, all files of one time, or {REMEDY}"
                    );
                    return Err(file.refuse(Fault::corrupt(0, check)));
                }
            }
            Ok(Found { last: before.map_or(0, |state| state.contained), ..Found::default() })
        }
    }
}

/// Refuses a file that is not number `number` of the journal that the database knows.
fn whose(instance: &Instance, state: JournalState, number: usize, image: &[u8]) -> Result<(), Fault> {
    if image.is_empty() {
        let check = format!("this file of the journal is missing or empty: put it back as it was, or {REMEDY}");
        return Err(Fault::corrupt(0, check));
    }
    let header = Header::decode(image).map_err(|fault| match fault {
        Fault::Corrupt { offset, check } => Fault::Corrupt { offset, check: format!("{check}: {REMEDY}") },
        other => other,
    })?;
    let wrong = if Some(header.identity) != instance.identity {
        Some(format!("the journal is of instance {}, and the database beside it is not", header.identity))
    } else if header.generation != state.generation {
        Some("journal and database are not of the same start of this instance, so one of them was put back".to_owned())
    } else if usize::from(header.number) != number || header.file_bytes as usize != image.len() {
        Some("the file has another name or another length than it was made with".to_owned())
    } else {
        None
    };
    wrong
        .map_or(Ok(()), |wrong| Err(Fault::corrupt(0, format!("{wrong}: put all files of one time back, or {REMEDY}"))))
}

/// What the journal has above what the database contains.
fn newer(state: JournalState, files: &[JournalFile; 2], images: &[Vec<u8>; 2]) -> Result<Found> {
    let [first, second] = files;
    let refuse = |number: usize, fault: Fault| if number == 0 { first } else { second }.refuse(fault);
    let [one, two] = images;
    let entries = replay([one, two], state.generation, state.base, state.contained);
    let mut found = Found { records: HashMap::new(), last: state.contained };
    for Place { number, offset, frame } in entries.map_err(|(number, fault)| refuse(number, fault))? {
        let corrupt = |fault: Fault| match fault {
            Fault::Corrupt { offset: inner, check } => refuse(
                number,
                Fault::Corrupt {
                    offset: offset as u64,
                    check: format!("entry {}, byte {inner}: {check}: {REMEDY}", frame.sequence),
                },
            ),
            other => refuse(number, other),
        };
        for (key, record) in frame.records().map_err(corrupt)? {
            Record::decode(key, record).map_err(corrupt)?;
            found.records.insert(key.to_vec(), record.to_vec());
        }
        found.last = frame.sequence;
    }
    if found.last > state.contained {
        tracing::info!(entries = found.last - state.contained, "the journal has what the database has not");
    }
    Ok(found)
}
