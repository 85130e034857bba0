//! The rules by which a committed entry changes the directory.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::pages::{PageCache, PageStore};
use super::proofs::ProofCache;
use super::state::State;
use super::tables::{EpochRecord, TableBatch, Tables};
use crate::kv::{Batch, Direction, Kv, Staged};
use crate::log::Committed;
use crate::merkle::{Page, PageId, Tree, TreeHasher};
use crate::proto::{EpochHead, LogEntry, Message, Realm, SignedHead, Update};
use crate::vrf::VrfSecret;
use crate::{Digest, Error, PublicKey, Refusal, Result, Signature, Signatures, SigningKey, check_change};

/// The most changes of one epoch.
pub const MAX_PENDING: u64 = 16_384;

/// How much later than the one before a head can be: 366 days. A realm that slept longer needs one epoch a year to come back.
pub const MAX_TIME_STEP_MS: u64 = 366 * 24 * 3_600 * 1_000;

/// What all replicas of a realm agree on.
#[derive(Debug)]
pub struct MachineOptions {
    /// The realm.
    pub realm: Realm,
    /// Its index key.
    pub secret: VrfSecret,
    /// Epochs that can be looked up, besides the newest.
    pub retained_epochs: u64,
    /// Bytes of pages, and of proofs of indices, to keep in memory.
    pub cache_bytes: u64,
}

/// What is to happen after the batch is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Whoever waits for the update with that entry hash is told.
    Answer {
        /// Hash of the entry.
        entry: Digest,
        /// The epoch that it comes with, or why it does not.
        result: Result<u64, Refusal>,
    },
    /// The head awaits the signatures of replicas.
    Sign(Box<EpochHead>),
    /// The epoch can be looked up.
    Ratified(u64),
}

/// What an entry did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// The name changes with that epoch.
    Change(u64),
    /// The epoch has a head.
    Delimited(u64),
    /// The head has one more signature.
    Signed(u64),
    /// The policy is announced with that epoch.
    Policy(u64),
    /// That generation of issuers is believed.
    Issuers(u64),
    /// Certificates of that generation of authorities are taken.
    Authorities(u64),
    /// Nothing: it was in the directory already.
    Known,
}

/// What a step amounts to.
#[derive(Debug)]
pub struct Outcome {
    /// To be applied, with the state after it, before anything else happens.
    pub batch: Batch,
    /// To happen then.
    pub effects: Vec<Effect>,
    /// What the entry did, or which rule it breaks.
    pub result: Result<Accepted, Refusal>,
    pub(super) state: State,
    pub(super) pages: Vec<(PageId, Page)>,
    pub(super) retired: Vec<PageId>,
}

impl Outcome {
    /// The state after it.
    pub fn state(&self) -> &State {
        &self.state
    }
}

/// The machine of one replica.
#[derive(Debug)]
pub struct Machine {
    pub(super) options: Arc<MachineOptions>,
    realm: Digest,
    hasher: TreeHasher,
    pub(super) kv: Arc<dyn Kv>,
    pub(super) cache: PageCache,
    pub(super) proofs: ProofCache,
    /// With what is staged.
    pub(super) state: State,
    /// Admits names by identity tokens and client certificates.
    pub(super) registrar: SigningKey,
    pub(super) staged: Staged,
    /// Of what is staged.
    pub(super) effects: Vec<Effect>,
    /// Whether the state is another than that on disk.
    pub(super) unsaved: bool,
    /// Indices of names that the next entries may register.
    pub(super) ahead: BTreeMap<String, Digest>,
}

impl Machine {
    /// The machine whose database is `kv`: where it stood when that was written last.
    ///
    /// # Errors
    /// `Storage`; `Corrupt`, also if there is something in it and no state.
    pub fn open(options: Arc<MachineOptions>, kv: Arc<dyn Kv>) -> Result<Self> {
        let realm = options.realm.id();
        let state = match Tables::new(&*kv).state()? {
            Some(state) => state,
            None if kv.range(&[], &[0xff], Direction::Forward, 1)?.is_empty() => State::new(&options.realm),
            None => {
                let check = "it has no state, as after half an import; remove it and begin anew".to_owned();
                return Err(Error::Corrupt { what: "local database", offset: 0, check });
            }
        };
        // An eighth for proofs, which are made anew in a tenth of a millisecond.
        let (bytes, eighth) = (options.cache_bytes, options.cache_bytes / 8);
        let (cache, proofs) = (PageCache::new(bytes - eighth), ProofCache::new(eighth));
        let (hasher, registrar) = (TreeHasher::new(&realm), options.secret.registrar());
        let (staged, effects, ahead) = (Staged::default(), Vec::new(), BTreeMap::new());
        let unsaved = false;
        Ok(Self { hasher, realm, kv, cache, proofs, state, options, registrar, staged, effects, unsaved, ahead })
    }

    /// Where it stands, with what is staged.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The database.
    pub fn kv(&self) -> &Arc<dyn Kv> {
        &self.kv
    }

    /// The pages in memory.
    pub fn cache(&self) -> &PageCache {
        &self.cache
    }

    /// What all replicas agree on.
    pub fn options(&self) -> &Arc<MachineOptions> {
        &self.options
    }

    /// What `committed` amounts to. Nothing changes before [`commit`](Self::commit) or [`stage`](Self::stage).
    ///
    /// # Errors
    /// `Storage` and `Corrupt`, of the local database alone: an entry that breaks a rule is an outcome. `Invalid` if the entry is not the next.
    pub fn step(&self, committed: &Committed) -> Result<Outcome> {
        if committed.index <= self.state.applied {
            let why = format!("entry {} was applied before", committed.index);
            return Err(Error::Invalid { what: "log", why });
        }
        let view = self.staged.over(&*self.kv);
        let mut step = Step {
            machine: self,
            tables: Tables::new(&view),
            state: self.state.clone(),
            batch: TableBatch::default(),
            effects: Vec::new(),
            pages: Vec::new(),
            retired: Vec::new(),
        };
        let result = match LogEntry::from_bytes(&committed.entry) {
            Ok(entry) => step.apply(entry)?,
            Err(error) => Err(Refusal::Garbage(error.to_string())),
        };
        if result.is_err() {
            // Whatever was begun is forgotten. An answer is not a change.
            (step.state, step.batch) = (self.state.clone(), TableBatch::default());
            (step.pages, step.retired) = (Vec::new(), Vec::new());
        }
        step.state.applied = committed.index;
        let Step { state, batch, effects, pages, retired, .. } = step;
        Ok(Outcome { batch: batch.0, effects, result, state, pages, retired })
    }
}

pub(super) struct Step<'a> {
    pub(super) machine: &'a Machine,
    pub(super) tables: Tables<'a>,
    pub(super) state: State,
    pub(super) batch: TableBatch,
    pub(super) effects: Vec<Effect>,
    pages: Vec<(PageId, Page)>,
    retired: Vec<PageId>,
}

pub(super) type Judged = Result<Result<Accepted, Refusal>>;

/// Leaves the step with a refusal.
macro_rules! refuse {
    ($refusal:expr) => {
        return Ok(Err($refusal))
    };
}

impl Step<'_> {
    fn apply(&mut self, entry: LogEntry) -> Judged {
        match entry {
            LogEntry::Update(update) => {
                let entry = update.signed.entry.hash(&self.machine.realm);
                // Only the machine itself admits by that key, so that no single replica can.
                let own = update.signed.admission.contains_key(&self.machine.registrar.public());
                let result = if own { Err(Refusal::Registrar) } else { self.update(&update, &entry)? };
                Ok(self.answer(entry, result))
            }
            LogEntry::Registration(registration) => self.registration(*registration),
            LogEntry::Certified(registration) => self.certified(*registration),
            LogEntry::Issuers(change) => self.issuers(&change),
            LogEntry::Authorities(change) => self.authorities(&change),
            LogEntry::Delimiter { epoch, issued_ms } => self.delimiter(epoch, issued_ms),
            LogEntry::HeadSignature { epoch, key, signature } => self.signature(epoch, key, signature),
            LogEntry::PolicyChange(change) => Ok(self.policy_change(*change)),
        }
    }

    pub(super) fn update(&mut self, update: &Update, hash: &Digest) -> Result<Result<(u64, Accepted), Refusal>> {
        let signed = &update.signed;
        let known = self.tables.name(&update.name)?;
        let Machine { proofs, options, ahead, .. } = self.machine;
        let known_soon = known.or_else(|| ahead.get(&update.name).copied());
        let index = known_soon.unwrap_or_else(|| proofs.index(&options.secret, &update.name));
        if signed.entry.index != index {
            refuse!(Refusal::Index);
        }
        if signed.entry.commitment != update.profile.commitment() {
            refuse!(Refusal::Commitment);
        }
        let next = self.state.delimited + 1;
        // A name is in its table from its first entry on, so that a new one is not looked for among entries.
        let before = if known.is_some() { self.tables.entry(&index, u64::MAX)? } else { None };
        if let Some((epoch, before)) = &before {
            // Proposed twice, which happens.
            if before.entry.hash(&self.machine.realm) == *hash {
                return Ok(Ok((*epoch, Accepted::Known)));
            }
            if *epoch == next {
                refuse!(Refusal::Pending);
            }
        }
        if self.state.pending >= MAX_PENDING {
            refuse!(Refusal::Full { most: MAX_PENDING as usize });
        }
        let before = before.as_ref().map(|(_, before)| &before.entry);
        if let Err(refusal) = check_change(&self.machine.realm, &self.state.policy.operators, before, signed) {
            refuse!(refusal);
        }
        if before.is_none() {
            self.batch.name(&update.name, &index);
        }
        self.batch.entry(next, signed);
        self.batch.profile(&index, next, &update.profile);
        self.batch.change(next, self.state.pending, &index, hash);
        self.state.pending += 1;
        Ok(Ok((next, Accepted::Change(next))))
    }

    fn delimiter(&mut self, epoch: u64, issued_ms: u64) -> Judged {
        if self.state.ratified != self.state.delimited {
            refuse!(Refusal::Epoch { epoch, what: "to be made while one awaits ratification" });
        }
        if epoch != self.state.delimited + 1 {
            refuse!(Refusal::Epoch { epoch, what: "the next" });
        }
        let least = self.state.issued_ms.saturating_add(self.machine.options.realm.shortest_epoch_ms.max(1));
        if issued_ms < least || issued_ms - self.state.issued_ms > MAX_TIME_STEP_MS {
            refuse!(Refusal::Time { issued_ms });
        }
        let changes: BTreeMap<Digest, Digest> =
            self.tables.changes(epoch, 0, MAX_PENDING as usize)?.into_iter().collect();
        let store = PageStore { tables: self.tables, cache: &self.machine.cache };
        let tree = Tree::new(&self.machine.hasher, &store);
        let change = tree.apply(&self.state.root, &changes, self.state.next_page)?;
        let policy = self.state.policy.digest();
        let announced = self.state.announced.take();
        let head = EpochHead {
            realm: self.machine.realm,
            epoch,
            root: change.root.hash,
            issued_ms,
            previous: self.state.head,
            policy,
            next_policy: announced.as_ref().map_or(policy, |policy| policy.digest()),
        };
        self.batch.epoch(&EpochRecord {
            signed: SignedHead { head: head.clone(), signatures: Signatures::new() },
            page: change.root.page,
            changes: changes.len() as u64,
            generation: self.state.policy.generation,
        })?;
        for (id, page) in &change.written {
            self.batch.page(*id, page);
        }
        self.batch.retired(epoch, &change.retired);
        if let Some(policy) = announced {
            self.batch.policy(epoch, &policy);
            self.state.policy = policy;
        }
        self.state.delimited = epoch;
        self.state.head = head.digest();
        self.state.issued_ms = issued_ms;
        self.state.root = change.root;
        self.state.next_page = change.next_page;
        self.state.pending = 0;
        (self.pages, self.retired) = (change.written, change.retired);
        self.forget()?;
        self.effects.push(Effect::Sign(Box::new(head)));
        Ok(Ok(Accepted::Delimited(epoch)))
    }

    /// Removes what only the oldest retained epoch has, if there are too many. One goes with each that comes.
    fn forget(&mut self) -> Result<()> {
        let oldest = self.state.retained;
        if self.state.delimited.saturating_sub(oldest) <= self.machine.options.retained_epochs {
            return Ok(());
        }
        // What the epoch after it no longer has. An epoch's pages are bounded by its changes.
        for (key, pages) in self.tables.retired(oldest + 1)? {
            pages.into_iter().for_each(|page| self.batch.remove_page(page));
            self.batch.remove(key);
        }
        self.state.retained = oldest + 1;
        Ok(())
    }

    fn signature(&mut self, epoch: u64, key: PublicKey, signature: Signature) -> Judged {
        if epoch == 0 || epoch > self.state.delimited {
            refuse!(Refusal::Epoch { epoch, what: "one that has a head" });
        }
        let fault = |what| Error::Corrupt { what, offset: 0, check: format!("epoch {epoch} is missing") };
        let mut record = self.tables.epoch(epoch)?.ok_or_else(|| fault("local database"))?;
        let policy = match record.generation {
            first if first == self.machine.options.realm.policy.generation => self.machine.options.realm.policy.clone(),
            generation => self.tables.policy(generation)?.ok_or_else(|| fault("realm policies"))?.1,
        };
        let replica = policy.replicas.has(&key);
        if !replica && !policy.verifiers.as_ref().is_some_and(|verifiers| verifiers.has(&key)) {
            refuse!(Refusal::Signer { key });
        }
        if !replica && epoch > self.state.ratified {
            refuse!(Refusal::Epoch { epoch, what: "ratified by the replicas yet" });
        }
        if record.signed.signatures.contains_key(&key) {
            // The one that is there was checked, and stays.
            return Ok(Ok(Accepted::Known));
        }
        if !record.signed.head.is_signed_by(&key, &signature) {
            refuse!(Refusal::Signature { key });
        }
        record.signed.signatures.insert(key, signature);
        self.batch.epoch(&record)?;
        if epoch > self.state.ratified && record.signed.meets(&policy.replicas) {
            self.state.ratified = epoch;
            self.effects.push(Effect::Ratified(epoch));
        }
        Ok(Ok(Accepted::Signed(epoch)))
    }
}
