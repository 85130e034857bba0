//! Checksums of a request's body, each computed at most once and only if it is needed.
//!
//! | sum | speed on one core | who wants it |
//! | --- | --- | --- |
//! | CRC32C, CRC64 (NVME) | more than 10 GB/s | Google Cloud Storage; Azure |
//! | SHA-256 | about 1.5 GB/s with the CPU's help | S3, which signs it anyway |
//! | MD5 | about 0.6 GB/s | nobody, unless a server offers nothing better |
//!
//! The slow two leave the async thread for bodies larger than [`INLINE`].

use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body::Body;
use md5::{Digest, Md5};
use object_store::client::HttpRequestBody;
use tokio::sync::OnceCell;

/// The largest body that is hashed on the async thread, bytes: about 100 µs of SHA-256, not much more than handing it over costs.
const INLINE: usize = 128 << 10;

/// A request's body in pieces, and its checksums as they become known.
#[derive(Debug)]
pub(super) struct BodySums {
    pieces: Vec<Bytes>,
    sha256: OnceCell<[u8; 32]>,
    md5: OnceCell<[u8; 16]>,
    crc32c: OnceLock<u32>,
    crc64: OnceLock<u64>,
}

impl BodySums {
    /// Of `body`; nothing is computed yet, and nothing copied.
    pub(super) fn new(body: &HttpRequestBody) -> Self {
        let (sha256, md5) = (OnceCell::new(), OnceCell::new());
        Self { pieces: pieces(body), sha256, md5, crc32c: OnceLock::new(), crc64: OnceLock::new() }
    }

    /// Bytes of the body.
    pub(super) fn len(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }

    /// Takes over a SHA-256 that somebody else has computed already.
    pub(super) fn know_sha256(&mut self, sha256: [u8; 32]) {
        self.sha256 = OnceCell::new_with(Some(sha256));
    }

    /// SHA-256, as S3 signs it.
    pub(super) async fn sha256(&self) -> [u8; 32] {
        let compute = |pieces: &[Bytes]| {
            let mut context = digest::Context::new(&digest::SHA256);
            pieces.iter().for_each(|piece| context.update(piece));
            let mut sum = [0; 32];
            sum.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
            sum
        };
        *self.sha256.get_or_init(|| self.hash(compute)).await
    }

    /// MD5, as S3 puts it into ETags.
    pub(super) async fn md5(&self) -> [u8; 16] {
        let compute = |pieces: &[Bytes]| {
            let mut context = Md5::new();
            pieces.iter().for_each(|piece| context.update(piece));
            context.finalize().into()
        };
        *self.md5.get_or_init(|| self.hash(compute)).await
    }

    /// CRC32C in base64 of its four bytes, the highest first, as `x-goog-hash` has it.
    pub(super) fn crc32c_base64(&self) -> String {
        let compute = || self.pieces.iter().fold(0, |sum, piece| crc32c::crc32c_append(sum, piece));
        let sum = self.crc32c.get_or_init(compute);
        BASE64_STANDARD.encode(sum.to_be_bytes())
    }

    /// CRC64 (NVME's polynomial) in base64 of its eight bytes, the lowest first, as `x-ms-content-crc64` has it.
    pub(super) fn crc64_base64(&self) -> String {
        let compute = || {
            let mut context = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme);
            self.pieces.iter().for_each(|piece| context.update(piece));
            context.finalize()
        };
        BASE64_STANDARD.encode(self.crc64.get_or_init(compute).to_le_bytes())
    }

    /// Runs `compute` over the body, elsewhere if it is large.
    async fn hash<T: Send + 'static>(&self, compute: fn(&[Bytes]) -> T) -> T {
        if self.len() > INLINE as u64 {
            let pieces = self.pieces.clone();
            // An error means that the runtime is shutting down; the answer won't be looked at.
            if let Ok(sum) = tokio::task::spawn_blocking(move || compute(&pieces)).await {
                return sum;
            }
        }
        compute(&self.pieces)
    }
}

/// The body's pieces, which share its memory. `object_store`'s request bodies are lists of [`Bytes`] that are always ready.
fn pieces(body: &HttpRequestBody) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let mut body = std::pin::pin!(body.clone());
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut context) {
        if let Ok(piece) = frame.into_data() {
            pieces.push(piece);
        }
    }
    pieces
}

/// A SHA-256 in base64, as `x-amz-checksum-sha256` has it.
pub(super) fn base64_of(sum: &[u8]) -> String {
    BASE64_STANDARD.encode(sum)
}

/// The sum of `N` bytes that `text` holds in base64.
pub(super) fn from_base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64_STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::PutPayload;
    use proptest::prelude::*;

    fn sums(pieces: &[&'static [u8]]) -> BodySums {
        let payload: PutPayload = pieces.iter().map(|piece| Bytes::from_static(piece)).collect();
        BodySums::new(&HttpRequestBody::from(payload))
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The first two are the standard check values of the algorithms; Azure's are those of Microsoft's own SDK tests
    /// (`StorageCrc64`: "Hello World!" is 208604604655264165).
    #[tokio::test]
    async fn known_sums() {
        let nine = sums(&[b"1234", b"", b"56789"]);
        assert_eq!(nine.len(), 9);
        assert_eq!(nine.crc32c_base64(), base64_of(&0xe306_9283_u32.to_be_bytes()));
        assert_eq!(nine.crc64_base64(), base64_of(&0xae8b_1486_0a79_9888_u64.to_le_bytes()));
        assert_eq!(sums(&[b"Hello World!"]).crc64_base64(), base64_of(&208_604_604_655_264_165_u64.to_le_bytes()));
        assert_eq!(hex(&nine.md5().await), "25f9e794323b453885f5181f1b624d0b");
        assert_eq!(hex(&nine.sha256().await), "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225");
        let empty = BodySums::new(&HttpRequestBody::empty());
        assert_eq!(empty.len(), 0);
        assert_eq!(hex(&empty.sha256().await), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[tokio::test]
    async fn a_known_sum_is_not_computed_again() {
        let mut sums = sums(&[b"x"]);
        sums.know_sha256([7; 32]);
        assert_eq!(sums.sha256().await, [7; 32]);
    }

    #[tokio::test]
    async fn a_large_body_has_the_same_sums_as_a_small_one() {
        let large = Bytes::from(vec![3_u8; INLINE * 3 + 1]);
        let sums = BodySums::new(&HttpRequestBody::from(large.clone()));
        assert_eq!(sums.sha256().await.as_slice(), digest::digest(&digest::SHA256, &large).as_ref());
        assert_eq!(sums.md5().await.as_slice(), Md5::digest(&large).as_slice());
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..8)) {
            let whole = BodySums::new(&HttpRequestBody::from(pieces.concat()));
            let parts = BodySums::new(&HttpRequestBody::from(pieces.iter().cloned().map(Bytes::from).collect::<PutPayload>()));
            prop_assert_eq!(whole.len(), parts.len());
            prop_assert_eq!(whole.crc32c_base64(), parts.crc32c_base64());
            prop_assert_eq!(whole.crc64_base64(), parts.crc64_base64());
        }
    }
}
