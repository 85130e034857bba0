//! Entry points of the fuzz targets; not part of the interface.
//!
//! Each takes any bytes and says whether they decode and, if so, encode to the very same bytes again, which the target asserts. Bytes
//! with a checksum are tried as they are and with one that is right, so that what stands behind it is reached.

use crate::envelope::{Binding, Kek, KekId, SecretKey, WrappedKey};
use crate::file::KeyringImage;
use crate::kek_page::KekPage;
use crate::mock::MockBlob;

/// A KEK page. One that this version writes has one encoding; others only decode.
pub fn kek_page(bytes: &[u8]) -> Option<bool> {
    let page = |bytes: &[u8]| {
        let page = KekPage::decode(&bytes.to_vec().into()).ok()?;
        let again = page.encode().ok()?;
        let ours = bytes.get(4..8) == again.get(4..8);
        Some(KekPage::decode(&again).ok() == Some(page) && (!ours || again == bytes))
    };
    either(page(bytes), page(&summed(bytes, 12)))
}

/// A keyring, not opened.
pub fn keyring(bytes: &[u8]) -> Option<bool> {
    let keyring = |bytes: &[u8]| KeyringImage::decode(bytes).ok().map(|image| image.encode() == bytes);
    either(keyring(bytes), keyring(&summed(bytes, bytes.len().saturating_sub(4))))
}

/// A blob of the mock.
pub fn mock_blob(bytes: &[u8]) -> Option<bool> {
    let blob = |bytes: &[u8]| MockBlob::decode(bytes).ok().map(|blob| blob.encode() == bytes);
    either(blob(bytes), blob(&summed(bytes, bytes.len().saturating_sub(4))))
}

/// A wrapped data key, opened by a KEK of zeros. What opens was made by it: no other bytes do.
pub fn wrapped_key(bytes: &[u8]) -> Option<bool> {
    let wrapped = WrappedKey::from_bytes(bytes.to_vec()).ok()?;
    let id = Kek::id_of(&wrapped).ok()?;
    let kek = Kek::new(KekId([0; 16]), SecretKey::copy_from(&[0; 32]));
    let opened = kek.unwrap(&wrapped, &Binding::segment([0; 16], 0, 0)).is_ok();
    Some(!opened || id == kek.id())
}

/// A fault in one of two, if any decodes.
fn either(one: Option<bool>, two: Option<bool>) -> Option<bool> {
    match (one, two) {
        (None, None) => None,
        (one, two) => Some(one.unwrap_or(true) && two.unwrap_or(true)),
    }
}

/// `bytes` with the CRC32C of all of them, zeros in its own place, at `at`; at the end, of those before it.
fn summed(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut summed = bytes.to_vec();
    let put = |bytes: &mut Vec<u8>, sum: [u8; 4]| bytes.iter_mut().skip(at).zip(sum).for_each(|(to, from)| *to = from);
    put(&mut summed, [0; 4]);
    let of = if at + 4 == summed.len() { at } else { summed.len() };
    let sum = crc32c::crc32c(summed.get(..of).unwrap_or_default());
    put(&mut summed, sum.to_le_bytes());
    summed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_files_decode_and_encode_to_themselves() {
        assert_eq!(kek_page(include_bytes!("../tests/fixtures/kek-page-1.bin")), Some(true));
        assert_eq!(kek_page(include_bytes!("../tests/fixtures/kek-page-2.bin")), Some(true));
        assert_eq!(keyring(include_bytes!("../tests/fixtures/keyring-1-key.bin")), Some(true));
        assert_eq!(keyring(include_bytes!("../tests/fixtures/keyring-1-passphrase.bin")), Some(true));
        assert_eq!(mock_blob(include_bytes!("../tests/fixtures/mock-1.bin")), Some(true));
        assert_eq!(wrapped_key(include_bytes!("../tests/fixtures/wrapped-key-1.bin")), Some(true));
    }

    #[test]
    fn a_wrong_checksum_is_mended_and_garbage_is_not() {
        let mut bytes = include_bytes!("../tests/fixtures/kek-page-2.bin").to_vec();
        bytes[16] ^= 1;
        assert_eq!(kek_page(&bytes), Some(true));
        let mut bytes = include_bytes!("../tests/fixtures/keyring-1-key.bin").to_vec();
        bytes[80] ^= 1;
        assert_eq!(keyring(&bytes), Some(true));
        for bytes in [&b""[..], b"wtch", &[0; 300]] {
            assert_eq!(
                (kek_page(bytes), keyring(bytes), mock_blob(bytes), wrapped_key(bytes)),
                (None, None, None, None)
            );
        }
    }
}
