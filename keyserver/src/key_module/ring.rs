//! Older KEKs, sealed under the newest: AES-256-GCM with a random nonce, under a key that is derived from the newest KEK for this alone.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use plastron_keys::{Fault, Kek, SecretKey};
use zeroize::Zeroizing;

/// Part of the format.
const CONTEXT: &str = "plastron keyserver 1: key of the older KEKs";

fn cipher(kek: &Kek) -> Result<LessSafeKey, Fault> {
    let key = Zeroizing::new(blake3::derive_key(CONTEXT, kek.secret().expose()));
    let key = UnboundKey::new(&AES_256_GCM, &*key);
    key.map(LessSafeKey::new).map_err(|_| Fault::Stopped("AES-256-GCM took no key".into()))
}

/// The keys of `older`, encrypted, and the tag.
pub(super) fn seal<'a>(
    kek: &Kek,
    nonce: [u8; 12],
    associated: &[u8],
    older: impl ExactSizeIterator<Item = &'a SecretKey>,
) -> Result<Vec<u8>, Fault> {
    // As large as it gets: growing would leave a copy behind.
    let mut body = Zeroizing::new(Vec::with_capacity(older.len() * 32));
    older.for_each(|key| body.extend_from_slice(key.expose()));
    let nonce = Nonce::assume_unique_for_key(nonce);
    let sealed = cipher(kek)?.seal_in_place_separate_tag(nonce, Aad::from(associated), body.as_mut_slice());
    let tag = sealed.map_err(|_| Fault::Stopped("AES-256-GCM refused the older KEKs".into()))?;
    // What the body holds now is not secret any more.
    Ok([body.as_slice(), tag.as_ref()].concat())
}

/// The keys again, in their order.
pub(super) fn open(kek: &Kek, nonce: [u8; 12], associated: &[u8], sealed: &[u8]) -> Result<Vec<SecretKey>, Fault> {
    let mut body = Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let opened = cipher(kek)?.open_in_place(nonce, Aad::from(associated), body.as_mut_slice());
    let opened = opened.map_err(|_| {
        Fault::corrupt(
            0,
            "the authentication tag of the older KEKs does not match: somebody who has the KEK changed them",
        )
    })?;
    Ok(opened.as_chunks::<32>().0.iter().map(SecretKey::copy_from).collect())
}
