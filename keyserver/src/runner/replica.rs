//! The tasks of a replica.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use plastron_sources::clock::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::waiting::Waiting;
use crate::epoch::{EpochDecision, EpochInputs, EpochIntervals, decide};
use crate::kv::Trace;
use crate::log::{Committed, ReplicatedLog};
use crate::machine::{Directory, Effect, Machine, State};
use crate::proposer::{Proposer, ProposerOptions};
use crate::proto::{
    AuthoritiesChange, CertifiedRegistration, EpochHead, IssuersChange, LogEntry, Message, PolicyChange, Registration,
    Update, check_name,
};
use crate::{Digest, Error, PublicKey, Result, Signature, SigningKey};

/// Entries taken from the log, and synced, at once.
const PORTION: usize = 256;
/// The log is truncated after so many entries.
const TRUNCATE_EVERY: u64 = 1024;

/// How a replica runs.
#[derive(Debug)]
pub struct RunnerOptions {
    /// Its key; none for one that only follows.
    pub key: Option<SigningKey>,
    /// When epochs are made.
    pub intervals: EpochIntervals,
    /// How proposals are tried.
    pub proposer: ProposerOptions,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Whether this is the only replica, so that the log can be truncated behind it.
    pub alone: bool,
    /// Where a test wants to see what happens.
    pub trace: Option<Trace>,
}

/// A running replica. Dropping it stops it; what was committed meanwhile is applied when it is opened again.
#[derive(Debug)]
pub struct Runner {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    options: RunnerOptions,
    log: Arc<dyn ReplicatedLog>,
    directory: Directory,
    waiting: Waiting,
    state: watch::Receiver<State>,
    failure: watch::Receiver<Option<String>>,
    realm: crate::Digest,
}

impl Runner {
    /// Starts the replica. Within a tokio runtime.
    pub fn start(machine: Machine, log: Arc<dyn ReplicatedLog>, options: RunnerOptions) -> Self {
        let (publish, state) = watch::channel(machine.state().clone());
        let (fail, failure) = watch::channel(None);
        let directory = Directory::of(&machine);
        let realm = machine.options().realm.id();
        let shared = Arc::new(Shared { options, log, directory, waiting: Waiting::default(), state, failure, realm });
        let apply = Arc::clone(&shared);
        let apply = tokio::spawn(async move {
            if let Err(error) = apply.apply(machine, publish).await {
                tracing::error!(%error, "the replica has stopped");
                fail.send_replace(Some(error.to_string()));
            }
        });
        let epochs = tokio::spawn(Arc::clone(&shared).epochs());
        Self { shared, tasks: vec![apply, epochs] }
    }

    /// The realm's identity.
    pub fn realm(&self) -> crate::Digest {
        self.shared.realm
    }

    /// How long a head is fresh.
    pub fn lifetime_ms(&self) -> u64 {
        self.shared.directory.realm().lifetime_ms
    }

    /// What it answers from.
    pub fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    /// The state, as it changes.
    pub fn state(&self) -> watch::Receiver<State> {
        self.shared.state.clone()
    }

    /// Why it has stopped, if it has.
    pub fn failure(&self) -> Option<String> {
        self.shared.failure.borrow().clone()
    }

    /// Brings `update` into the directory, and waits until its epoch is ratified; gives that epoch. If it is dropped, or late, the update may happen all
    /// the same.
    ///
    /// # Errors
    /// `Refused` if a rule is broken; `Timeout`, `Overloaded`, `Stopped`.
    pub async fn update(&self, update: Update, deadline: Duration) -> Result<u64> {
        check_name(&update.name)?;
        // Held back, since all replicas would refuse it.
        if update.signed.entry.commitment != update.profile.commitment() {
            return Err(crate::Refusal::Commitment.into());
        }
        let hash = update.signed.entry.hash(&self.shared.realm);
        self.submit("an update", hash, &LogEntry::Update(Box::new(update)), deadline).await
    }

    /// Brings in a new name with an identity token, as [`update`](Self::update) does an update.
    ///
    /// # Errors
    /// `Refused`, `Timeout`, `Overloaded`, `Stopped`.
    pub async fn register(&self, registration: Registration, deadline: Duration) -> Result<u64> {
        let hash = registration.update.signed.entry.hash(&self.shared.realm);
        let entry = LogEntry::Registration(Box::new(registration));
        self.submit("a registration", hash, &entry, deadline).await
    }

    /// Brings in a new name with a client certificate, as [`update`](Self::update) does an update.
    ///
    /// # Errors
    /// `Refused`, `Timeout`, `Overloaded`, `Stopped`.
    pub async fn register_certified(&self, registration: CertifiedRegistration, deadline: Duration) -> Result<u64> {
        let hash = registration.update.signed.entry.hash(&self.shared.realm);
        let entry = LogEntry::Certified(Box::new(registration));
        self.submit("a registration", hash, &entry, deadline).await
    }

    /// Brings in a change of the authorities whose certificates are taken, as [`change_issuers`](Self::change_issuers).
    ///
    /// # Errors
    /// `Refused`, `Timeout`, `Overloaded`, `Stopped`.
    pub async fn change_authorities(&self, change: AuthoritiesChange, deadline: Duration) -> Result<u64> {
        let digest = AuthoritiesChange::signed_digest(&change.authorities, &self.shared.realm);
        self.submit("a change of the authorities", digest, &LogEntry::Authorities(Box::new(change)), deadline).await
    }

    /// Brings in a change of the issuers whose tokens are believed, and waits until the replica believes them; gives the newest epoch by then.
    ///
    /// # Errors
    /// `Refused`, `Timeout`, `Overloaded`, `Stopped`.
    pub async fn change_issuers(&self, change: IssuersChange, deadline: Duration) -> Result<u64> {
        let digest = IssuersChange::signed_digest(&change.issuers, &self.shared.realm);
        self.submit("a change of the issuers", digest, &LogEntry::Issuers(Box::new(change)), deadline).await
    }

    /// Proposes `entry` until it is answered under that digest, and waits for the epoch that it comes with.
    async fn submit(&self, what: &'static str, digest: Digest, entry: &LogEntry, deadline: Duration) -> Result<u64> {
        let entry = entry.to_bounded_bytes()?;
        let answer = self.shared.waiting.wait_for(digest)?;
        self.within(what, deadline, async {
            let proposer = self.shared.propose(entry);
            let epoch = answer.await.map_err(|_| Error::Stopped("the replica"))??;
            drop(proposer);
            self.until(|state| state.ratified >= epoch).await?;
            Ok(epoch)
        })
        .await
    }

    /// Brings a signature of a head into the directory.
    ///
    /// # Errors
    /// `NotFound` if the epoch is not ratified; `Refused` if the signature does not hold; `Timeout`, `Stopped`.
    pub async fn ratify(&self, epoch: u64, key: PublicKey, signature: Signature, deadline: Duration) -> Result<()> {
        let record = self.shared.record(epoch).await?;
        let missing = || Error::NotFound { what: "epoch", why: format!("{epoch} is not ratified by the replicas") };
        let head = record.filter(|_| epoch <= self.shared.state.borrow().ratified).ok_or_else(missing)?;
        if head.signed.signatures.contains_key(&key) {
            return Ok(());
        }
        if !head.signed.head.is_signed_by(&key, &signature) {
            return Err(crate::Refusal::Signature { key }.into());
        }
        let policy = self.shared.directory.policy_of(&head)?;
        if !policy.replicas.has(&key) && !policy.verifiers.is_some_and(|verifiers| verifiers.has(&key)) {
            return Err(crate::Refusal::Signer { key }.into());
        }
        let entry = LogEntry::HeadSignature { epoch, key, signature }.to_bounded_bytes()?;
        self.within("a ratification", deadline, async {
            let _proposer = self.shared.propose(entry);
            let mut state = self.shared.state.clone();
            loop {
                let record = self.shared.record(epoch).await?;
                if record.is_some_and(|record| record.signed.signatures.contains_key(&key)) {
                    return Ok(());
                }
                state.changed().await.map_err(|_| Error::Stopped("the replica"))?;
            }
        })
        .await
    }

    /// Brings a change of the realm policy into the directory, and waits until the head that announces it is ratified.
    ///
    /// # Errors
    /// `Timeout`, also if it was refused; `Stopped`.
    pub async fn change_policy(&self, change: PolicyChange, deadline: Duration) -> Result<()> {
        let generation = change.policy.generation;
        let entry = LogEntry::PolicyChange(Box::new(change)).to_bounded_bytes()?;
        self.within("a change of the realm policy", deadline, async {
            let _proposer = self.shared.propose(entry);
            self.until(|state| state.policy.generation >= generation && state.ratified == state.delimited).await
        })
        .await
    }

    async fn until(&self, holds: impl FnMut(&State) -> bool) -> Result<()> {
        let mut state = self.shared.state.clone();
        state.wait_for(holds).await.map(drop).map_err(|_| Error::Stopped("the replica"))
    }

    async fn within<T>(
        &self,
        what: &'static str,
        deadline: Duration,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::select! {
            done = work => done,
            () = self.shared.options.clock.sleep(deadline) => Err(Error::Timeout { what, seconds: deadline.as_secs() }),
        }
    }

    /// Stops it, and waits until nothing of it runs any more.
    pub async fn stop(mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
            // Aborted, or over.
            let _ = task.await;
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Shared {
    fn propose(&self, entry: Vec<u8>) -> Proposer {
        let clock = Arc::clone(&self.options.clock);
        Proposer::start(Arc::clone(&self.log), clock, self.options.proposer, Bytes::from(entry))
    }

    async fn record(&self, epoch: u64) -> Result<Option<crate::machine::EpochRecord>> {
        let directory = self.directory.clone();
        blocking(move || directory.epoch(epoch)).await
    }

    /// Applies the log, for ever.
    async fn apply(&self, mut machine: Machine, publish: watch::Sender<State>) -> Result<()> {
        let mut owed = self.owed(machine.state()).await?;
        loop {
            let state = machine.state();
            let (applied, truncated) = (state.applied, state.applied / TRUNCATE_EVERY);
            let committed = match self.log.wait_committed(applied, PORTION).await {
                Ok(committed) => committed,
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, "the log cannot be read, and is tried again");
                    self.options.clock.sleep(self.options.proposer.first_delay).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let effects;
            (machine, effects) = blocking(move || apply_all(machine, committed)).await?;
            // All of it is on disk now.
            for effect in effects {
                self.happen(&effect);
            }
            let state = machine.state().clone();
            self.log.applied(state.applied);
            if self.options.alone && state.applied / TRUNCATE_EVERY != truncated {
                self.log.truncate(state.applied).await?;
            }
            publish.send_replace(state);
            drop(owed);
            owed = self.owed(machine.state()).await?;
        }
    }

    fn happen(&self, effect: &Effect) {
        if let Some(trace) = &self.options.trace {
            trace.note(format!("{effect:?}"));
        }
        if let Effect::Answer { entry, result } = effect {
            self.waiting.answer(entry, result);
        }
    }

    /// The signature that this replica owes, if it does, as a proposal that goes on until the state is another.
    async fn owed(&self, state: &State) -> Result<Option<Proposer>> {
        let Some(key) = self.options.key.as_ref().filter(|_| state.delimited > state.ratified) else { return Ok(None) };
        let Some(record) = self.record(state.delimited).await? else { return Ok(None) };
        let policy = self.directory.policy_of(&record)?;
        if !policy.replicas.has(&key.public()) || record.signed.signatures.contains_key(&key.public()) {
            return Ok(None);
        }
        if let Some(trace) = &self.options.trace {
            trace.note(format!("propose a signature of epoch {}", state.delimited));
        }
        Ok(Some(self.propose(sign(&record.signed.head, key).to_bounded_bytes()?)))
    }

    /// Proposes delimiters, for ever.
    async fn epochs(self: Arc<Self>) {
        let mut state = self.state.clone();
        // The epoch that this replica tried to make, and when.
        let mut tried: Option<(u64, u64)> = None;
        loop {
            let inputs = {
                let state = state.borrow_and_update();
                EpochInputs {
                    now_ms: now_ms(&*self.options.clock),
                    leads: self.log.leads(),
                    delimited: state.delimited,
                    ratified: state.ratified,
                    issued_ms: state.issued_ms,
                    pending: state.pending > 0 || state.announced.is_some(),
                    // What has come to something does not hold up the next.
                    tried_ms: tried.filter(|(epoch, _)| *epoch > state.delimited).map(|(_, tried_ms)| tried_ms),
                }
            };
            let wait = match decide(&self.options.intervals, &inputs) {
                EpochDecision::Propose { epoch, issued_ms } => {
                    tried = Some((epoch, inputs.now_ms));
                    let entry = Bytes::from(LogEntry::Delimiter { epoch, issued_ms }.to_bytes());
                    let proposed = tokio::select! {
                        proposed = self.log.propose(entry) => proposed,
                        () = self.options.clock.sleep(self.options.proposer.deadline) => Err(Error::Timeout {
                            what: "a delimiter", seconds: self.options.proposer.deadline.as_secs(),
                        }),
                    };
                    if let Err(error) = proposed {
                        tracing::warn!(%error, epoch, "no delimiter was proposed");
                    }
                    Some(self.options.intervals.retry_ms)
                }
                EpochDecision::Wait(milliseconds) => Some(milliseconds),
                EpochDecision::Idle => None,
            };
            let sleep = async {
                match wait {
                    Some(milliseconds) => self.options.clock.sleep(Duration::from_millis(milliseconds)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = state.changed() => if changed.is_err() { return },
                () = sleep => {}
            }
        }
    }
}

/// The entry by which a replica signs a head.
pub(crate) fn sign(head: &EpochHead, key: &SigningKey) -> LogEntry {
    LogEntry::HeadSignature { epoch: head.epoch, key: key.public(), signature: head.sign(key) }
}

/// Applies entries one after the other, and puts them on disk together: nothing of them is seen outside before.
fn apply_all(mut machine: Machine, committed: Vec<Committed>) -> Result<(Machine, Vec<Effect>)> {
    for (entry, result) in committed.iter().zip(machine.stage_all(&committed)?) {
        if let Err(refusal) = result {
            tracing::debug!(index = entry.index, %refusal, "a log entry is refused");
        }
    }
    let effects = machine.flush()?;
    Ok((machine, effects))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Stopped("the runtime")))
}

/// The clock's time in milliseconds since 1970.
pub(crate) fn now_ms(clock: &dyn Clock) -> u64 {
    clock.wall().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
