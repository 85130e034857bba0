//! OpenPGP's key server protocol (draft-gallagher-openpgp-hkp), for names whose profile has a key for the application `pgp`.
//!
//! `GET /pks/lookup?op=get&search=…`: the search is a name, or an address to which `person/` is put in front. Programs that speak it check nothing, so that they get
//! no more than any key server gives; who wants proof asks for it. Keys by their fingerprint are not found, and nothing can be uploaded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::machine::Directory;
use crate::proto::{LookupRequest, MAX_NAME_BYTES, Quorum};
use crate::{Error, Result};

/// The application under which a profile has its OpenPGP key.
const APPLICATION: &str = "pgp";
/// Where registrations by identity tokens put addresses, unless the operators say otherwise.
const PERSONS: &str = "person/";

/// The key of whoever is searched, in ASCII armor.
///
/// # Errors
/// `NotFound`; `Invalid` for a search that can be no name.
pub(super) fn armored_key(directory: &Directory, search: &str) -> Result<String> {
    let missing = || Error::NotFound { what: "OpenPGP key", why: "no name like that has one".to_owned() };
    if search.is_empty() || search.len() > MAX_NAME_BYTES {
        return Err(Error::Invalid { what: "search", why: format!("it has 1 to {MAX_NAME_BYTES} characters") });
    }
    for name in [search.to_owned(), format!("{PERSONS}{}", search.to_ascii_lowercase())] {
        let request = LookupRequest { name, epoch: 0, quorum: Quorum::Replicas, known_generation: u64::MAX };
        let found = match directory.lookup(&request) {
            Ok(answer) => answer.found,
            // One of the two may be no name.
            Err(Error::Invalid { .. }) => None,
            Err(error) => return Err(error),
        };
        if let Some(key) = found.as_ref().and_then(|(_, profile)| profile.keys().get(APPLICATION)) {
            return Ok(armor(key));
        }
    }
    Err(missing())
}

/// Bytes in the armor of RFC 9580, 6.2; what has armor keeps it.
fn armor(key: &[u8]) -> String {
    const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
    if key.starts_with(BEGIN.as_bytes()) {
        return String::from_utf8_lossy(key).into_owned();
    }
    let text = STANDARD.encode(key);
    let mut out = format!("{BEGIN}\n\n");
    for line in text.as_bytes().chunks(64) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    let [_, sum @ ..] = crc24(key).to_be_bytes();
    out.push_str(&format!("={}\n-----END PGP PUBLIC KEY BLOCK-----\n", STANDARD.encode(sum)));
    out
}

/// RFC 9580, 6.1.1.
fn crc24(bytes: &[u8]) -> u32 {
    let mut crc: u32 = 0x00b7_04ce;
    for byte in bytes {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    crc & 0x00ff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armor_has_the_sum_that_others_compute() {
        // The check value of CRC-24/OPENPGP.
        assert_eq!(crc24(b"123456789"), 0x0021_cf02);
        let text = armor(b"123456789");
        assert!(text.contains("\nMTIzNDU2Nzg5\n=Ic8C\n"), "{text}");
        assert_eq!(armor(text.as_bytes()), text);
    }
}
