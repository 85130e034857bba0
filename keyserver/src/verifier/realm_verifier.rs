//! The verifier's work: ask, replay, sign, push.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plastron_sources::clock::Clock;

use super::replay::Replay;
use crate::evidence::check_evidence;
use crate::kv::Kv;
use crate::proto::{Evidence, LogEntry, Message, Realm, StreamItem, StreamPosition};
use crate::transport::Transport;
use crate::{Error, Result, SigningKey};

/// The longest pause after trouble.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a verifier needs.
#[derive(Debug)]
pub struct VerifierOptions {
    /// The realm, from a source that is trusted.
    pub realm: Realm,
    /// Its key.
    pub key: SigningKey,
    /// Its database.
    pub kv: Arc<dyn Kv>,
    /// The replica that it watches.
    pub replica: Arc<dyn Transport>,
    /// Where evidence goes.
    pub evidence: PathBuf,
    /// Bytes of the tree to keep in memory.
    pub cache_bytes: u64,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The newest epoch that was found right.
    pub verified: u64,
    /// The newest whose signature a replica has taken.
    pub pushed: u64,
}

/// A verifier.
#[derive(Debug)]
pub struct Verifier {
    key: SigningKey,
    replica: Arc<dyn Transport>,
    evidence: PathBuf,
    realm: Realm,
    /// None while a thread has it that was given up on.
    replay: Option<Replay>,
    compared: bool,
}

impl Verifier {
    /// A verifier where it was.
    ///
    /// # Errors
    /// `Storage`, `Corrupt`.
    pub fn open(options: VerifierOptions) -> Result<Self> {
        let VerifierOptions { realm, key, kv, replica, evidence, cache_bytes } = options;
        let replay = Replay::open(realm.clone(), kv, cache_bytes)?;
        Ok(Self { key, replica, evidence, realm, replay: Some(replay), compared: false })
    }

    fn replay(&self) -> Result<&Replay> {
        self.replay.as_ref().ok_or(Error::Stopped("the verifier"))
    }

    /// How far it is.
    ///
    /// # Errors
    /// `Stopped`.
    pub fn progress(&self) -> Result<Progress> {
        let state = self.replay()?.state();
        Ok(Progress { verified: state.delimited, pushed: state.ratified })
    }

    /// Takes in one page of the stream, and brings the signatures of what was found right.
    ///
    /// # Errors
    /// `Lie`, with the evidence on disk: then it signs nothing more. `Unverified` if what is shown is not right and proves nothing. Those of the transport.
    pub async fn step(&mut self) -> Result<Progress> {
        // First what an earlier life owes.
        self.push().await?;
        let state = self.replay()?.state();
        let (delimited, pending) = (state.delimited, state.pending);
        let record = self.replay()?.record(delimited)?;
        let again = record.filter(|_| !self.compared);
        if let Some(record) = again {
            // Does the replica still say what it said?
            let page = self.replica.stream(StreamPosition { epoch: delimited, change: record.changes }).await?;
            if let Some(StreamItem::Head { head, .. }) = page.items.into_iter().next() {
                let evidence = self.replay()?.compare(*head)?;
                self.judge(evidence)?;
            }
        }
        self.compared = true;
        let from = StreamPosition { epoch: delimited + 1, change: pending };
        let page = self.replica.stream(from).await?;
        if page.from != from {
            let why = "the page begins elsewhere than was asked".to_owned();
            return Err(Error::Invalid { what: "verifiers' stream", why });
        }
        let mut replay = self.replay.take().ok_or(Error::Stopped("the verifier"))?;
        let work = tokio::task::spawn_blocking(move || {
            let result = replay.take(page.items);
            (replay, result)
        });
        let (replay, result) = work.await.map_err(|_| Error::Stopped("the runtime"))?;
        self.replay = Some(replay);
        self.judge(result?)?;
        self.push().await?;
        self.progress()
    }

    /// Brings the signatures that are owed.
    async fn push(&mut self) -> Result<()> {
        loop {
            let state = self.replay()?.state();
            let epoch = state.ratified + 1;
            if epoch > state.delimited {
                return Ok(());
            }
            let missing = || Error::Corrupt { what: "epoch", offset: 0, check: format!("{epoch} is missing") };
            let head = self.replay()?.record(epoch)?.ok_or_else(missing)?.signed.head;
            let signature = head.sign(&self.key);
            let entry = LogEntry::HeadSignature { epoch, key: self.key.public(), signature };
            match self.replica.ratify(&entry).await {
                Ok(()) => {}
                // Under the policy of that epoch it was no verifier, or is none any more; later ones may want it.
                Err(error) if error.kind() == crate::ErrorKind::Unauthorized => {
                    tracing::warn!(%error, epoch, "the signature is not wanted");
                }
                Err(error) => return Err(error),
            }
            let replay = self.replay.as_mut().ok_or(Error::Stopped("the verifier"))?;
            replay.pushed(epoch)?;
        }
    }

    /// Keeps evidence.
    fn judge(&self, evidence: Option<Evidence>) -> Result<()> {
        let Some(evidence) = evidence else { return Ok(()) };
        let proven = check_evidence(&self.realm, &evidence)?;
        write_synced(&self.evidence, &evidence.to_bounded_bytes()?)?;
        Err(Error::Lie(proven))
    }

    /// Works until the replicas lie, or something else is wrong that waiting does not mend. Trouble with the replica is waited out.
    ///
    /// # Errors
    /// The first that is final.
    pub async fn run(&mut self, clock: &dyn Clock, mut seen: impl FnMut(Progress)) -> Result<()> {
        let mut pause = Duration::from_millis(200);
        loop {
            match self.step().await {
                Ok(progress) => {
                    pause = Duration::from_millis(200);
                    seen(progress);
                }
                Err(error) if error.is_retryable() && self.replay.is_some() => {
                    tracing::warn!(%error, "the replica cannot be followed, and is asked again");
                    clock.sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    // It may be another one by then.
                    self.compared = false;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let mut file = std::fs::File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source| Error::Storage { operation: "writing the evidence", source: Box::new(source) })
}
