//! The ways into the parser: strict, lenient, lenient for bytes.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::limits::MAX_TEXT_BYTES;
use crate::parser::reader::Reader;

impl Config {
    /// Reads a configuration string: `bucket=b,cache=(size=10GB),readonly`.
    ///
    /// # Errors
    /// The first mistake, with its position: [`Reason::Syntax`](crate::Reason::Syntax), or
    /// [`Reason::Limit`](crate::Reason::Limit) if one of the [limits](crate::limits) is exceeded.
    pub fn parse(text: &str) -> Result<Self> {
        Reader::new(text, false)?.run().map(|(config, _)| config)
    }

    /// Reads a configuration string of somebody else as far as it makes sense: settings with mistakes are left out, and the
    /// mistakes (64 at the most) are returned beside the rest.
    ///
    /// ```
    /// # use plastron_config::Config;
    /// let (config, mistakes) = Config::parse_lenient("cache_directory=cache,5=x,=,flag");
    /// assert_eq!(config.to_string(), "cache_directory=cache,flag");
    /// assert_eq!(mistakes.len(), 2);
    /// ```
    pub fn parse_lenient(text: &str) -> (Self, Vec<Error>) {
        match Reader::new(text, true).and_then(Reader::run) {
            Ok(read) => read,
            Err(error) => (Self::new(), vec![error]),
        }
    }

    /// As [`Config::parse_lenient`], for bytes that may not even be text: what is no UTF-8 becomes U+FFFD, which is a mistake
    /// outside of quotes.
    pub fn parse_lenient_bytes(bytes: &[u8]) -> (Self, Vec<Error>) {
        // One byte beyond the limit is enough for the reader to see that it is exceeded.
        let bytes = bytes.get(..=MAX_TEXT_BYTES).unwrap_or(bytes);
        Self::parse_lenient(&String::from_utf8_lossy(bytes))
    }
}

impl std::str::FromStr for Config {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}
