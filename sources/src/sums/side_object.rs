//! The object that holds the block sums of another one: `_plastron/sums/<id>`.
//!
//! All numbers are little-endian.
//!
//! | offset | bytes | content |
//! | ---: | ---: | --- |
//! | 0 | 8 | magic `PLASTSUM` |
//! | 8 | 4 | version, 1 |
//! | 12 | 4 | block size, bytes |
//! | 16 | 16 | creation id, most significant byte first |
//! | 32 | 8 | size of the object, bytes |
//! | 40 | 8 | number of sums, *n* |
//! | 48 | 4 *n* | CRC32C of each block, in order |
//! | 48 + 4 *n* | 4 | CRC32C of everything before |

use super::MAX_BLOCK_BYTES;
use super::block_sums::{BlockSums, block_count};
use crate::creation_id::CreationId;
use crate::error::Fault;
use crate::name::SYSTEM;

const MAGIC: [u8; 8] = *b"PLASTSUM";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 48;

/// The side object's name.
pub(crate) fn side_object_name(id: CreationId) -> String {
    format!("{SYSTEM}/sums/{id}")
}

/// Bytes of the side object of an object of `size` bytes in blocks of `block`.
pub(crate) fn side_object_bytes(size: u64, block: u32) -> u64 {
    block_count(size, block).saturating_mul(4).saturating_add(HEADER_BYTES as u64 + 4)
}

/// The side object's bytes.
pub(crate) fn encode_side_object(id: CreationId, sums: &BlockSums) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + 4 * sums.sums().len() + 4);
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(sums.block().to_le_bytes());
    bytes.extend(id.to_bytes());
    bytes.extend(sums.size().to_le_bytes());
    bytes.extend((sums.sums().len() as u64).to_le_bytes());
    sums.sums().iter().for_each(|sum| bytes.extend(sum.to_le_bytes()));
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

/// Reads the side object of `id`.
///
/// # Errors
/// [`Fault::Unsupported`] for one of a later version; [`Fault::Corrupt`] for one that cannot be trusted.
pub(crate) fn decode_side_object(id: CreationId, bytes: &[u8]) -> Result<BlockSums, Fault> {
    let corrupt = |check: &str| Fault::Corrupt {
        what: format!("the block checksums {}", side_object_name(id)),
        start: 0,
        end: bytes.len() as u64,
        check: check.to_owned(),
    };
    let (body, check) = bytes.split_last_chunk::<4>().ok_or_else(|| corrupt("it is shorter than a checksum"))?;
    let (magic, rest) = body.split_first_chunk::<8>().ok_or_else(|| corrupt("it is shorter than a header"))?;
    if *magic != MAGIC {
        return Err(corrupt("it does not begin with PLASTSUM"));
    }
    let found = crc32c::crc32c(body);
    let expected = u32::from_le_bytes(*check);
    if expected != found {
        return Err(corrupt(&format!("CRC32C of the whole: expected {expected:08x}, found {found:08x}")));
    }
    let (version, rest) = rest.split_first_chunk::<4>().ok_or_else(|| corrupt("it is shorter than a header"))?;
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        return Err(Fault::Unsupported(format!(
            "{} was written by a later Plastron (version {version}, this one reads {VERSION}); update",
            side_object_name(id)
        )));
    }
    let (stated, sums) = decode_body(rest).ok_or_else(|| corrupt("its fields do not fit each other"))?;
    if stated != id {
        return Err(corrupt(&format!("it holds the checksums of creation {stated}")));
    }
    Ok(sums)
}

fn decode_body(rest: &[u8]) -> Option<(CreationId, BlockSums)> {
    let (block, rest) = rest.split_first_chunk::<4>()?;
    let (id, rest) = rest.split_first_chunk::<16>()?;
    let (size, rest) = rest.split_first_chunk::<8>()?;
    let (count, rest) = rest.split_first_chunk::<8>()?;
    let block = u32::from_le_bytes(*block);
    let (sums, odd) = rest.as_chunks::<4>();
    if !odd.is_empty() || sums.len() as u64 != u64::from_le_bytes(*count) || block > MAX_BLOCK_BYTES {
        return None;
    }
    let sums: Vec<u32> = sums.iter().map(|sum| u32::from_le_bytes(*sum)).collect();
    Some((CreationId::from_bytes(*id), BlockSums::new(u64::from_le_bytes(*size), block, sums)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::SumsBuilder;
    use super::*;

    fn sums(data: &[u8], block: u32) -> BlockSums {
        let mut builder = SumsBuilder::new(block);
        builder.update(data);
        builder.finish()
    }

    fn id(number: u128) -> CreationId {
        CreationId::from_bytes(number.to_be_bytes())
    }

    /// Golden file: what version 1 looks like in every bucket ever written.
    #[test]
    fn version_1_stays_readable() {
        let golden = include_bytes!("../../tests/fixtures/side-object-1.bin");
        let sums = sums(b"The quick brown fox jumps over the lazy dog", 8);
        let id = id(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
        assert_eq!(encode_side_object(id, &sums), golden);
        assert_eq!(decode_side_object(id, golden).unwrap(), sums);
        assert_eq!(side_object_bytes(sums.size(), sums.block()), golden.len() as u64);
        assert_eq!(side_object_name(id), "_plastron/sums/0123456789abcdef0011223344556677");
    }

    #[test]
    fn what_cannot_be_trusted_is_refused() {
        let good = encode_side_object(id(7), &sums(b"abcdefgh", 4));
        let sealed = |mut body: Vec<u8>| {
            let check = crc32c::crc32c(&body);
            body.extend(check.to_le_bytes());
            body
        };
        let body = good[..good.len() - 4].to_vec();
        assert!(decode_side_object(id(7), &sealed(body.clone())).is_ok());
        assert!(matches!(decode_side_object(id(8), &good), Err(Fault::Corrupt { .. })));
        let mut later = body.clone();
        later[8] = 2;
        assert!(matches!(decode_side_object(id(7), &sealed(later)), Err(Fault::Unsupported(_))));
        let changed = |at: usize, to: u8| {
            let mut body = body.clone();
            body[at] = to;
            sealed(body)
        };
        for bad in [
            Vec::new(),
            b"PLASTSUM".to_vec(),
            sealed(b"PLASTSUM".to_vec()),
            changed(0, b'X'),
            changed(12, 0),
            changed(15, 0xff),
            changed(32, 9),
            changed(40, 1),
            sealed(body[..body.len() - 1].to_vec()),
            good[..good.len() - 1].to_vec(),
        ] {
            assert!(matches!(decode_side_object(id(7), &bad), Err(Fault::Corrupt { .. })), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn encode_and_decode_are_inverse(number: u128, data in proptest::collection::vec(any::<u8>(), 0..300), block in 1_u32..50) {
            let sums = sums(&data, block);
            prop_assert_eq!(decode_side_object(id(number), &encode_side_object(id(number), &sums)).unwrap(), sums);
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_side_object(id(1), &bytes);
            let _ = decode_body(&bytes);
            let mut framed = MAGIC.to_vec();
            framed.extend(&bytes);
            framed.extend(crc32c::crc32c(&framed).to_le_bytes());
            let _ = decode_side_object(id(1), &framed);
        }

        #[test]
        fn a_flipped_bit_is_always_noticed(
            data in proptest::collection::vec(any::<u8>(), 0..100), at in any::<prop::sample::Index>(), bit in 0..8_u8,
        ) {
            let mut bytes = encode_side_object(id(99), &sums(&data, 16));
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(decode_side_object(id(99), &bytes).is_err());
        }
    }
}
