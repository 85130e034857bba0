//! The turtle page: the text in which an engine finds the root of a checkpoint. WiredTiger's forms, with its rules.
//!
//! Written: `version=1,compatible_version=1,checkpoint=(…),timestamp=<hex>,…`. Read as well: the same without versions, as 8.3 wrote it, and
//! the *legacy* form of two lines, `(WiredTigerCheckpoint.N=(…))` and `timestamp=<hex>`. Blanks around settings don't matter.

use std::fmt;

use plastron_config::Config;

use crate::error::Fault;
use crate::settings::{self, VERSION};

const WHAT: &str = "the turtle page";
/// How a page of the legacy form begins.
const LEGACY: &str = "(WiredTigerCheckpoint.";
const KNOWN: &[&str] = &["checkpoint", "timestamp", "oldest_timestamp", "largest_file_id", "key_provider"];
/// The one page that key providers have.
const KEY_PAGE: u64 = 1;

/// A turtle page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurtlePage {
    /// Root of the metadata, as the engine wrote it: what stands between the brackets of `checkpoint=(…)`.
    pub checkpoint: Config,
    /// Timestamp of the checkpoint; 0 for none.
    pub timestamp: u64,
    /// The oldest timestamp of it, if it is said.
    pub oldest_timestamp: Option<u64>,
    /// The largest number of a file, if it is said.
    pub largest_file_id: Option<u64>,
    /// The KEK page, if there is one.
    pub key_provider: Option<KeyProvider>,
}

/// Which KEK page a checkpoint needs: page 1 of the table of keys, at this LSN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyProvider {
    /// Its LSN; never 0.
    pub lsn: u64,
}

impl TurtlePage {
    /// Reads a turtle page of any form.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for what is no turtle page, [`Fault::Unsupported`] for one that demands a later reader.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault::Invalid(format!("{WHAT} is empty")));
        }
        if text.starts_with(LEGACY) {
            return Self::parse_legacy(text);
        }
        let config = settings::read(text, WHAT, KNOWN)?;
        let checkpoint = config.get("checkpoint").and_then(|value| value.section());
        Ok(Self {
            checkpoint: checkpoint.cloned().ok_or_else(|| Fault::Invalid(format!("{WHAT} has no checkpoint=(…)")))?,
            timestamp: settings::hexadecimal(&config, WHAT, "timestamp")?
                .ok_or_else(|| Fault::Invalid(format!("{WHAT} has no timestamp")))?,
            oldest_timestamp: settings::hexadecimal(&config, WHAT, "oldest_timestamp")?,
            largest_file_id: settings::decimal(&config, WHAT, "largest_file_id")?,
            key_provider: KeyProvider::of(&config)?,
        })
    }

    fn parse_legacy(text: &str) -> Result<Self, Fault> {
        let wrong = |problem: &str| Fault::Invalid(format!("{WHAT} has the legacy form, and {problem}"));
        let (checkpoint, timestamp) = text.split_once('\n').ok_or_else(|| wrong("no second line"))?;
        let timestamp = timestamp.strip_suffix('\n').unwrap_or(timestamp);
        let timestamp = timestamp.strip_prefix("timestamp=").and_then(settings::hex);
        let config = Config::parse(&format!("checkpoint={checkpoint}"))
            .map_err(|error| wrong(&format!("its first line can't be read: {error}")))?;
        // Nothing may stand behind the bracket.
        let section = config.get("checkpoint").and_then(|value| value.section()).filter(|_| config.len() == 1);
        Ok(Self {
            checkpoint: section.cloned().ok_or_else(|| wrong("its first line is no bracket"))?,
            timestamp: timestamp.ok_or_else(|| wrong("its second line is not timestamp=<hex>"))?,
            oldest_timestamp: None,
            largest_file_id: None,
            key_provider: None,
        })
    }

    /// The page in the legacy form, of which it keeps only the checkpoint and its timestamp.
    pub fn to_legacy(&self) -> String {
        format!("({})\ntimestamp={:x}", self.checkpoint, self.timestamp)
    }
}

impl KeyProvider {
    fn of(config: &Config) -> Result<Option<Self>, Fault> {
        let Some(value) = config.get("key_provider") else { return Ok(None) };
        let wrong = |problem: &str| Fault::Invalid(format!("{WHAT} has a key_provider {problem}"));
        let section = value.section().ok_or_else(|| wrong("that is no bracket"))?;
        match settings::decimal(section, WHAT, "version")? {
            Some(1) => {}
            Some(0) | None => return Err(wrong("without a version")),
            Some(version) => {
                return Err(Fault::Unsupported(format!(
                    "{WHAT} has a key_provider of version {version}, and this program reads version 1; use a newer one"
                )));
            }
        }
        let page = section.get("page.1").and_then(|value| value.section()).ok_or_else(|| wrong("without a page.1"))?;
        if settings::decimal(page, WHAT, "page_id")? != Some(KEY_PAGE) {
            return Err(wrong("whose page.1 has no page_id=1"));
        }
        match settings::decimal(page, WHAT, "lsn")? {
            Some(lsn) if lsn > 0 => Ok(Some(Self { lsn })),
            _ => Err(wrong("whose page.1 has no lsn above 0")),
        }
    }
}

/// The form that is written.
impl fmt::Display for TurtlePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version={VERSION},compatible_version={VERSION},checkpoint=({})", self.checkpoint)?;
        write!(f, ",timestamp={:x}", self.timestamp)?;
        if let Some(oldest) = self.oldest_timestamp {
            write!(f, ",oldest_timestamp={oldest:x}")?;
        }
        if let Some(file) = self.largest_file_id {
            write!(f, ",largest_file_id={file}")?;
        }
        if let Some(KeyProvider { lsn }) = self.key_provider {
            write!(f, ",key_provider=(page.1=(page_id={KEY_PAGE},lsn={lsn}),version=1)")?;
        }
        Ok(())
    }
}
