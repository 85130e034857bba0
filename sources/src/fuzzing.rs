//! Entry points of the fuzz targets; not part of the interface.
//!
//! Each takes any bytes and says whether they decode and, if so, encode to the very same bytes again, which the target asserts.

use crate::creation_id::CreationId;
use crate::sums::{Creation, decode_side_object, encode_side_object};

/// The user-metadata entry `plastron`.
pub fn object_checksums(bytes: &[u8]) -> Option<bool> {
    let text = std::str::from_utf8(bytes).ok()?;
    let creation = Creation::decode(text).ok()?;
    Some(creation.encode() == text)
}

/// A side object, taken for that of the creation it names.
pub fn checksum_object(bytes: &[u8]) -> Option<bool> {
    let id = CreationId::from_bytes(*bytes.get(16..)?.first_chunk()?);
    let sums = decode_side_object(id, bytes).ok()?;
    Some(encode_side_object(id, &sums) == bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_files_decode_and_encode_to_themselves() {
        for line in include_str!("../tests/fixtures/creation-1.txt").lines() {
            assert_eq!(object_checksums(line.as_bytes()), Some(true));
        }
        assert_eq!(checksum_object(include_bytes!("../tests/fixtures/side-object-1.bin")), Some(true));
        assert_eq!((object_checksums(b"1;"), checksum_object(b"PLASTSUM")), (None, None));
    }
}
