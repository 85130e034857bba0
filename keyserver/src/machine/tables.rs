//! The tables of a replica's database, by the first byte of their keys. Numbers in keys are big-endian, so that their order is that of the numbers.
//!
//! Every value has a checksum over its key and itself behind it: nothing is read that was not written, or was written for another key.
//!
//! | first byte | key | value |
//! | ---: | --- | --- |
//! | 0 | – | the [`State`] |
//! | 1 | page number | a page of the tree |
//! | 2 | index, epoch | the [`SignedEntry`] that the index gets with that epoch |
//! | 3 | index, epoch | its [`Profile`] |
//! | 4 | epoch, number from 0 | index and entry hash of a change |
//! | 5 | epoch | [`EpochRecord`] |
//! | 6 | epoch, number from 0 | pages that the epoch no longer has, and the one before has |
//! | 7 | generation | epoch whose head names that realm policy as the next, and the policy |
//! | 8 | name | its index |
//! | 9 | – | the [`Issuers`] of identity tokens |
//! | 10 | – | the [`Authorities`] of client certificates |

use bytes::Bytes;

use super::state::{State, Window};
use crate::encoding::{Reader, Writer};
use crate::kv::{Batch, Direction, KvRead};
use crate::proto::{
    Authorities, Issuers, MAX_POLICY_STEPS, Message, PolicyStep, Profile, RealmPolicy, SignedEntry, SignedHead,
};
use crate::vrf::VRF_PROOF_BYTES;
use crate::{Digest, Error, Result};

/// An epoch, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochRecord {
    /// The head, with all right signatures that the log has brought.
    pub signed: SignedHead,
    /// The page at the top of its tree.
    pub page: Option<u64>,
    /// How many changes came with it.
    pub changes: u64,
    /// Generation of the realm policy that the head is signed under.
    pub generation: u64,
}

impl Message for EpochRecord {
    const WHAT: &'static str = "record of an epoch";
    const KIND: u8 = 17;
    const MOST: usize = 40 << 10;

    fn write(&self, writer: &mut Writer) {
        self.signed.write(writer);
        writer.u64(self.page.unwrap_or(0)).u64(self.changes).u64(self.generation);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            signed: SignedHead::read(reader)?,
            page: Some(reader.u64()?).filter(|page| *page > 0),
            changes: reader.u64()?,
            generation: reader.u64()?,
        })
    }
}

/// The most pages in one list of those that went with an epoch.
const RETIRED_PAGES: usize = 1024;

/// What a key is made of.
fn key(table: u8, parts: &[&[u8]]) -> Bytes {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(table);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key.into()
}

fn sum(key: &[u8], value: &[u8]) -> [u8; 4] {
    crc32c::crc32c_append(crc32c::crc32c(key), value).to_be_bytes()
}

/// Puts `value`, with its checksum.
fn put(batch: &mut Batch, key: Bytes, mut value: Vec<u8>) {
    let sum = sum(&key, &value);
    value.extend_from_slice(&sum);
    batch.put(key, value);
}

/// Takes the checksum off.
pub(crate) fn open(key: &[u8], sealed: &Bytes) -> Result<Bytes> {
    let end = sealed.len().saturating_sub(4);
    let (value, found) = sealed.split_at_checked(end).unwrap_or_default();
    if sum(key, value) != *found {
        let check = format!("the checksum of a value in table {} is wrong", key.first().copied().unwrap_or(0));
        return Err(Error::Corrupt { what: "local database", offset: 0, check });
    }
    Ok(sealed.slice(..end))
}

/// Reads the tables.
#[derive(Clone, Copy)]
pub struct Tables<'a>(&'a dyn KvRead);

impl std::fmt::Debug for Tables<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tables")
    }
}

impl<'a> Tables<'a> {
    /// The tables in that database or snapshot.
    pub fn new(read: &'a dyn KvRead) -> Self {
        Self(read)
    }

    fn get(&self, key: &Bytes) -> Result<Option<Bytes>> {
        self.0.get(key)?.map(|sealed| open(key, &sealed)).transpose()
    }

    fn message<M: Message>(&self, key: &Bytes) -> Result<Option<M>> {
        self.get(key)?.map(|bytes| M::from_bytes(&bytes)).transpose()
    }

    /// The state; none in an empty database.
    ///
    /// # Errors
    /// As all of these: `Storage`, `Corrupt`.
    pub fn state(&self) -> Result<Option<State>> {
        self.message(&key(0, &[]))
    }

    /// Which epochs can be looked up; none in an empty database.
    pub(crate) fn window(&self) -> Result<Option<Window>> {
        self.get(&key(0, &[]))?.map(|state| Window::of(&state)).transpose()
    }

    pub(crate) fn page(&self, id: u64) -> Result<Option<Bytes>> {
        self.get(&key(1, &[&id.to_be_bytes()]))
    }

    /// The newest entry of `index` with that epoch or before, and its epoch.
    pub(crate) fn entry(&self, index: &Digest, epoch: u64) -> Result<Option<(u64, SignedEntry)>> {
        let from = key(2, &[&index.0]);
        let to = key(2, &[&index.0, &epoch.to_be_bytes(), &[0]]);
        let found = self.0.range(&from, &to, Direction::Backward, 1)?.into_iter().next();
        found.map(|(key, sealed)| Ok((last_u64(&key)?, SignedEntry::from_bytes(&open(&key, &sealed)?)?))).transpose()
    }

    /// The first entries of `index` with an epoch from `epoch` on.
    pub(crate) fn entries(&self, index: &Digest, epoch: u64, most: usize) -> Result<Vec<(u64, SignedEntry)>> {
        let from = key(2, &[&index.0, &epoch.to_be_bytes()]);
        let to = key(2, &[&index.0, &[0xff; 9]]);
        let pairs = self.0.range(&from, &to, Direction::Forward, most)?;
        let entry =
            |(key, sealed): (Bytes, Bytes)| Ok((last_u64(&key)?, SignedEntry::from_bytes(&open(&key, &sealed)?)?));
        pairs.into_iter().map(entry).collect()
    }

    pub(crate) fn profile(&self, index: &Digest, epoch: u64) -> Result<Option<Profile>> {
        self.message(&key(3, &[&index.0, &epoch.to_be_bytes()]))
    }

    /// Index and entry hash of changes of the epoch, from number `from` on.
    pub(crate) fn changes(&self, epoch: u64, from: u64, most: usize) -> Result<Vec<(Digest, Digest)>> {
        let start = key(4, &[&epoch.to_be_bytes(), &from.to_be_bytes()]);
        let end = key(4, &[&epoch.to_be_bytes(), &[0xff; 9]]);
        let pairs = self.0.range(&start, &end, Direction::Forward, most)?;
        let change = |(key, sealed): (Bytes, Bytes)| {
            let value = open(&key, &sealed)?;
            let mut reader = Reader::new("change", &value);
            let change = (reader.digest()?, reader.digest()?);
            reader.finish()?;
            Ok(change)
        };
        pairs.into_iter().map(change).collect()
    }

    /// The record of an epoch.
    ///
    /// # Errors
    /// `Storage`, `Corrupt`.
    pub fn epoch(&self, epoch: u64) -> Result<Option<EpochRecord>> {
        self.message(&key(5, &[&epoch.to_be_bytes()]))
    }

    /// The pages that went with that epoch, by the keys of their lists.
    pub(crate) fn retired(&self, epoch: u64) -> Result<Vec<(Bytes, Vec<u64>)>> {
        let from = key(6, &[&epoch.to_be_bytes()]);
        let to = key(6, &[&epoch.to_be_bytes(), &[0xff; 9]]);
        let pairs = self.0.range(&from, &to, Direction::Forward, usize::MAX)?;
        let pages = |(key, sealed): (Bytes, Bytes)| {
            let value = open(&key, &sealed)?;
            let mut reader = Reader::new("list of pages", &value);
            let pages = (0..value.len().div_ceil(8)).map(|_| reader.u64()).collect::<Result<_>>()?;
            Ok((key, pages))
        };
        pairs.into_iter().map(pages).collect()
    }

    /// The realm policy of that generation, and the epoch whose head names it as the next; none for the first.
    pub(crate) fn policy(&self, generation: u64) -> Result<Option<(u64, RealmPolicy)>> {
        let found = self.get(&key(7, &[&generation.to_be_bytes()]))?;
        found
            .map(|value| {
                let mut reader = Reader::new("realm policy", &value);
                let found = (reader.u64()?, RealmPolicy::read(&mut reader)?);
                reader.finish()?;
                Ok(found)
            })
            .transpose()
    }

    /// How the policy of generation `known` became that of generation `to`.
    pub(crate) fn steps(&self, known: u64, to: u64) -> Result<Vec<PolicyStep>> {
        if to.saturating_sub(known) > MAX_POLICY_STEPS as u64 {
            let why = format!("{known} is too far behind {to}; look up an epoch between, with the realm's file");
            return Err(Error::Invalid { what: "generation of the realm policy", why });
        }
        let step = |generation| {
            let missing = || Error::NotFound { what: "realm policy", why: format!("no generation {generation}") };
            let (epoch, policy) = self.policy(generation)?.ok_or_else(missing)?;
            let head = self.epoch(epoch)?.ok_or_else(missing)?.signed;
            Ok(PolicyStep { head, policy })
        };
        (known.saturating_add(1)..=to).map(step).collect()
    }

    /// Whose identity tokens are believed; nobody's at first.
    ///
    /// # Errors
    /// `Storage`, `Corrupt`.
    pub fn issuers(&self) -> Result<Issuers> {
        Ok(self.message(&key(9, &[]))?.unwrap_or_default())
    }

    /// Whose client certificates are taken; nobody's at first.
    ///
    /// # Errors
    /// `Storage`, `Corrupt`.
    pub fn authorities(&self) -> Result<Authorities> {
        Ok(self.message(&key(10, &[]))?.unwrap_or_default())
    }

    /// The index of a name that was registered.
    pub(crate) fn name(&self, name: &str) -> Result<Option<Digest>> {
        let found = self.get(&key(8, &[name.as_bytes()]))?;
        found
            .map(|value| {
                let mut reader = Reader::new("index of a name", &value);
                let index = reader.digest()?;
                // The proof stood behind it once, and is made when it is asked for now.
                if value.len() == Digest::BYTES + VRF_PROOF_BYTES {
                    reader.slice(VRF_PROOF_BYTES)?;
                }
                reader.finish()?;
                Ok(index)
            })
            .transpose()
    }
}

fn last_u64(bytes: &[u8]) -> Result<u64> {
    let fault = || Error::Corrupt { what: "local database", offset: 0, check: "a key is too short".to_owned() };
    bytes.last_chunk().map(|last| u64::from_be_bytes(*last)).ok_or_else(fault)
}

/// Puts things into the tables.
#[derive(Debug, Default)]
pub(crate) struct TableBatch(pub(crate) Batch);

impl TableBatch {
    pub(crate) fn state(&mut self, state: &State) -> Result<()> {
        put(&mut self.0, key(0, &[]), state.to_bounded_bytes()?);
        Ok(())
    }

    pub(crate) fn page(&mut self, id: u64, page: &crate::merkle::Page) {
        put(&mut self.0, key(1, &[&id.to_be_bytes()]), page.encode());
    }

    pub(crate) fn remove_page(&mut self, id: u64) {
        self.0.remove(key(1, &[&id.to_be_bytes()]));
    }

    pub(crate) fn remove(&mut self, key: Bytes) {
        self.0.remove(key);
    }

    pub(crate) fn entry(&mut self, epoch: u64, entry: &SignedEntry) {
        put(&mut self.0, key(2, &[&entry.entry.index.0, &epoch.to_be_bytes()]), entry.to_bytes());
    }

    pub(crate) fn profile(&mut self, index: &Digest, epoch: u64, profile: &Profile) {
        put(&mut self.0, key(3, &[&index.0, &epoch.to_be_bytes()]), profile.to_bytes());
    }

    pub(crate) fn change(&mut self, epoch: u64, number: u64, index: &Digest, hash: &Digest) {
        let value = [&index.0[..], &hash.0].concat();
        put(&mut self.0, key(4, &[&epoch.to_be_bytes(), &number.to_be_bytes()]), value);
    }

    pub(crate) fn epoch(&mut self, record: &EpochRecord) -> Result<()> {
        let epoch = record.signed.head.epoch.to_be_bytes();
        put(&mut self.0, key(5, &[&epoch]), record.to_bounded_bytes()?);
        Ok(())
    }

    /// Lists of pages: a row for each page, as there once was, costs more than what is in it.
    pub(crate) fn retired(&mut self, epoch: u64, pages: &[u64]) {
        for (number, pages) in (0_u64..).zip(pages.chunks(RETIRED_PAGES)) {
            let value = pages.iter().flat_map(|page| page.to_be_bytes()).collect();
            put(&mut self.0, key(6, &[&epoch.to_be_bytes(), &number.to_be_bytes()]), value);
        }
    }

    pub(crate) fn policy(&mut self, epoch: u64, policy: &RealmPolicy) {
        let mut writer = Writer::new();
        policy.write(writer.u64(epoch));
        put(&mut self.0, key(7, &[&policy.generation.to_be_bytes()]), writer.finish());
    }

    pub(crate) fn issuers(&mut self, issuers: &Issuers) {
        put(&mut self.0, key(9, &[]), issuers.to_bytes());
    }

    pub(crate) fn authorities(&mut self, authorities: &Authorities) {
        put(&mut self.0, key(10, &[]), authorities.to_bytes());
    }

    pub(crate) fn name(&mut self, name: &str, index: &Digest) {
        put(&mut self.0, key(8, &[name.as_bytes()]), index.0.to_vec());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::{Kv as _, MemoryKv};

    #[test]
    fn pages_that_went_are_read_from_lists_and_from_the_rows_that_older_replicas_wrote() {
        let kv = MemoryKv::new();
        let mut batch = TableBatch::default();
        let pages: Vec<u64> = (0..2_500).map(|page| page * 3).collect();
        batch.retired(7, &pages);
        batch.retired(9, &[]);
        for (number, page) in [4_u64, 5].into_iter().enumerate() {
            let row = key(6, &[&8_u64.to_be_bytes(), &(number as u64).to_be_bytes()]);
            put(&mut batch.0, row, page.to_be_bytes().to_vec());
        }
        put(&mut batch.0, key(6, &[&10_u64.to_be_bytes(), &[0; 8]]), vec![0; 12]);
        kv.write(batch.0).unwrap();
        let tables = Tables::new(&kv);
        let read = |epoch| tables.retired(epoch).unwrap().into_iter().flat_map(|(_, pages)| pages).collect::<Vec<_>>();
        assert_eq!((read(7), tables.retired(7).unwrap().len()), (pages, 3));
        assert_eq!((read(8), tables.retired(8).unwrap().len()), (vec![4, 5], 2));
        assert_eq!(read(9), Vec::<u64>::new());
        assert!(tables.retired(10).is_err());
    }

    #[test]
    fn a_name_is_read_with_and_without_the_proof_that_older_replicas_wrote() {
        let kv = MemoryKv::new();
        let mut batch = TableBatch::default();
        let index = Digest([3; 32]);
        batch.name("new", &index);
        let row = |name: &str| key(8, &[name.as_bytes()]);
        put(&mut batch.0, row("old"), [[3; 32].as_slice(), &[9; VRF_PROOF_BYTES]].concat());
        put(&mut batch.0, row("short"), vec![3; 31]);
        put(&mut batch.0, row("long"), vec![3; 33]);
        kv.write(batch.0).unwrap();
        let tables = Tables::new(&kv);
        assert_eq!(tables.name("new").unwrap(), Some(index));
        assert_eq!(tables.name("old").unwrap(), Some(index));
        assert_eq!(tables.name("none").unwrap(), None);
        assert!(tables.name("short").is_err() && tables.name("long").is_err());
    }
}
