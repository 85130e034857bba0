//! The KEK page: a key blob with a small header in front of it, as it is written through the page log and as an object of its own.
//!
//! The header is WiredTiger's (`WT_CRYPT_HEADER`), so that pages that it wrote are read, and the other way round. Its byte table is in
//! `docs/src/formats/kek-page.md`. What is promised:
//! * what is read is exactly what was written, or it is [`Fault::Corrupt`]: every byte is covered by the checksum;
//! * a page of a later version is read as long as it says that this one suffices, and is [`Fault::Unsupported`] otherwise.

use bytes::Bytes;

use crate::error::Fault;
use crate::module::MAX_KEY_BLOB_BYTES;

/// `wtch`.
const SIGNATURE: u32 = 0x6863_7477;
/// The version that is written: the one with a timestamp.
const VERSION: u8 = 2;
/// The oldest version whose readers can read what is written.
const COMPATIBLE_VERSION: u8 = 1;
/// Bytes of a header of version 1, and the fewest of any.
const MIN_HEADER_BYTES: usize = 16;
/// Bytes of the header that is written.
pub const KEK_PAGE_HEADER_BYTES: usize = 24;
/// Where the checksum stands.
const CHECKSUM_AT: usize = 12;

/// A key blob and when it was made.
#[derive(Clone, PartialEq, Eq)]
pub struct KekPage {
    /// When the keys were last rotated, in whatever unit the engine counts; 0 for unknown, as in all pages of version 1.
    pub timestamp: u64,
    /// What the key module gave.
    pub blob: Bytes,
}

impl KekPage {
    /// The page in bytes.
    ///
    /// # Errors
    /// [`Fault::Size`] for a blob of more than 16 MiB.
    pub fn encode(&self) -> Result<Bytes, Fault> {
        let size = self.blob.len();
        if size > MAX_KEY_BLOB_BYTES {
            return Err(Fault::Size { what: "a key blob", size: size as u64, low: 0, high: MAX_KEY_BLOB_BYTES as u64 });
        }
        let mut page = Vec::with_capacity(KEK_PAGE_HEADER_BYTES + size);
        page.extend(SIGNATURE.to_le_bytes());
        page.extend([VERSION, COMPATIBLE_VERSION, KEK_PAGE_HEADER_BYTES as u8, 0]);
        page.extend((size as u32).to_le_bytes());
        page.extend([0; 4]);
        page.extend(self.timestamp.to_le_bytes());
        page.extend_from_slice(&self.blob);
        let checksum = checksum(&page);
        for (to, from) in page.iter_mut().skip(CHECKSUM_AT).zip(checksum.to_le_bytes()) {
            *to = from;
        }
        Ok(page.into())
    }

    /// The page in `bytes`, without copying the blob.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] if the signature, checksum or a size is wrong; [`Fault::Unsupported`] if the page demands a reader of a later version.
    pub fn decode(bytes: &Bytes) -> Result<Self, Fault> {
        let length = bytes.len();
        let Some((fixed, rest)) = bytes.split_first_chunk::<MIN_HEADER_BYTES>() else {
            let check =
                format!("the KEK page has {length} bytes, and its header alone has at least {MIN_HEADER_BYTES}");
            return Err(Fault::corrupt(length, check));
        };
        let [s0, s1, s2, s3, version, compatible, header_size, _, p0, p1, p2, p3, c0, c1, c2, c3] = *fixed;
        let signature = u32::from_le_bytes([s0, s1, s2, s3]);
        if signature != SIGNATURE {
            return Err(Fault::corrupt(
                0,
                format!("the signature of the KEK page is {signature:08x}, not {SIGNATURE:08x}"),
            ));
        }
        let (found, written) = (checksum(bytes), u32::from_le_bytes([c0, c1, c2, c3]));
        if found != written {
            let check = format!("the CRC32C of the KEK page is {found:08x}, and {written:08x} is written");
            return Err(Fault::corrupt(CHECKSUM_AT, check));
        }
        if version == 0 || compatible == 0 {
            return Err(Fault::corrupt(4, format!("the KEK page has version {version}, compatible with {compatible}")));
        }
        if compatible > VERSION {
            return Err(Fault::Unsupported(format!(
                "the KEK page has version {version} and demands a reader of version {compatible}, and this program reads up to {VERSION}; \
                 use a newer one"
            )));
        }
        let header_size = usize::from(header_size);
        let least = if version == 1 { MIN_HEADER_BYTES } else { KEK_PAGE_HEADER_BYTES };
        if header_size < least {
            let check = format!(
                "the header of the KEK page has {header_size} bytes, and one of version {version} has at least {least}"
            );
            return Err(Fault::corrupt(6, check));
        }
        let payload = u64::from(u32::from_le_bytes([p0, p1, p2, p3]));
        if header_size as u64 + payload != length as u64 {
            let check =
                format!("a KEK page of {header_size} bytes of header and {payload} of keys has not {length} bytes");
            return Err(Fault::corrupt(8, check));
        }
        if payload > MAX_KEY_BLOB_BYTES as u64 {
            return Err(Fault::corrupt(
                8,
                format!("a KEK page holds {MAX_KEY_BLOB_BYTES} bytes of keys at the most, not {payload}"),
            ));
        }
        let timestamp = rest.first_chunk().filter(|_| version > 1).map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Ok(Self { timestamp, blob: bytes.slice(header_size..) })
    }
}

impl std::fmt::Debug for KekPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KekPage(timestamp {}, {} bytes)", self.timestamp, self.blob.len())
    }
}

/// CRC32C of the page with zeros in the place of the checksum.
fn checksum(page: &[u8]) -> u32 {
    let (head, rest) = page.split_at(CHECKSUM_AT.min(page.len()));
    let after = rest.get(4..).unwrap_or_default();
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(head), &[0; 4]), after)
}
