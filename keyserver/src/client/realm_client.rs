//! The client.

use std::sync::Arc;

use plastron_sources::clock::Clock;
use tokio::sync::Mutex;

use super::memory_file::MemoryFile;
use crate::proto::{
    CertifiedRegistration, ClientMemory, HistoryItem, HistoryPage, LookupAnswer, LookupRequest, Quorum, Realm,
    Registration, Update,
};
use crate::transport::Transport;
use crate::{Digest, Error, Result, Unverified, Verified, check_change, verify_lookup};

/// How many pages of a history are read at the most.
const MOST_PAGES: usize = 4096;

/// What a client needs.
#[derive(Debug)]
pub struct ClientOptions {
    /// The realm, from a source that is trusted.
    pub realm: Realm,
    /// Replicas, asked in this order.
    pub replicas: Vec<Arc<dyn Transport>>,
    /// Where it remembers; without, only as long as it lives.
    pub memory: Option<MemoryFile>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    options: ClientOptions,
    memory: Mutex<ClientMemory>,
}

/// All that a name has had, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// What it has now, or that it is absent.
    pub now: Verified,
    /// From its first entry to what it has now, none left out.
    pub items: Vec<HistoryItem>,
}

impl History {
    /// Entries since version `known` that are signed by none of `keys`: what an owner who has those keys did not do himself.
    pub fn unexpected(&self, known: Option<u64>, keys: &[crate::PublicKey]) -> Vec<&HistoryItem> {
        let new = self.items.iter().filter(|item| known.is_none_or(|known| item.signed.entry.version > known));
        new.filter(|item| !item.signed.signatures.keys().any(|key| keys.contains(key))).collect()
    }
}

impl Client {
    /// A client that remembers what its file says.
    ///
    /// # Errors
    /// Those of [`MemoryFile::load`]; `Invalid` without a replica.
    pub fn open(options: ClientOptions) -> Result<Self> {
        if options.replicas.is_empty() {
            return Err(Error::Invalid { what: "client", why: "it needs the address of a replica".to_owned() });
        }
        let memory = match &options.memory {
            Some(file) => file.load(&options.realm)?,
            None => ClientMemory::new(&options.realm),
        };
        Ok(Self { options, memory: Mutex::new(memory) })
    }

    /// The realm.
    pub fn realm(&self) -> &Realm {
        &self.options.realm
    }

    /// What it remembers.
    pub async fn memory(&self) -> ClientMemory {
        self.memory.lock().await.clone()
    }

    /// What `name` has, at `epoch` or, with 0, now.
    ///
    /// # Errors
    /// `Unverified` if an answer is not proved; what the last replica said if none gave a good one.
    pub async fn lookup(&self, name: &str, epoch: u64, quorum: Quorum) -> Result<Verified> {
        self.prove(name, epoch, quorum).await.map(|(verified, _)| verified)
    }

    /// As [`lookup`](Self::lookup), with the answer itself. One of a stated epoch proves the same to everybody who has the realm's file.
    ///
    /// # Errors
    /// Those of [`lookup`](Self::lookup).
    pub async fn prove(&self, name: &str, epoch: u64, quorum: Quorum) -> Result<(Verified, LookupAnswer)> {
        let mut last = None;
        for replica in &self.options.replicas {
            match self.ask(&**replica, name, epoch, &quorum).await {
                Ok(proved) => return Ok(proved),
                Err(error) => {
                    tracing::debug!(%error, "a replica gave no good answer");
                    // A lie is told before mere trouble.
                    if !matches!((&last, &error), (Some(Error::Unverified(_)), Error::Request { .. })) {
                        last = Some(error);
                    }
                }
            }
        }
        Err(last.unwrap_or(Error::Stopped("the client")))
    }

    async fn ask(
        &self,
        replica: &dyn Transport,
        name: &str,
        epoch: u64,
        quorum: &Quorum,
    ) -> Result<(Verified, LookupAnswer)> {
        let known = self.memory().await;
        let policy = if epoch == 0 { &known.policy } else { &self.options.realm.policy };
        let known_generation = policy.generation;
        let request = LookupRequest { name: name.to_owned(), epoch, quorum: quorum.clone(), known_generation };
        let answer = replica.lookup(&request).await?;
        let now_ms = crate::runner::now_ms(&*self.options.clock);
        // Others may have been answered meanwhile: what they saw counts, so that it is checked and remembered in one.
        let mut memory = self.memory.lock().await;
        if epoch == 0 && memory.policy.generation != known_generation {
            return Err(Error::Request {
                operation: "lookup",
                address: "a replica".to_owned(),
                why: "the realm's policy changed meanwhile; ask again".to_owned(),
            });
        }
        let verified = verify_lookup(&self.options.realm, &memory, &request, &answer, now_ms)?;
        if verified.memory != *memory {
            if let Some(file) = self.options.memory.clone() {
                let new = verified.memory.clone();
                let saved = tokio::task::spawn_blocking(move || file.save(&new)).await;
                saved.unwrap_or(Err(Error::Stopped("the runtime")))?;
            }
            *memory = verified.memory.clone();
        }
        Ok((verified, answer))
    }

    /// Brings in an update; gives the epoch that it comes with. Whether it is there only a lookup proves.
    ///
    /// # Errors
    /// What the last replica said; a refusal is final, and no other is asked.
    pub async fn update(&self, update: &Update) -> Result<u64> {
        self.first_answer(|replica| replica.update(update)).await
    }

    /// Brings in a new name with an identity token, as [`update`](Self::update).
    ///
    /// # Errors
    /// See [`update`](Self::update).
    pub async fn register(&self, registration: &Registration) -> Result<u64> {
        self.first_answer(|replica| replica.register(registration)).await
    }

    /// Brings in a new name with a client certificate, as [`update`](Self::update).
    ///
    /// # Errors
    /// See [`update`](Self::update).
    pub async fn register_certified(&self, registration: &CertifiedRegistration) -> Result<u64> {
        self.first_answer(|replica| replica.register_certified(registration)).await
    }

    async fn first_answer<'a, F: Future<Output = Result<u64>>>(
        &'a self,
        ask: impl Fn(&'a dyn Transport) -> F,
    ) -> Result<u64> {
        let mut last = Error::Stopped("the client");
        for replica in &self.options.replicas {
            match ask(&**replica).await {
                Ok(epoch) => return Ok(epoch),
                Err(error) if !error.is_retryable() => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// All that `name` has had, up to what it has now. Every entry follows from the one before by its hash and keeps the rules, so that none can be left
    /// out or slipped in.
    ///
    /// # Errors
    /// Those of [`lookup`](Self::lookup); `Unverified` if the history does not lead to what the name has now.
    pub async fn history(&self, name: &str, quorum: Quorum) -> Result<History> {
        let now = self.lookup(name, 0, quorum).await?;
        let Some((last, _)) = &now.found else { return Ok(History { now, items: Vec::new() }) };
        let mut failed = None;
        for replica in &self.options.replicas {
            match self.read_history(&**replica, name, &now, last.hash(&now.head.realm)).await {
                Ok(items) => return Ok(History { now, items }),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or(Error::Stopped("the client")))
    }

    async fn read_history(
        &self,
        replica: &dyn Transport,
        name: &str,
        now: &Verified,
        last: Digest,
    ) -> Result<Vec<HistoryItem>> {
        let realm = now.head.realm;
        let mut items: Vec<HistoryItem> = Vec::new();
        for _ in 0..MOST_PAGES {
            let from = items.last().map_or(0, |item| item.epoch.saturating_add(1));
            let HistoryPage { items: page } = replica.history(name, from).await?;
            if page.is_empty() {
                break;
            }
            for item in page {
                let before = items.last();
                let in_order = before.is_none_or(|before| before.epoch < item.epoch);
                let first = before.is_some() || item.signed.entry.previous == Digest::NONE;
                let follows = first
                    && in_order
                    && item.signed.entry.index == now.index
                    && item.signed.entry.commitment == item.profile.commitment();
                if !follows || !self.keeps_rules(before, &item, &realm) {
                    return Err(Unverified::History { version: item.signed.entry.version }.into());
                }
                items.push(item);
                if items.last().is_some_and(|item| item.signed.entry.hash(&realm) == last) {
                    return Ok(items);
                }
            }
        }
        Err(Unverified::History { version: items.last().map_or(0, |item| item.signed.entry.version) }.into())
    }

    /// Whether the owner so far, and the new one, have signed. Who was operator at the time of the first entry is for verifiers to know.
    fn keeps_rules(&self, before: Option<&HistoryItem>, item: &HistoryItem, realm: &Digest) -> bool {
        let operators = &self.options.realm.policy.operators;
        let checked = check_change(realm, operators, before.map(|before| &before.signed.entry), &item.signed);
        match checked {
            Err(crate::Refusal::NotAdmitted) => {
                let entry = &item.signed.entry;
                entry.policy.is_met(&entry.signed_digest(realm), &item.signed.signatures)
            }
            checked => checked.is_ok(),
        }
    }
}
