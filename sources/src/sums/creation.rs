//! The user-metadata entry `plastron` of an object: its creation id and its checksums, or where they are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::block_sums::{BlockSums, block_count};
use super::{MAX_BLOCK_BYTES, MAX_INLINE_BLOCKS};
use crate::creation_id::CreationId;
use crate::error::Fault;

/// What an object says about its own creation.
///
/// As text: `1;id=<32 hex>;size=<n>;block=<n>;crc=<8 hex>;sums=<base64>;check=<8 hex>`, ASCII, fields in this order. `size`
/// and `crc` are missing where they were not known when the upload began. `check` is the CRC32C of everything before `;check=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Creation {
    /// Which creation made the object.
    pub(crate) id: CreationId,
    /// The object's size, bytes, if known when the upload began.
    pub(crate) size: Option<u64>,
    /// Bytes in a block.
    pub(crate) block: u32,
    /// CRC32C of the whole object, if known when the upload began.
    pub(crate) crc: Option<u32>,
    /// The block sums or where they are.
    pub(crate) place: SumsPlace,
}

/// Where an object's block sums are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SumsPlace {
    /// In the entry itself.
    Inline(BlockSums),
    /// In the side object of this id.
    Side(CreationId),
}

impl Creation {
    /// The entry of an object whose bytes are all known; the sums go inline if there are few enough.
    pub(crate) fn of(id: CreationId, sums: &BlockSums) -> Self {
        let inline = sums.sums().len() as u64 <= MAX_INLINE_BLOCKS;
        Self {
            id,
            size: Some(sums.size()),
            block: sums.block(),
            crc: Some(sums.whole()),
            place: if inline { SumsPlace::Inline(sums.clone()) } else { SumsPlace::Side(id) },
        }
    }

    /// The entry of an object whose sums are not known yet; the size may be.
    pub(crate) fn streamed(id: CreationId, size: Option<u64>, block: u32) -> Self {
        Self { id, size, block, crc: None, place: SumsPlace::Side(id) }
    }

    /// The entry's text; with Plastron's block size at most 1,698 bytes.
    pub(crate) fn encode(&self) -> String {
        use std::fmt::Write;
        let mut text = format!("1;id={}", self.id);
        // Writing to a string cannot fail.
        if let Some(size) = self.size {
            let _ = write!(text, ";size={size}");
        }
        let _ = write!(text, ";block={}", self.block);
        if let Some(crc) = self.crc {
            let _ = write!(text, ";crc={crc:08x}");
        }
        match &self.place {
            SumsPlace::Inline(sums) => {
                let bytes: Vec<u8> = sums.sums().iter().flat_map(|sum| sum.to_le_bytes()).collect();
                let _ = write!(text, ";sums={}", STANDARD.encode(bytes));
            }
            SumsPlace::Side(id) => {
                let _ = write!(text, ";sums=@{id}");
            }
        }
        let check = crc32c::crc32c(text.as_bytes());
        let _ = write!(text, ";check={check:08x}");
        text
    }

    /// Reads an entry's text.
    ///
    /// # Errors
    /// [`Fault::Unsupported`] for an entry of a later version; [`Fault::Corrupt`] for one that cannot be trusted.
    pub(crate) fn decode(text: &str) -> Result<Self, Fault> {
        match text.split_once(';') {
            Some(("1", _)) => {}
            Some((version, _)) if version.parse::<u32>().is_ok_and(|version| version > 1) => {
                return Err(Fault::Unsupported(format!(
                    "the object was written by a later Plastron (checksum entry of version {version}, this one reads 1); update"
                )));
            }
            _ => return Err(corrupt(text, "it does not begin with a version")),
        }
        let (body, check) = text.rsplit_once(";check=").ok_or_else(|| corrupt(text, "it has no check field"))?;
        let found = crc32c::crc32c(body.as_bytes());
        if hex(check) != Some(found) {
            return Err(corrupt(
                text,
                format!("its check field is {}, its text has CRC32C {found:08x}", check.escape_debug()),
            ));
        }
        Self::decode_body(body).ok_or_else(|| corrupt(text, "its fields do not fit each other"))
    }

    /// Reads what the check field covers. Order and form are fixed, so that one creation has one text.
    fn decode_body(body: &str) -> Option<Self> {
        let mut fields = body.split(';').skip(1).peekable();
        let id = CreationId::parse(fields.next()?.strip_prefix("id=")?)?;
        let mut optional = |key: &str| {
            let value = fields.peek().copied().and_then(|field| field.strip_prefix(key));
            if value.is_some() {
                fields.next();
            }
            value
        };
        let size = match optional("size=") {
            Some(digits) => Some(decimal(digits)?),
            None => None,
        };
        let block = u32::try_from(decimal(optional("block=")?)?).ok()?;
        if block == 0 || block > MAX_BLOCK_BYTES {
            return None;
        }
        let crc = match optional("crc=") {
            Some(digits) => Some(hex(digits)?),
            None => None,
        };
        let sums = optional("sums=")?;
        if fields.next().is_some() {
            return None;
        }
        let place = match sums.strip_prefix('@') {
            Some(id) => SumsPlace::Side(CreationId::parse(id)?),
            None => SumsPlace::Inline(decode_inline(sums, size?, block, crc?)?),
        };
        Some(Self { id, size, block, crc, place })
    }
}

fn decode_inline(text: &str, size: u64, block: u32, crc: u32) -> Option<BlockSums> {
    if block_count(size, block) > MAX_INLINE_BLOCKS {
        return None;
    }
    let bytes = STANDARD.decode(text).ok()?;
    let (sums, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    let sums: Vec<u32> = sums.iter().map(|sum| u32::from_le_bytes(*sum)).collect();
    BlockSums::new(size, block, sums).filter(|sums| sums.whole() == crc)
}

/// A number without sign, leading zeros or separators.
fn decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || (text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

/// Eight lower-case hexadecimal digits.
fn hex(text: &str) -> Option<u32> {
    let canonical = text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if canonical { u32::from_str_radix(text, 16).ok() } else { None }
}

fn corrupt(text: &str, check: impl Into<String>) -> Fault {
    Fault::Corrupt {
        what: "the object's user-metadata entry \"plastron\"".to_owned(),
        start: 0,
        end: text.len() as u64,
        check: check.into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{BLOCK_BYTES, SumsBuilder};
    use super::*;

    fn sums(data: &[u8], block: u32) -> BlockSums {
        let mut builder = SumsBuilder::new(block);
        builder.update(data);
        builder.finish()
    }

    fn id(number: u128) -> CreationId {
        CreationId::from_bytes(number.to_be_bytes())
    }

    /// Golden text: what version 1 looks like in every bucket ever written.
    #[test]
    fn version_1_stays_readable() {
        let golden = include_str!("../../tests/fixtures/creation-1.txt");
        let lines: Vec<&str> = golden.lines().collect();
        let inline = Creation::of(id(0x0123_4567_89ab_cdef_0011_2233_4455_6677), &sums(b"The quick brown fox", 8));
        let empty = Creation::of(id(1), &sums(b"", BLOCK_BYTES));
        let side = Creation { place: SumsPlace::Side(inline.id), ..inline.clone() };
        let streamed = Creation::streamed(inline.id, None, BLOCK_BYTES);
        let sized = Creation::streamed(inline.id, Some(1 << 40), BLOCK_BYTES);
        for (line, creation) in lines.iter().zip([&inline, &empty, &side, &streamed, &sized]) {
            assert_eq!(creation.encode(), *line);
            assert_eq!(Creation::decode(line).unwrap(), *creation);
        }
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn the_largest_entry_fits_s3s_two_kibibytes() {
        let size = MAX_INLINE_BLOCKS * u64::from(BLOCK_BYTES);
        let sums = BlockSums::new(size, BLOCK_BYTES, vec![u32::MAX; 300]).unwrap();
        let text = Creation::of(id(u128::MAX), &sums).encode();
        assert_eq!(text.len(), 1698);
        assert!(text.is_ascii());
    }

    #[test]
    fn more_blocks_go_to_the_side() {
        let sums = BlockSums::new(301, 1, vec![0; 301]).unwrap();
        assert_eq!(Creation::of(id(7), &sums).place, SumsPlace::Side(id(7)));
        let sums = BlockSums::new(300, 1, vec![0; 300]).unwrap();
        assert!(matches!(Creation::of(id(7), &sums).place, SumsPlace::Inline(_)));
    }

    #[test]
    fn what_cannot_be_trusted_is_refused() {
        let good = Creation::of(id(7), &sums(b"abcdefgh", 4)).encode();
        assert!(matches!(Creation::decode(&format!("2{}", &good[1..])), Err(Fault::Unsupported(_))));
        let signed = |body: &str| format!("{body};check={:08x}", crc32c::crc32c(body.as_bytes()));
        let body = good.rsplit_once(";check=").unwrap().0;
        assert!(Creation::decode(&signed(body)).is_ok());
        for bad in [
            String::new(),
            "1".to_owned(),
            "x;".to_owned(),
            good.replace(";check=", ";chick="),
            format!("{good};"),
            signed("1;id=7"),
            signed(&body.replace("size=8", "size=9")),
            signed(&body.replace("size=8", "size=08")),
            signed(&body.replace("size=8", "size=+8")),
            signed(&body.replace("block=4", "block=0")),
            signed(&body.replace("block=4", "block=5")),
            signed(&body.replace("block=4", "block=4294967296")),
            signed(&body.replace(";size=8", "")),
            signed(&body.replace("crc=", "crc=0")),
            signed(&format!("{body};more=1")),
        ] {
            assert!(matches!(Creation::decode(&bad), Err(Fault::Corrupt { .. })), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn encode_and_decode_are_inverse(
            number: u128, data in proptest::collection::vec(any::<u8>(), 0..300), block in 1_u32..50, size: Option<u64>, inline: bool,
        ) {
            let creation = if inline { Creation::of(id(number), &sums(&data, block)) } else { Creation::streamed(id(number), size, block) };
            prop_assert_eq!(Creation::decode(&creation.encode()).unwrap(), creation);
        }

        #[test]
        fn no_text_makes_the_decoder_panic(text in any::<String>(), tail in "(1;)?[0-9a-z;=@+/]{0,200}") {
            let _ = Creation::decode(&text);
            let _ = Creation::decode(&tail);
            let _ = Creation::decode_body(&text);
            let _ = Creation::decode_body(&tail);
        }

        #[test]
        fn a_changed_byte_is_always_noticed(
            data in proptest::collection::vec(any::<u8>(), 0..100), at in any::<prop::sample::Index>(), to in 0x20_u8..0x7f,
        ) {
            let creation = Creation::of(id(99), &sums(&data, 16));
            let mut bytes = creation.encode().into_bytes();
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != to);
            bytes[at] = to;
            prop_assert!(Creation::decode(&String::from_utf8(bytes).unwrap()).is_err());
        }
    }
}
