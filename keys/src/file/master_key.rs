//! The master key, and where it comes from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

use super::image::Kdf;
use crate::envelope::{KEY_BYTES, SecretKey};
use crate::environment::KeyEnvironment;
use crate::error::Fault;
use crate::replaced_file::read_private;

/// Most bytes of a file that holds a key or passphrase.
const MAX_FILE_BYTES: u64 = 4_096;

/// A passphrase is at least this long; Argon2id slows guessing down, and no more.
pub(crate) const MIN_PASSPHRASE_BYTES: usize = 8;

/// Where the master key is looked for.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A file with 32 bytes, or 64 hexadecimal digits.
    KeyFile(PathBuf),
    /// An environment variable with 64 hexadecimal digits.
    KeyVariable(String),
    /// A file with a passphrase.
    PassphraseFile(PathBuf),
    /// An environment variable with a passphrase.
    PassphraseVariable(String),
    /// The passphrase itself.
    Passphrase(Zeroizing<String>),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyFile(path) => write!(f, "the key in {}", path.display()),
            Self::KeyVariable(name) => write!(f, "the key in the environment variable {name}"),
            Self::PassphraseFile(path) => write!(f, "the passphrase in {}", path.display()),
            Self::PassphraseVariable(name) => write!(f, "the passphrase in the environment variable {name}"),
            Self::Passphrase(_) => write!(f, "the passphrase in the configuration"),
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The master key itself, or what it is derived from.
pub(crate) struct MasterKey {
    origin: Origin,
    secret: Secret,
    /// The key derived last; deriving takes a tenth of a second.
    derived: Mutex<Option<(Kdf, SecretKey)>>,
}

enum Secret {
    Key(SecretKey),
    Passphrase(Zeroizing<Vec<u8>>),
}

impl MasterKey {
    /// Reads the key or passphrase.
    pub(crate) fn read(origin: Origin, environment: &KeyEnvironment) -> Result<Self, Fault> {
        let secret = match &origin {
            Origin::KeyFile(path) => {
                let bytes = read_secret_file(path)?;
                let key = SecretKey::from_slice(&bytes).or_else(|| from_hexadecimal(trimmed(&bytes)));
                Secret::Key(key.ok_or_else(|| not_a_key(&format!("{} ({} bytes)", path.display(), bytes.len())))?)
            }
            Origin::KeyVariable(name) => {
                let bytes = read_variable(name, environment)?;
                let key = from_hexadecimal(trimmed(&bytes));
                Secret::Key(key.ok_or_else(|| not_a_key(&format!("the environment variable {name}")))?)
            }
            Origin::PassphraseFile(path) => {
                let bytes = read_secret_file(path)?;
                Secret::Passphrase(passphrase(trimmed(&bytes), &path.display())?)
            }
            Origin::PassphraseVariable(name) => {
                let bytes = read_variable(name, environment)?;
                Secret::Passphrase(passphrase(&bytes, &format_args!("the environment variable {name}"))?)
            }
            Origin::Passphrase(text) => Secret::Passphrase(passphrase(text.as_bytes(), &"the configuration")?),
        };
        Ok(Self { origin, secret, derived: Mutex::new(None) })
    }

    /// Where it came from.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether it is a passphrase, which needs an Argon2id salt.
    pub(crate) fn is_passphrase(&self) -> bool {
        matches!(self.secret, Secret::Passphrase(_))
    }

    /// The key that a keyring of this `kdf` is wrapped by.
    pub(crate) fn key(&self, kdf: &Kdf) -> Result<SecretKey, Fault> {
        match (&self.secret, kdf) {
            (Secret::Key(key), Kdf::Key) => Ok(key.duplicate()),
            (Secret::Passphrase(phrase), Kdf::Argon2id { .. }) => {
                let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((_, key)) = derived.as_ref().filter(|(of, _)| of == kdf) {
                    return Ok(key.duplicate());
                }
                let key = argon2id(phrase, kdf)?;
                let copy = key.duplicate();
                *derived = Some((*kdf, key));
                Ok(copy)
            }
            (Secret::Key(_), Kdf::Argon2id { .. }) => Err(Fault::WrongMasterKey(format!(
                "the keyring is wrapped by a passphrase, and {} is configured; name the passphrase",
                self.origin
            ))),
            (Secret::Passphrase(_), Kdf::Key) => Err(Fault::WrongMasterKey(format!(
                "the keyring is wrapped by a key, and {} is configured; name the key with key_file or key_variable",
                self.origin
            ))),
        }
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.origin)
    }
}

fn argon2id(phrase: &[u8], kdf: &Kdf) -> Result<SecretKey, Fault> {
    let Kdf::Argon2id { memory_kib, iterations, lanes, salt } = kdf else {
        return Err(Fault::Stopped("a key needs no Argon2id".into()));
    };
    let failed = |error: argon2::Error| Fault::Stopped(format!("Argon2id: {error}"));
    let params = Params::new(*memory_kib, *iterations, *lanes, Some(KEY_BYTES)).map_err(failed)?;
    let blocks = params.block_count();
    // The library's own allocation would end the process where there is no memory.
    let mut memory: Zeroizing<Vec<Block>> = Zeroizing::new(Vec::new());
    memory.try_reserve_exact(blocks).map_err(|_| {
        Fault::Stopped(format!(
            "there is no memory for Argon2id, which takes {memory_kib} KiB; make the keyring anew with less"
        ))
    })?;
    memory.resize(blocks, Block::default());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    SecretKey::written_by(|key| {
        argon2.hash_password_into_with_memory(phrase, salt, key, memory.as_mut_slice()).map_err(failed)
    })
}

fn read_secret_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Fault> {
    match read_private(path, MAX_FILE_BYTES) {
        Ok(Some(bytes)) => Ok(Zeroizing::new(bytes)),
        Ok(None) => Err(Fault::NoMasterKey(format!(
            "there is no file {}; put the key there, or make one: (umask 077; openssl rand -hex 32 > FILE)",
            path.display()
        ))),
        Err(fault) => Err(fault),
    }
}

fn read_variable(name: &str, environment: &KeyEnvironment) -> Result<Zeroizing<Vec<u8>>, Fault> {
    match (environment.variables)(name) {
        Some(value) => Ok(Zeroizing::new(value.into_encoded_bytes())),
        None => Err(Fault::NoMasterKey(format!("the environment variable {name} is not set"))),
    }
}

fn passphrase(bytes: &[u8], place: &dyn fmt::Display) -> Result<Zeroizing<Vec<u8>>, Fault> {
    if bytes.len() < MIN_PASSPHRASE_BYTES {
        return Err(Fault::NoMasterKey(format!(
            "the passphrase in {place} is shorter than {MIN_PASSPHRASE_BYTES} bytes; six random words make a good one"
        )));
    }
    Ok(Zeroizing::new(bytes.to_vec()))
}

fn not_a_key(place: &str) -> Fault {
    Fault::NoMasterKey(format!(
        "{place} holds no key, which is 64 hexadecimal digits, or in a file 32 bytes; a passphrase is named with phrase_file or \
         phrase_variable"
    ))
}

/// Without one line end.
fn trimmed(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\r\n").or_else(|| bytes.strip_suffix(b"\n")).unwrap_or(bytes)
}

fn from_hexadecimal(text: &[u8]) -> Option<SecretKey> {
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != KEY_BYTES || !rest.is_empty() {
        return None;
    }
    SecretKey::written_by(|key| {
        for (byte, [high, low]) in key.iter_mut().zip(pairs) {
            *byte = digit(*high).ok_or(())? << 4 | digit(*low).ok_or(())?;
        }
        Ok::<_, ()>(())
    })
    .ok()
}
