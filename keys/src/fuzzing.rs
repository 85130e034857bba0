//! Entry points of the fuzz targets; not part of the interface.
//!
//! Each takes any bytes and says whether they decode and, if so, encode to the very same bytes again, which the target asserts.

use crate::envelope::{Binding, Kek, KekId, SecretKey, WrappedKey};
use crate::file::KeyringImage;
use crate::kek_page::KekPage;
use crate::mock::MockBlob;

/// A KEK page. One that this version writes has one encoding; others only decode.
pub fn kek_page(bytes: &[u8]) -> Option<bool> {
    let page = KekPage::decode(&bytes.to_vec().into()).ok()?;
    let again = page.encode().ok()?;
    let ours = bytes.get(4..8) == again.get(4..8);
    Some(KekPage::decode(&again).ok() == Some(page) && (!ours || again == bytes))
}

/// A keyring, not opened.
pub fn keyring(bytes: &[u8]) -> Option<bool> {
    KeyringImage::decode(bytes).ok().map(|image| image.encode() == bytes)
}

/// A blob of the mock.
pub fn mock_blob(bytes: &[u8]) -> Option<bool> {
    MockBlob::decode(bytes).ok().map(|blob| blob.encode() == bytes)
}

/// A wrapped data key, opened by a KEK of zeros. What opens was made by it: no other bytes do.
pub fn wrapped_key(bytes: &[u8]) -> Option<bool> {
    let wrapped = WrappedKey::from_bytes(bytes.to_vec()).ok()?;
    let id = Kek::id_of(&wrapped).ok()?;
    let kek = Kek::new(KekId([0; 16]), SecretKey::copy_from(&[0; 32]));
    let opened = kek.unwrap(&wrapped, &Binding::segment([0; 16], 0, 0)).is_ok();
    Some(!opened || id == kek.id())
}
