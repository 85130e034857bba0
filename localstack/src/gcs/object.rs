//! One object: its bytes and what is known about them.

use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::answer::Refusal;
use super::digest::Digests;

/// Headers that an upload sets and every read returns, besides `x-goog-meta-*`.
const KEPT: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
];

/// Custom metadata of one object, names and values, bytes: <https://cloud.google.com/storage/quotas#objects>.
const METADATA_LIMIT: usize = 8 << 10;

/// An object as it was created; it is replaced as a whole or not at all.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) data: Bytes,
    pub(super) generation: u64,
    pub(super) digests: Digests,
    pub(super) created: SystemTime,
    pub(super) metadata: Vec<(HeaderName, HeaderValue)>,
}

impl Object {
    /// The quoted etag: the MD5 where there is one (so that equal bytes have equal etags, as at Google), else the generation.
    pub(super) fn etag(&self) -> String {
        match &self.digests.md5 {
            Some(md5) => format!("\"{}\"", md5.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
            None => format!("\"-{:x}\"", self.generation),
        }
    }

    /// The creation time as listings have it.
    pub(super) fn created_rfc3339(&self) -> String {
        DateTime::<Utc>::from(self.created).to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Everything that a write and a read tell about the object.
    pub(super) fn describe(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.metadata {
            headers.append(name.clone(), value.clone());
        }
        let created = DateTime::<Utc>::from(self.created).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        for (name, value) in [(header::ETAG, self.etag()), (header::LAST_MODIFIED, created)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        headers.insert("x-goog-generation", self.generation.into());
        headers.insert("x-goog-metageneration", 1.into());
        headers.insert("x-goog-stored-content-length", self.data.len().into());
        headers.insert("x-goog-hash", self.digests.header());
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }

    /// The bytes a `Range` header asks for: `None` for all of them.
    pub(super) fn range(&self, headers: &HeaderMap) -> Result<Option<Range<usize>>, Refusal> {
        let Some(text) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else { return Ok(None) };
        let length = self.data.len();
        // What cannot be understood is ignored, as RFC 9110 section 14.2 has it.
        let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Ok(None);
        };
        let range = match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(length),
            (Ok(first), _) if last.is_empty() => first..length,
            (_, Ok(suffix)) if first.is_empty() && suffix > 0 => length.saturating_sub(suffix)..length,
            _ => return Ok(None),
        };
        if range.start >= length { Err(Refusal::INVALID_RANGE) } else { Ok(Some(range)) }
    }
}

/// The metadata an upload's headers carry.
pub(super) fn metadata_of(headers: &HeaderMap) -> Result<Vec<(HeaderName, HeaderValue)>, Refusal> {
    let custom = |name: &HeaderName| name.as_str().starts_with("x-goog-meta-");
    let size = headers.iter().filter(|(name, _)| custom(name)).map(|(name, value)| name.as_str().len() + value.len());
    if size.sum::<usize>() > METADATA_LIMIT {
        return Err(Refusal::METADATA_TOO_LARGE);
    }
    let kept = headers.iter().filter(|(name, _)| custom(name) || KEPT.contains(name));
    Ok(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let digests = Digests { crc32c: 0, md5: None };
        let data = Bytes::from_static(b"0123456789");
        let object = Object { data, generation: 1, digests, created: SystemTime::UNIX_EPOCH, metadata: Vec::new() };
        let range = |text: &'static str| object.range(&HeaderMap::from_iter([(header::RANGE, text.parse().unwrap())]));
        assert_eq!(object.range(&HeaderMap::new()), Ok(None));
        assert_eq!(range("bytes=0-0"), Ok(Some(0..1)));
        assert_eq!(range("bytes=2-5"), Ok(Some(2..6)));
        assert_eq!(range("bytes=2-"), Ok(Some(2..10)));
        assert_eq!(range("bytes=2-99"), Ok(Some(2..10)));
        assert_eq!(range("bytes=-3"), Ok(Some(7..10)));
        assert_eq!(range("bytes=-99"), Ok(Some(0..10)));
        assert_eq!(range("bytes=10-"), Err(Refusal::INVALID_RANGE));
        assert_eq!(range("bytes=10-12"), Err(Refusal::INVALID_RANGE));
        for ignored in ["bytes=5-2", "bytes=-0", "bytes=a-b", "bytes=", "lines=0-1"] {
            assert_eq!(range(ignored), Ok(None), "{ignored}");
        }
    }

    #[test]
    fn metadata_is_bounded() {
        let headers = |size: usize| {
            HeaderMap::from_iter([
                ("x-goog-meta-k".parse().unwrap(), "v".repeat(size).parse().unwrap()),
                (header::CONTENT_TYPE, "text/plain".parse().unwrap()),
                (header::HOST, "h".parse().unwrap()),
            ])
        };
        let name = "x-goog-meta-k".len();
        assert_eq!(metadata_of(&headers(METADATA_LIMIT - name)).unwrap().len(), 2);
        assert_eq!(metadata_of(&headers(METADATA_LIMIT - name + 1)), Err(Refusal::METADATA_TOO_LARGE));
    }
}
