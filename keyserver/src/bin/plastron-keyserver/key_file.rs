//! Private keys in files: one line of text, `plastron-keyserver PURPOSE 1 HEX CHECKSUM`, which only its owner can read.

use std::path::Path;

use plastron_keyserver::{Error, Result, SigningKey};
use zeroize::Zeroizing;

use crate::files;

/// What signs.
pub(crate) const SIGNING: &str = "signing-key";
/// What computes indices.
pub(crate) const INDEX: &str = "index-key";

/// Random bytes, fit for keys.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut *bytes)
        .map_err(|error| Error::Storage { operation: "drawing random bytes", source: error.to_string().into() })?;
    Ok(bytes)
}

fn line(purpose: &str, key: &[u8; 32]) -> Zeroizing<String> {
    let hex = Zeroizing::new(key.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let text = Zeroizing::new(format!("plastron-keyserver {purpose} 1 {}", *hex));
    Zeroizing::new(format!("{} {:08x}\n", *text, crc32c::crc32c(text.as_bytes())))
}

/// Keeps a key in a new file.
pub(crate) fn create(path: &Path, purpose: &str, key: &[u8; 32]) -> Result<()> {
    files::create(path, line(purpose, key).as_bytes(), true)
}

/// The key in a file.
pub(crate) fn read(path: &Path, purpose: &str) -> Result<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(files::read("key", path)?);
    // What is in the file is never said.
    let fault =
        || Error::Invalid { what: "key file", why: format!("{} is no {purpose}, or is damaged", path.display()) };
    let text = std::str::from_utf8(&bytes).map_err(|_| fault())?;
    let hex = text.split(' ').nth(3).filter(|hex| hex.len() == 64 && hex.is_ascii()).ok_or_else(fault)?;
    let mut key = Zeroizing::new([0; 32]);
    for (byte, digits) in key.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).map_err(|_| fault())?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| fault())?;
    }
    if line(purpose, &key).as_str() == text { Ok(key) } else { Err(fault()) }
}

/// The signing key in a file.
pub(crate) fn signing(path: &Path) -> Result<SigningKey> {
    Ok(SigningKey::from_bytes(&*read(path, SIGNING)?))
}
