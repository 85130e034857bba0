//! What the texts of turtle pages and checkpoint strings share: numbers of 64 bits, and the rules of versions.
//!
//! A text has both of `version` and `compatible_version`, or none (then it is of version 1). One that demands a reader of a later version is
//! `Unsupported`. Settings that are not known are refused in a text of our own version, and skipped in a later one.

use plastron_config::{Config, Value};

use crate::error::Fault;

/// The version of both texts that is written, and the latest that is known whole.
pub(crate) const VERSION: u32 = 1;

/// Reads `text`, checks its versions, and that all of it is `known`; what it is, for messages, is `what`.
pub(crate) fn read(text: &str, what: &str, known: &[&str]) -> Result<Config, Fault> {
    let config = Config::parse(text).map_err(|error| Fault::Invalid(format!("{what} can't be read: {error}")))?;
    let number = |key: &str| -> Result<Option<u32>, Fault> {
        let Some(value) = config.get(key) else { return Ok(None) };
        let number = value.text().filter(|text| is_plain(text, u8::is_ascii_digit)).and_then(|text| text.parse().ok());
        match number {
            Some(0) | None => Err(Fault::Invalid(format!("{what} has a {key} that is no number above 0"))),
            some => Ok(some),
        }
    };
    let version = match (number("version")?, number("compatible_version")?) {
        (None, None) => VERSION,
        (Some(version), Some(compatible)) if compatible > version => {
            return Err(Fault::Invalid(format!("{what} has version {version}, and compatible_version {compatible}")));
        }
        (Some(version), Some(compatible)) if compatible > VERSION => {
            return Err(Fault::Unsupported(format!(
                "{what} has version {version} and demands a reader of version {compatible}, and this program reads up to {VERSION}; use a newer one"
            )));
        }
        (Some(version), Some(_)) => version,
        (Some(_), None) => return Err(Fault::Invalid(format!("{what} has a version, and no compatible_version"))),
        (None, Some(_)) => return Err(Fault::Invalid(format!("{what} has a compatible_version, and no version"))),
    };
    // Items without a name, such as brackets in a list, are settings of no version.
    let named = config.iter().count() == config.len();
    let stranger = config
        .iter()
        .map(|(key, _)| key)
        .find(|key| version == VERSION && !known.contains(key) && !["version", "compatible_version"].contains(key));
    match stranger {
        Some(key) => {
            Err(Fault::Invalid(format!("{what} has version {VERSION}, and the setting '{key}', which that has not")))
        }
        None if !named => Err(Fault::Invalid(format!("{what} holds something that is no setting"))),
        None => Ok(config),
    }
}

/// The decimal number of 64 bits at `key`.
pub(crate) fn decimal(config: &Config, what: &str, key: &str) -> Result<Option<u64>, Fault> {
    let number = |value: &Value| {
        let text = value.text().filter(|text| is_plain(text, u8::is_ascii_digit));
        text.and_then(|text| text.parse().ok()).ok_or_else(|| wrong(what, key, "a decimal"))
    };
    config.get(key).map(number).transpose()
}

/// The hexadecimal number of 64 bits at `key`.
pub(crate) fn hexadecimal(config: &Config, what: &str, key: &str) -> Result<Option<u64>, Fault> {
    config.get(key).map(|value| value.text().and_then(hex).ok_or_else(|| wrong(what, key, "a hexadecimal"))).transpose()
}

/// A hexadecimal number of 64 bits, without sign or prefix.
pub(crate) fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok().filter(|_| is_plain(text, u8::is_ascii_hexdigit))
}

fn is_plain(text: &str, digit: impl Fn(&u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(|byte| digit(&byte))
}

fn wrong(what: &str, key: &str, sort: &str) -> Fault {
    Fault::Invalid(format!("{what} has a {key} that is not {sort} number of 64 bits"))
}
