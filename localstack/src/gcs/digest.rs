//! CRC32C and MD5 as the API spells them: `x-goog-hash: crc32c=<base64, big-endian>,md5=<base64>`
//! (<https://cloud.google.com/storage/docs/xml-api/reference-headers#xgooghash>), and `Content-MD5`.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use md5::{Digest as _, Md5};

use super::answer::Refusal;
use crate::control::base64;

/// Above this many bytes a body is digested on a thread that may block.
const SMALL: usize = 256 << 10;

/// The digests of some bytes. Composite objects (multipart uploads) have no MD5, as at Google.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digests {
    pub(super) crc32c: u32,
    pub(super) md5: Option<[u8; 16]>,
}

impl Digests {
    pub(super) async fn of(bytes: &Bytes, with_md5: bool) -> Self {
        let compute = move |bytes: &Bytes| Self {
            crc32c: crc32c::crc32c(bytes),
            md5: with_md5.then(|| Md5::digest(bytes).into()),
        };
        if bytes.len() > SMALL {
            let shared = bytes.clone();
            if let Ok(digests) = tokio::task::spawn_blocking(move || compute(&shared)).await {
                return digests;
            }
        }
        compute(bytes)
    }

    /// The header as the server sends it.
    pub(super) fn header(&self) -> HeaderValue {
        let mut text = format!("crc32c={}", base64(&self.crc32c.to_be_bytes()));
        if let Some(md5) = &self.md5 {
            text.push_str(&format!(",md5={}", base64(md5)));
        }
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
    }

    /// Refuses a request whose digests are not those of its body.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let crc32c = base64(&self.crc32c.to_be_bytes());
        let md5 = self.md5.as_ref().map(|md5| base64(md5));
        for value in headers.get_all("x-goog-hash") {
            for entry in value.to_str().map_err(|_| Refusal::INVALID_ARGUMENT)?.split(',') {
                let (name, digest) = entry.trim().split_once('=').ok_or(Refusal::INVALID_ARGUMENT)?;
                let right = match name {
                    "crc32c" => digest == crc32c,
                    "md5" => md5.as_deref() == Some(digest),
                    _ => return Err(Refusal::INVALID_ARGUMENT),
                };
                if !right {
                    return Err(Refusal::BAD_DIGEST);
                }
            }
        }
        match headers.get("content-md5") {
            Some(value) if value.to_str().ok() != md5.as_deref() => Err(Refusal::BAD_DIGEST),
            _ => Ok(()),
        }
    }
}

/// Whether a request says what the MD5 of its body is.
pub(super) fn names_md5(headers: &HeaderMap) -> bool {
    let mut hashes = headers.get_all("x-goog-hash").iter().filter_map(|value| value.to_str().ok());
    headers.contains_key("content-md5") || hashes.any(|hashes| hashes.contains("md5="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn spelled_as_google_does() {
        // From Google's own documentation of gsutil hash and RFC 1321's test suite.
        let digests = Digests::of(&Bytes::from_static(b"abc"), true).await;
        assert_eq!(digests.header(), "crc32c=Nks/tw==,md5=kAFQmDzST7DWlj99KOF/cg==");
    }

    #[tokio::test]
    async fn wrong_digests_are_refused() {
        let digests = Digests::of(&Bytes::from_static(b"abc"), true).await;
        let check = |name: &'static str, value: &'static str| {
            digests.check(&HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]))
        };
        assert_eq!(check("x-goog-hash", "crc32c=Nks/tw=="), Ok(()));
        assert_eq!(check("x-goog-hash", "md5=kAFQmDzST7DWlj99KOF/cg==, crc32c=Nks/tw=="), Ok(()));
        assert_eq!(check("x-goog-hash", "crc32c=AAAAAA=="), Err(Refusal::BAD_DIGEST));
        assert_eq!(check("x-goog-hash", "sha1=x"), Err(Refusal::INVALID_ARGUMENT));
        assert_eq!(check("content-md5", "kAFQmDzST7DWlj99KOF/cg=="), Ok(()));
        assert_eq!(check("content-md5", "AAFQmDzST7DWlj99KOF/cg=="), Err(Refusal::BAD_DIGEST));
    }
}
