//! The checkpoint string: the text that an engine gives to its application to name a checkpoint, and takes back to open it.

use std::fmt;

use crate::error::Fault;
use crate::settings::{self, VERSION};

const WHAT: &str = "the checkpoint string";
const KNOWN: &[&str] = &["metadata_lsn", "metadata_checksum", "database_size"];

/// A checkpoint string: `metadata_lsn=…,metadata_checksum=<hex>,…,version=1,compatible_version=1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointString {
    /// LSN of the turtle page; never 0. (WiredTiger calls the turtle page the metadata page.)
    pub metadata_lsn: u64,
    /// Checksum of that page, if it is said.
    pub metadata_checksum: Option<u32>,
    /// Bytes of the database, if it is said.
    pub database_size: Option<u64>,
}

impl CheckpointString {
    /// Reads a checkpoint string.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for what is none, [`Fault::Unsupported`] for one that demands a later reader.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let config = settings::read(text, WHAT, KNOWN)?;
        let checksum = settings::hexadecimal(&config, WHAT, "metadata_checksum")?;
        let checksum = checksum.map(|checksum| {
            u32::try_from(checksum)
                .map_err(|_| Fault::Invalid(format!("{WHAT} has a metadata_checksum of more than 32 bits")))
        });
        match settings::decimal(&config, WHAT, "metadata_lsn")? {
            Some(metadata_lsn) if metadata_lsn > 0 => Ok(Self {
                metadata_lsn,
                metadata_checksum: checksum.transpose()?,
                database_size: settings::decimal(&config, WHAT, "database_size")?,
            }),
            _ => Err(Fault::Invalid(format!("{WHAT} has no metadata_lsn above 0"))),
        }
    }
}

impl fmt::Display for CheckpointString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metadata_lsn={}", self.metadata_lsn)?;
        if let Some(checksum) = self.metadata_checksum {
            write!(f, ",metadata_checksum={checksum:x}")?;
        }
        if let Some(size) = self.database_size {
            write!(f, ",database_size={size}")?;
        }
        write!(f, ",version={VERSION},compatible_version={VERSION}")
    }
}
