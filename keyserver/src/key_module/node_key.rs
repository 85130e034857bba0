//! A node's private keys, in a file that only its owner can read: one line,
//! `plastron-keyserver node-key 1 KEM HEX HEX CHECKSUM`, with the private key for wraps and the seed of the one for signatures.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use plastron_keys::{KeyRandom, read_private};
use zeroize::Zeroizing;

use super::kem::Kem;
use super::node_public::NodePublic;
use crate::{Error, Result, SigningKey};

const WHAT: &str = "node's key file";
/// Bytes that are more than a line has.
const MOST_BYTES: u64 = 4096;

/// A node's private keys. Zeroized when dropped, and never printed.
pub struct NodeKey {
    signing: SigningKey,
    secret: Zeroizing<[u8; 32]>,
    public: NodePublic,
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey([secret] of {})", self.public.key_hash())
    }
}

impl NodeKey {
    /// The keys that these secrets make.
    ///
    /// # Errors
    /// `Invalid` if they make none.
    pub fn from_secrets(kem: Kem, secret: &[u8; 32], seed: &[u8; 32]) -> Result<Self> {
        let signing = SigningKey::from_bytes(seed);
        let invalid = || Error::Invalid { what: WHAT, why: "its secret makes no key".to_owned() };
        let public = NodePublic::new(kem, &kem.public(secret).ok_or_else(invalid)?, signing.public())?;
        Ok(Self { signing, secret: Zeroizing::new(*secret), public })
    }

    /// Fresh keys.
    ///
    /// # Errors
    /// `Storage` without randomness.
    pub fn generate(kem: Kem, random: &dyn KeyRandom) -> Result<Self> {
        let mut both = Zeroizing::new([[0; 32]; 2]);
        for half in both.iter_mut() {
            random.fill(half).map_err(|fault| Error::Storage {
                operation: "drawing random bytes",
                source: fault.to_string().into(),
            })?;
        }
        let [secret, seed] = &*both;
        Self::from_secrets(kem, secret, seed)
    }

    /// What everybody may know.
    pub fn public(&self) -> &NodePublic {
        &self.public
    }

    pub(super) fn signing(&self) -> &SigningKey {
        &self.signing
    }

    pub(super) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    fn line(&self) -> Zeroizing<String> {
        let hex = |bytes: &[u8; 32]| Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let (secret, seed) = (hex(&self.secret), hex(&self.signing.to_bytes()));
        let kem = self.public.kem.name();
        let text = Zeroizing::new(format!("plastron-keyserver node-key 1 {kem} {} {}", *secret, *seed));
        Zeroizing::new(format!("{} {:08x}\n", *text, crc32c::crc32c(text.as_bytes())))
    }

    /// Keeps the keys in a new file of mode 0600, synced.
    ///
    /// # Errors
    /// `Invalid` if there is something already; `Storage`.
    pub fn create(&self, path: &Path) -> Result<()> {
        let open = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = open.map_err(|error| {
            let why = format!("{}: {error}; nothing is overwritten", path.display());
            Error::Invalid { what: WHAT, why }
        })?;
        let failed = |source| Error::Storage { operation: "writing the node's key file", source: Box::new(source) };
        file.write_all(self.line().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
    }

    /// The keys in a file.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for a file that others can read, and one that is damaged or something else.
    pub fn read(path: &Path) -> Result<Self> {
        let invalid = |why: &str| Error::Invalid { what: WHAT, why: why.to_owned() };
        let bytes = match read_private(path, MOST_BYTES) {
            Ok(Some(bytes)) => Zeroizing::new(bytes),
            Ok(None) => {
                let why = format!("{}; make one with plastron-keyserver node-key", path.display());
                return Err(Error::NotFound { what: WHAT, why });
            }
            Err(fault) => return Err(invalid(&fault.to_string())),
        };
        // What is in the file is never said.
        let damaged = || invalid(&format!("{} is no node's key, or is damaged", path.display()));
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
        let words: Vec<&str> = text.trim_end_matches('\n').split(' ').collect();
        let ["plastron-keyserver", "node-key", "1", kem, secret, seed, _] = words.as_slice() else {
            return Err(damaged());
        };
        let hex = |text: &str| crate::encoding::hex_array::<32>(WHAT, text).map(Zeroizing::new).map_err(|_| damaged());
        let kem = Kem::from_name(kem).ok_or_else(damaged)?;
        let key = Self::from_secrets(kem, &*hex(secret)?, &*hex(seed)?)?;
        if key.line().as_str() == text { Ok(key) } else { Err(damaged()) }
    }
}
