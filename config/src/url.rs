//! URLs as short forms of store strings.
//!
//! | URL | means |
//! | --- | --- |
//! | `file:///dir` | `source=dir_store,bucket="/dir"` |
//! | `memory://`, `memory://name/prefix` | `source=memory_store`, with `bucket` and `bucket_prefix` where given |
//! | `s3://bucket/prefix?region=r` | `source=s3_store,bucket=bucket,bucket_prefix="prefix/",region=r` |
//! | `az://container/prefix` | `source=azure_store,bucket=container,bucket_prefix="prefix/"` |
//! | `gs://bucket/prefix` | `source=gcp_store,bucket=bucket,bucket_prefix="prefix/"` |
//!
//! A prefix gets a `/` at its end if it has none (in a configuration string it is taken as it stands). Behind `?` stand further
//! settings, joined by `&`: keys are paths (`cache.size=10GB`), a key without `=` is true, values are percent-decoded and plain
//! text; `+` is a plus. Credentials are refused anywhere in a URL.

use std::ops::Range;
use std::sync::Arc;

use crate::config::{Config, Entry};
use crate::error::{Error, Reason, Result};
use crate::lexical::is_identifier;
use crate::limits::{MAX_DEPTH, MAX_SETTINGS, MAX_TEXT_BYTES};
use crate::percent;
use crate::secrecy::{self, is_secret_key};
use crate::source_text::{Origin, SourceText};
use crate::suggest;
use crate::value::{Node, Value};

/// Scheme and what it opens.
const SCHEMES: [(&str, &str); 7] = [
    ("file", "dir_store"),
    ("memory", "memory_store"),
    ("s3", "s3_store"),
    ("az", "azure_store"),
    ("azure", "azure_store"),
    ("gs", "gcp_store"),
    ("gcs", "gcp_store"),
];

const NO_CREDENTIALS: &str = "credentials can't stand in a URL, since URLs end up in shell histories and logs; \
     use auth_token in a configuration string, or the provider's environment variables";

impl Config {
    /// Reads what a person gives to name a store: a URL short form (`s3://bucket/prefix?region=…`, see below) or a
    /// configuration string ([`Config::parse`]).
    ///
    /// | URL | means |
    /// | --- | --- |
    /// | `file:///dir` | `source=dir_store,bucket="/dir"` |
    /// | `memory://` | `source=memory_store` |
    /// | `s3://bucket/prefix?region=r` | `source=s3_store,bucket=bucket,bucket_prefix=prefix/,region=r` |
    /// | `az://container/prefix` | `source=azure_store,bucket=container,bucket_prefix=prefix/` |
    /// | `gs://bucket/prefix` | `source=gcp_store,bucket=bucket,bucket_prefix=prefix/` |
    ///
    /// A prefix without a `/` at its end gets one. Keys behind `?` are paths, such as `cache.size=10GB`; values are
    /// percent-decoded. Credentials are refused in any part of a URL, since URLs end up in shell histories and logs.
    ///
    /// ```
    /// # use plastron_config::Config;
    /// let config = Config::parse_store("s3://pages/db1?region=eu-west-1&cache.size=10GB&readonly")?;
    /// assert_eq!(
    ///     config.to_string(),
    ///     "source=s3_store,bucket=pages,bucket_prefix=db1/,region=eu-west-1,cache=(size=10GB),readonly"
    /// );
    /// # Ok::<(), plastron_config::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Reason::Url`] for a malformed URL, otherwise as [`Config::parse`].
    pub fn parse_store(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        if trimmed.len() > MAX_TEXT_BYTES {
            return Self::parse(trimmed);
        }
        if trimmed.starts_with(['/', '~']) || trimmed.starts_with("./") || trimmed.starts_with("../") {
            let message = "a path is no store; write file:// and the absolute path, as in file:///var/lib/db";
            return Err(Error::new(Reason::Url, message, Origin::at(&SourceText::configuration(trimmed), 0)));
        }
        match scheme_end(trimmed) {
            Some(end) => Url::new(trimmed, end).read(),
            None => Self::parse(text),
        }
    }
}

/// Where `://` stands, if what precedes it is a scheme.
fn scheme_end(text: &str) -> Option<usize> {
    let end = text.find("://")?;
    let scheme = text.get(..end)?;
    let proper = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    proper.then_some(end)
}

struct Url<'a> {
    text: &'a str,
    source: Arc<SourceText>,
    scheme_end: usize,
}

impl<'a> Url<'a> {
    fn new(text: &'a str, scheme_end: usize) -> Self {
        Self { text, source: SourceText::with_masked(text, masked_ranges), scheme_end }
    }

    fn read(&self) -> Result<Config> {
        let scheme = self.part(0..self.scheme_end).to_ascii_lowercase();
        let source = self.source_of(&scheme)?;
        if let Some(at) = self.text.find(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(self.error(at, "a URL holds no blanks or control characters; write %20 for a blank"));
        }
        let start = self.scheme_end + 3;
        let query = self.text.find('?').unwrap_or(self.text.len());
        self.refuse_user(start)?;
        if let Some(at) = self.text.find('#') {
            return Err(self.error(at, "a store's URL has no fragment; write %23 if '#' is part of a name"));
        }
        let path = start + self.part(start..query).find('/').unwrap_or(query - start);

        let mut settings = vec![self.setting(&["source"], 0, Value::text_node(source), 0)];
        let prefix = if scheme == "file" {
            let directory = self.directory(start, path, query)?;
            settings.push(self.setting(&["bucket"], path, Value::text_node(directory), path));
            None
        } else {
            if let Some(bucket) = self.bucket(&scheme, start, path)? {
                settings.push(self.setting(&["bucket"], start, Value::text_node(bucket), start));
            }
            self.prefix(path, query)?
        };
        let has_prefix = prefix.is_some();
        if let Some(prefix) = prefix {
            settings.push(self.setting(&["bucket_prefix"], path, Value::text_node(prefix), path));
        }
        self.parameters(query, has_prefix, &mut settings)?;
        Ok(Config::from_settings(settings))
    }

    fn source_of(&self, scheme: &str) -> Result<&'static str> {
        if let Some((_, source)) = SCHEMES.iter().find(|(name, _)| *name == scheme) {
            return Ok(source);
        }
        let hint = match scheme {
            "http" | "https" => {
                "; a server's address goes into endpoint, as in s3://bucket?endpoint=http://host:9000".to_owned()
            }
            "abfs" | "abfss" | "wasb" | "wasbs" => "; write az://container/prefix".to_owned(),
            "s3a" | "s3n" => "; write s3://bucket/prefix".to_owned(),
            _ => suggest::did_you_mean(scheme, SCHEMES.iter().map(|(name, _)| *name)).unwrap_or_default(),
        };
        let message = format!("a store's URL starts with file, memory, s3, az or gs, not with '{scheme}'{hint}");
        Err(self.error(0, message))
    }

    /// Refuses `user:password@`.
    fn refuse_user(&self, start: usize) -> Result<()> {
        match user_information(self.text, start) {
            Some(_) => Err(self.error(start, NO_CREDENTIALS)),
            None => Ok(()),
        }
    }

    fn bucket(&self, scheme: &str, start: usize, end: usize) -> Result<Option<&str>> {
        let bucket = self.part(start..end);
        if bucket.is_empty() {
            return match scheme {
                "memory" => Ok(None),
                _ => Err(self.error(start, format!("the bucket is missing: {scheme}://bucket/prefix"))),
            };
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b';');
        match bucket.bytes().position(|b| !allowed(b)) {
            None => Ok(Some(bucket)),
            Some(at) => {
                let message = match bucket.as_bytes().get(at) {
                    Some(b':') => {
                        "a bucket has no port; the server's address goes into endpoint, as in ?endpoint=http://host:9000"
                    }
                    Some(b',' | b'=' | b'(') => {
                        "settings follow behind '?' and are joined by '&', as in ?region=r&cache.size=10GB"
                    }
                    _ => "a bucket's name holds letters, digits and . _ - only",
                };
                Err(self.error(start + at, message))
            }
        }
    }

    /// The directory of a `file` URL.
    fn directory(&self, start: usize, path: usize, end: usize) -> Result<String> {
        let host = self.part(start..path);
        if !matches!(host, "" | "localhost") || path == end {
            let message = "a file URL takes an absolute path and no host, as in file:///var/lib/db";
            return Err(self.error(start, message));
        }
        self.decode(path..end)
    }

    fn prefix(&self, path: usize, end: usize) -> Result<Option<String>> {
        let start = (path + 1).min(end);
        let mut prefix = self.decode(start..end)?;
        if prefix.is_empty() {
            return Ok(None);
        }
        if !prefix.ends_with('/') {
            prefix.push('/');
        }
        let parts = prefix.trim_end_matches('/').split('/');
        if prefix.ends_with("//") || parts.clone().any(str::is_empty) {
            return Err(self.error(start, "the prefix has an empty part (two slashes in a row)"));
        }
        if parts.clone().any(|part| matches!(part, "." | "..")) {
            return Err(self.error(start, "the prefix can't hold '.' or '..' as a part"));
        }
        Ok(Some(prefix))
    }

    fn parameters(&self, query: usize, has_prefix: bool, settings: &mut Vec<Entry>) -> Result<()> {
        for parameter in parameters(self.text, query) {
            let at = parameter.name.start;
            let name = self.decode(parameter.name.clone())?;
            let parts: Vec<&str> = name.split('.').collect();
            if !parts.iter().all(|part| is_identifier(part)) {
                let message = "a key is missing or malformed here; settings read key=value or section.key=value";
                return Err(self.error(at, message));
            }
            if is_secret_key(&name) {
                let message = format!(
                    "{name} can't stand in a URL, since URLs end up in shell histories and logs; use a configuration string"
                );
                return Err(self.error(at, message));
            }
            if matches!(name.as_str(), "source" | "bucket") || (has_prefix && name == "bucket_prefix") {
                return Err(self.error(at, format!("{name} is already given by the URL itself")));
            }
            if parts.len() > MAX_DEPTH || settings.len() >= MAX_SETTINGS {
                let message =
                    format!("a URL can't hold more than {MAX_SETTINGS} settings or nest deeper than {MAX_DEPTH}");
                return Err(Error::new(Reason::Limit, message, Origin::at(&self.source, at)));
            }
            let (node, place) = match parameter.value {
                None => (Node::Flag, at),
                Some(range) => {
                    let start = range.start;
                    let text = self.decode(range)?;
                    if text.starts_with(['(', '[', '{']) {
                        let message = format!("brackets can't stand in a URL; write {name}.key=value for each setting");
                        return Err(self.error(start, message));
                    }
                    if !secrecy::masked_ranges(&text).is_empty() {
                        return Err(self.error(start, NO_CREDENTIALS));
                    }
                    (if text.is_empty() { Node::Empty } else { Value::text_node(text) }, start)
                }
            };
            settings.push(self.setting(&parts, at, node, place));
        }
        Ok(())
    }

    fn setting(&self, path: &[&str], key_at: usize, node: Node, value_at: usize) -> Entry {
        let value = Value::new(node, false, Origin::at(&self.source, value_at));
        Entry::nested(path, value, &Origin::at(&self.source, key_at))
    }

    fn decode(&self, range: Range<usize>) -> Result<String> {
        percent::decode(self.part(range.clone())).map_err(|fault| self.error(range.start + fault.at, fault.message))
    }

    fn part(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }

    fn error(&self, at: usize, message: impl Into<String>) -> Error {
        Error::new(Reason::Url, message, Origin::at(&self.source, at))
    }
}

/// Where `user:password` stands in a URL whose host begins at `start`. A secret may hold slashes and question marks, so the `@`
/// is looked for behind them, too.
fn user_information(text: &str, start: usize) -> Option<Range<usize>> {
    let rest = text.get(start..)?;
    let authority = rest.split(['/', '?']).next()?;
    let at = match authority.contains(':') {
        true => rest.rfind('@')?,
        false => authority.rfind('@')?,
    };
    Some(start..start + at)
}

struct Parameter {
    name: Range<usize>,
    value: Option<Range<usize>>,
}

/// The parameters of the query whose `?` stands at `query`; empty ones are left out.
fn parameters(text: &str, query: usize) -> Vec<Parameter> {
    let mut found = Vec::new();
    let mut start = query + 1;
    for piece in text.get(start..).unwrap_or_default().split('&') {
        let end = start + piece.len();
        if !piece.is_empty() {
            let name_end = start + piece.find('=').unwrap_or(piece.len());
            let value = (name_end < end).then(|| name_end + 1..end);
            found.push(Parameter { name: start..name_end, value });
        }
        start = end + 1;
    }
    found
}

/// What must not be shown of a URL: besides what is masked in any text, the values of parameters that are secret, or hold a
/// secret, only when decoded.
fn masked_ranges(text: &str) -> Vec<Range<usize>> {
    let decoded = |range: &Range<usize>| percent::decode_lossy(text.get(range.clone()).unwrap_or_default());
    let query = text.find('?').unwrap_or(text.len());
    let mut masked = secrecy::masked_ranges(text);
    masked.extend(text.find("://").and_then(|end| user_information(text, end + 3)));
    for Parameter { name, value } in parameters(text, query) {
        let Some(value) = value else { continue };
        if is_secret_key(&decoded(&name)) || !secrecy::masked_ranges(&decoded(&value)).is_empty() {
            masked.push(value);
        }
    }
    secrecy::disjoint(masked)
}
