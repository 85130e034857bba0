//! Object names: what they may be, and how they become keys of the bucket.
//!
//! A *name* is what callers use; a *key* is the bucket's prefix followed by the name, exactly as the provider stores it. Names
//! are refused here, before any request. [`Names`] is the only place that goes from one to the other, for the bucket's
//! operations and for listing.

use object_store::path::Path;

use crate::error::Fault;
use crate::source::Provider;

/// Longest key (prefix and name together), bytes of UTF-8: the limit of S3, and the smallest of all providers.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
pub const MAX_NAME_BYTES: usize = 1024;

/// Most segments of a blob's name.
/// <https://learn.microsoft.com/en-us/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata#blob-names>
const MAX_AZURE_SEGMENTS: usize = 254;

/// First segment of every name that Plastron keeps for itself: log segments, turtle objects, block checksums.
pub(crate) const SYSTEM: &str = "_plastron";

/// Checks that `name` can be an object's name: 1 to 1,024 bytes of UTF-8; segments separated by `/`, none of them empty, `.` or
/// `..`; no control characters, none that XML cannot carry, and no backslash, which some stores take for a slash. Everything
/// else, `%`, `+`, `#` and spaces included, is stored as it stands. Azure takes a little less, which its buckets check: no segment
/// that ends with a dot, and 254 segments at the most.
///
/// # Errors
/// [`Fault::Name`] with the reason.
///
/// ```
/// assert!(plastron_sources::check_name("2026/July report #1 (50%+).pdf").is_ok());
/// assert!(plastron_sources::check_name("../etc/passwd").is_err());
/// ```
pub fn check_name(name: &str) -> Result<(), Fault> {
    if name.is_empty() {
        return Err(refuse("it is empty"));
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(refuse(format!("it has {} bytes, and a name has {MAX_NAME_BYTES} at the most", name.len())));
    }
    check_characters(name).map_err(refuse)?;
    if name.starts_with('/') {
        return Err(refuse("it starts with /; names are relative to the bucket"));
    }
    if name.ends_with('/') {
        return Err(refuse("it ends with /; only listing prefixes do"));
    }
    name.split('/').try_for_each(check_segment).map_err(refuse)
}

/// Checks that `prefix` can be the beginning of a name. The empty prefix can.
fn check_prefix(prefix: &str) -> Result<(), String> {
    if prefix.len() > MAX_NAME_BYTES {
        return Err(format!("it has {} bytes, and a name has {MAX_NAME_BYTES} at the most", prefix.len()));
    }
    check_characters(prefix)?;
    // What follows the last slash is open-ended: `a/.` is the beginning of `a/.profile`.
    match prefix.rsplit_once('/') {
        Some((complete, _)) => complete.split('/').try_for_each(check_segment),
        None => Ok(()),
    }
}

fn check_characters(name: &str) -> Result<(), String> {
    // U+FFFE and U+FFFF are not characters of XML 1.0 (section 2.2), in which providers list names.
    match name.char_indices().find(|(_, c)| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        Some((at, c)) => {
            let (what, why) = if c.is_control() { ("control ", "") } else { ("", ", which XML cannot carry") };
            Err(format!("it has the {what}character U+{:04X} at byte {at}{why}", u32::from(c)))
        }
        // To Azure and others a backslash is a slash, so two names would be one object.
        None if name.contains('\\') => Err("it has a backslash, which some stores take for a slash".to_owned()),
        None => Ok(()),
    }
}

fn check_segment(segment: &str) -> Result<(), String> {
    match segment {
        "" => Err("it has an empty segment (a leading / or //)".to_owned()),
        "." | ".." => Err(format!("it has the segment {segment}; names are not paths and are not resolved")),
        _ => Ok(()),
    }
}

/// What Azure would not store as it stands.
fn check_azure(key: &str) -> Result<(), Fault> {
    if key.split('/').any(|segment| segment.ends_with('.')) {
        return Err(refuse("it has a segment that ends with a dot, which Azure drops"));
    }
    let segments = key.split('/').count();
    if segments > MAX_AZURE_SEGMENTS {
        return Err(refuse(format!("it has {segments} segments, and Azure allows {MAX_AZURE_SEGMENTS}")));
    }
    Ok(())
}

fn refuse(reason: impl Into<String>) -> Fault {
    Fault::Name { reason: reason.into() }
}

/// Goes between names and keys.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
    provider: Provider,
}

impl Names {
    /// Names in a bucket of `provider` under its `prefix`, which is put in front of them as it stands.
    pub(crate) fn new(prefix: &str, provider: Provider) -> Result<Self, Fault> {
        check_prefix(prefix).map_err(|reason| {
            Fault::Config(format!("bucket_prefix \"{}\": no name begins like this: {reason}", prefix.escape_debug()))
        })?;
        Ok(Self { prefix: prefix.to_owned(), provider })
    }

    /// The key of a caller's object. Plastron's own names are refused unless `system`.
    pub(crate) fn key(&self, name: &str, system: bool) -> Result<Path, Fault> {
        check_name(name)?;
        if !system && is_system(name) {
            return Err(refuse(format!("names under {SYSTEM}/ are Plastron's own; choose another")));
        }
        let key = format!("{}{name}", self.prefix);
        if key.len() > MAX_NAME_BYTES {
            return Err(refuse(format!(
                "with the bucket's prefix it has {} bytes, and a key has {MAX_NAME_BYTES} at the most",
                key.len()
            )));
        }
        if self.provider == Provider::Azure {
            check_azure(&key)?;
        }
        Path::parse(&key).map_err(|error| refuse(error.to_string()))
    }

    /// The key that every name beginning with `prefix` begins with.
    pub(crate) fn list_key(&self, prefix: &str) -> Result<String, Fault> {
        check_prefix(prefix).map_err(|reason| refuse(format!("no name begins like this: {reason}")))?;
        Ok(format!("{}{prefix}", self.prefix))
    }

    /// The name of a key, or none if the key is outside the bucket's prefix.
    pub(crate) fn name<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(self.prefix.as_str()).filter(|name| !name.is_empty())
    }

    /// The bucket's prefix.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// Whether `name`, or the beginning of a name, belongs to Plastron itself.
pub(crate) fn is_system(name: &str) -> bool {
    name.split('/').next() == Some(SYSTEM)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reason(name: &str) -> String {
        match check_name(name) {
            Err(Fault::Name { reason }) => reason,
            other => panic!("{name:?}: {other:?}"),
        }
    }

    #[test]
    fn names_are_refused_with_the_reason() {
        for (name, words) in [
            ("", "empty"),
            (".", "segment ."),
            ("..", "segment .."),
            ("a/../b", "segment .."),
            ("a/./b", "segment ."),
            ("/a", "starts with /"),
            ("a/", "ends with /"),
            ("/", "starts with /"),
            ("a//b", "empty segment"),
            ("a\0b", "U+0000 at byte 1"),
            ("a\nb", "U+000A at byte 1"),
            ("\u{7f}", "U+007F"),
            ("a\u{85}", "U+0085"),
            ("\u{ffff}", "U+FFFF"),
            (&"x".repeat(1025), "1025 bytes"),
            (&"ä".repeat(513), "1026 bytes"),
        ] {
            assert!(reason(name).contains(words), "{name:?}: {}", reason(name));
        }
    }

    #[test]
    fn names_that_look_odd_are_kept_as_they_stand() {
        let names = Names::new("db1_", Provider::S3).unwrap();
        for name in
            ["a b", "100%", "%2F", "%", "a+b", "#1", "ü/✓/𝄞", "a?b", "...", "a/.hidden", "~", "*", "a:b", "\"", " "]
        {
            let key = names.key(name, false).unwrap();
            assert_eq!(key.as_ref(), format!("db1_{name}"));
            assert_eq!(names.name(key.as_ref()), Some(name));
        }
        assert!(Names::new("", Provider::S3).unwrap().key(&"x".repeat(1024), false).is_ok());
    }

    #[test]
    fn the_prefix_counts_against_the_length() {
        let names = Names::new("db1/", Provider::S3).unwrap();
        assert!(names.key(&"x".repeat(1020), false).is_ok());
        assert!(matches!(names.key(&"x".repeat(1021), false), Err(Fault::Name { .. })));
    }

    #[test]
    fn azure_takes_less() {
        let names = Names::new("db1/", Provider::Azure).unwrap();
        for name in ["a.", "a./b", "...", &"a/".repeat(253), "back\\slash"] {
            let name = format!("{name}{}", if name.ends_with('/') { "a" } else { "" });
            assert!(matches!(names.key(&name, false), Err(Fault::Name { .. })), "{name}");
        }
        assert!(names.key(&("a/".repeat(252) + "a"), false).is_ok());
        assert!(names.key("a.b", false).is_ok());
    }

    #[test]
    fn plastrons_own_names_need_the_system_view() {
        let names = Names::new("", Provider::S3).unwrap();
        for name in ["_plastron", "_plastron/log/1.seg"] {
            assert!(matches!(names.key(name, false), Err(Fault::Name { .. })));
            assert!(names.key(name, true).is_ok());
        }
        assert!(names.key("_plastrons", false).is_ok());
        assert!(names.key("a/_plastron/x", false).is_ok());
    }

    #[test]
    fn prefixes_are_open_ended() {
        for prefix in ["", "db1/", "db1_", "a/.", "a/..", "ü"] {
            assert!(Names::new(prefix, Provider::S3).is_ok(), "{prefix}");
        }
        for prefix in ["/", "/a", "a//", "../", "a/./", "a\nb", &"x".repeat(1025)] {
            assert!(matches!(Names::new(prefix, Provider::S3), Err(Fault::Config(_))), "{prefix}");
        }
        // An open-ended prefix must not complete to a forbidden segment.
        assert!(matches!(Names::new("a/.", Provider::S3).unwrap().key(".", false), Err(Fault::Name { .. })));
    }

    proptest! {
        #[test]
        fn an_accepted_name_survives_the_way_to_a_key_and_back(prefix in "[a-z]{0,3}[/_]?", name in "\\PC{0,40}") {
            if let Ok(names) = Names::new(&prefix, Provider::S3) {
                match names.key(&name, false) {
                    Ok(key) => {
                        prop_assert_eq!(key.as_ref(), format!("{prefix}{name}"));
                        prop_assert_eq!(names.name(key.as_ref()), Some(name.as_str()));
                    }
                    Err(Fault::Name { .. }) => {}
                    Err(other) => prop_assert!(false, "{}", other),
                }
            }
        }

        #[test]
        fn any_text_is_accepted_or_refused_without_panic(name in any::<String>()) {
            let sound = !name.is_empty()
                && name.len() <= MAX_NAME_BYTES
                && !name.chars().any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}' | '\\'))
                && name.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
            prop_assert_eq!(check_name(&name).is_ok(), sound);
        }
    }
}
