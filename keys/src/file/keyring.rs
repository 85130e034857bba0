//! The keyring with its keys unwrapped.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::image::{Entry, Kdf, KeyringImage, MAX_KEYS};
use super::master_key::MasterKey;
use crate::envelope::{KEY_BYTES, Kek, KekId, Root, SecretKey};
use crate::environment::KeyRandom;
use crate::error::Fault;

const SEAL_INFO: &[u8] = b"plastron keyring seal 1";
const CHECK_INFO: &[u8] = b"plastron keyring check 1";

/// KEKs by id, with what is known of them.
#[derive(Clone)]
pub(crate) struct Keyring {
    pub(crate) id: [u8; 16],
    pub(crate) kdf: Kdf,
    pub(crate) revision: u64,
    keys: BTreeMap<KekId, (Entry, Arc<Kek>)>,
}

impl Keyring {
    /// A keyring with one fresh key.
    pub(crate) fn create(kdf: Kdf, now_ms: u64, random: &dyn KeyRandom) -> Result<Self, Fault> {
        let mut id = [0; 16];
        random.fill(&mut id)?;
        let mut keyring = Self { id, kdf, revision: 0, keys: BTreeMap::new() };
        keyring.add_key(now_ms, random)?;
        Ok(keyring)
    }

    /// Adds a fresh key of the next generation, which is the newest then.
    pub(crate) fn add_key(&mut self, now_ms: u64, random: &dyn KeyRandom) -> Result<(), Fault> {
        let generation = self.newest().map_or(Some(1), |newest| newest.generation.checked_add(1));
        let generation = generation.filter(|_| self.keys.len() < MAX_KEYS).ok_or_else(|| {
            Fault::State(format!("the keyring is full: it has {} keys; rotate less often", self.keys.len()))
        })?;
        let mut id = KekId([0; KekId::BYTES]);
        random.fill(&mut id.0)?;
        let kek = Arc::new(Kek::new(id, SecretKey::generate(random)?));
        self.keys.insert(id, (Entry { generation, id, created_ms: now_ms }, kek));
        Ok(())
    }

    /// The key that is wrapped by, once it is in force.
    pub(crate) fn newest(&self) -> Option<Entry> {
        self.keys.values().map(|(entry, _)| *entry).max()
    }

    /// All keys, oldest first.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.keys.values().map(|(entry, _)| *entry).collect();
        entries.sort_unstable();
        entries
    }

    pub(crate) fn kek(&self, id: &KekId) -> Option<&Arc<Kek>> {
        self.keys.get(id).map(|(_, kek)| kek)
    }

    /// Whether every key of `other` is here.
    pub(crate) fn holds(&self, other: &Self) -> bool {
        other.keys.keys().all(|id| self.keys.contains_key(id))
    }

    /// Adds the keys of `other`.
    ///
    /// # Errors
    /// [`Fault::Config`] for another keyring, [`Fault::Corrupt`] for another key of the same id.
    pub(crate) fn join(&mut self, other: &Self) -> Result<(), Fault> {
        if self.id != other.id {
            return Err(Fault::Config(format!(
                "the keyring {} and the database's keyring {} are not the same; name the right file in config=(path=…), or one that does not exist yet",
                Hexadecimal(&self.id),
                Hexadecimal(&other.id)
            )));
        }
        for (id, (entry, kek)) in &other.keys {
            match self.keys.get(id) {
                Some((_, known)) if known.secret().equals(kek.secret()) => {}
                Some(_) => return Err(Fault::corrupt(0, format!("there are two different keys of the id {id}"))),
                None => {
                    self.keys.insert(*id, (*entry, kek.clone()));
                }
            }
        }
        if self.keys.len() > MAX_KEYS {
            return Err(Fault::State(format!(
                "the keyring is full: it has {} keys; rotate less often",
                self.keys.len()
            )));
        }
        self.revision = self.revision.max(other.revision);
        Ok(())
    }

    /// The keyring in bytes, as its next revision.
    pub(crate) fn seal(&mut self, master: &MasterKey, random: &dyn KeyRandom) -> Result<Vec<u8>, Fault> {
        let (cipher, check) = ciphers(master, &self.kdf, &self.id)?;
        let revision = self.revision.saturating_add(1);
        let mut nonce = [0; 12];
        random.fill(&mut nonce)?;
        let entries = self.entries();
        // As large as it gets: growing would leave a copy behind.
        let mut body = Zeroizing::new(Vec::with_capacity(entries.len() * KEY_BYTES));
        for kek in entries.iter().filter_map(|entry| self.kek(&entry.id)) {
            body.extend_from_slice(kek.secret().expose());
        }
        let mut image =
            KeyringImage { kdf: self.kdf, id: self.id, revision, check, nonce, entries, sealed: Vec::new() };
        let tag = cipher
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(image.head()),
                body.as_mut_slice(),
            )
            .map_err(|_| Fault::Stopped("AES-256-GCM refused the keyring".into()))?;
        // What the body holds now is not secret any more.
        image.sealed = [body.as_slice(), tag.as_ref()].concat();
        self.revision = revision;
        Ok(image.encode())
    }

    /// The keyring in `image`.
    ///
    /// # Errors
    /// [`Fault::WrongMasterKey`], or [`Fault::Corrupt`] if the master key fits and something was changed nevertheless.
    pub(crate) fn open(image: &KeyringImage, master: &MasterKey) -> Result<Self, Fault> {
        let (cipher, check) = ciphers(master, &image.kdf, &image.id)?;
        if aws_lc_rs::constant_time::verify_slices_are_equal(&check, &image.check).is_err() {
            return Err(Fault::WrongMasterKey(format!(
                "{} does not fit the keyring {}, revision {}; nothing was changed",
                master.origin(),
                Hexadecimal(&image.id),
                image.revision
            )));
        }
        let head = image.head();
        let mut body = Zeroizing::new(image.sealed.clone());
        let opened = cipher
            .open_in_place(Nonce::assume_unique_for_key(image.nonce), Aad::from(&head), body.as_mut_slice())
            .map_err(|_| {
                Fault::corrupt(head.len(), "the authentication tag of the keyring does not match: somebody changed it")
            })?;
        let (secrets, _) = opened.as_chunks::<KEY_BYTES>();
        let mut keys = BTreeMap::new();
        for (entry, secret) in image.entries.iter().zip(secrets) {
            let kek = Arc::new(Kek::new(entry.id, SecretKey::copy_from(secret)));
            if keys.insert(entry.id, (*entry, kek)).is_some() {
                return Err(Fault::corrupt(head.len(), format!("there are two keys of the id {}", entry.id)));
            }
        }
        Ok(Self { id: image.id, kdf: image.kdf, revision: image.revision, keys })
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({}, revision {}, {} keys)", Hexadecimal(&self.id), self.revision, self.keys.len())
    }
}

/// What a keyring is sealed with, and what tells whether the master key fits.
fn ciphers(master: &MasterKey, kdf: &Kdf, id: &[u8; 16]) -> Result<(LessSafeKey, [u8; 16]), Fault> {
    let root = Root::new(id, master.key(kdf)?.expose());
    let key = SecretKey::written_by(|key| root.derive(&[SEAL_INFO], key))?;
    let mut check = [0; 16];
    root.derive(&[CHECK_INFO], &mut check)?;
    let key =
        UnboundKey::new(&AES_256_GCM, key.expose()).map_err(|_| Fault::Stopped("AES-256-GCM took no key".into()))?;
    Ok((LessSafeKey::new(key), check))
}

/// Bytes as text.
pub(crate) struct Hexadecimal<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hexadecimal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
