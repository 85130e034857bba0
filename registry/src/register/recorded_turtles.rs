//! The history of a database whose registry is a register.
//!
//! The newest turtle is the register's; every turtle names the one before. Walking down from the newest finds all that are part of the history, until one is
//! gone: GC removes the oldest first. A listing only says what may be fetched beforehand, and what was left behind; one that lags behind loses nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};

use super::envelope::Envelope;
use super::recorded_register::{MAX_READS, RecordedRegister};
use super::swap_register::SwapRegister as _;
use super::turtle_record::{ListedRecord, before, record_name};
use crate::bucket::ListedTurtle;
use crate::error::{Error, Fault, Result};
use crate::turtle_history::TurtleHistory;
use crate::version::{Version, Versioned};

/// Turtles fetched at once.
const AT_ONCE: usize = 16;
/// Steps down from the newest that are made without looking at the listing first.
const FEW: u64 = 4;
/// Turtles remembered; they are fetched again where there are more.
const MAX_LINKS: usize = 1 << 16;

/// What is remembered of a turtle, which never changes.
#[derive(Debug, Clone, Copy)]
struct Link {
    before: Option<Version>,
    size: u64,
    created: SystemTime,
}

/// The turtles of a database whose registry is a register. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RecordedTurtles {
    register: RecordedRegister,
    /// Of the turtles that were part of the history when it was last walked.
    links: Arc<Mutex<HashMap<Version, Link>>>,
}

impl RecordedTurtles {
    pub(crate) fn new(register: RecordedRegister) -> Self {
        Self { register, links: Arc::default() }
    }

    fn error(&self, operation: &'static str, fault: Fault) -> Error {
        Error::new(operation, self.register.address(), fault)
    }

    async fn newest(&self) -> Result<Option<Version>, Fault> {
        let value = self.register.read().await?;
        value.map(|value| Envelope::decode(&value).map(|envelope| envelope.version)).transpose()
    }

    async fn link(&self, version: &Version) -> Result<Option<Link>, Fault> {
        let known = self.links.lock().unwrap_or_else(PoisonError::into_inner).get(version).copied();
        if known.is_some() {
            return Ok(known);
        }
        let Some((turtle, size, created)) = self.register.objects.get(version).await? else { return Ok(None) };
        let link = Link { before: before(&turtle), size, created };
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if links.len() >= MAX_LINKS {
            links.clear();
        }
        links.insert(*version, link);
        Ok(Some(link))
    }

    fn knows(&self, sequence: u64) -> bool {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.keys().any(|version| version.sequence == sequence)
    }

    /// Fetches what is listed and not known, many at a time. What fails here fails again where it is needed, or is not needed.
    async fn fetch(&self, listed: impl Iterator<Item = &ListedRecord>) {
        let unknown: Vec<Version> = {
            let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
            listed.map(|record| record.version).filter(|version| !links.contains_key(version)).collect()
        };
        let fetched = stream::iter(unknown).map(|version| async move { drop(self.link(&version).await) });
        fetched.buffer_unordered(AT_ONCE).for_each(|()| std::future::ready(())).await;
    }

    /// The turtles of the history from the newest down to `least`, or to the last that is there; the newest first. `fetched` says that
    /// what is listed was fetched.
    async fn walk(&self, least: u64, fetched: bool) -> Result<Vec<(Version, Link)>, Fault> {
        'again: for _ in 0..MAX_READS {
            let Some(newest) = self.newest().await? else { return Ok(Vec::new()) };
            if !fetched && newest.sequence.saturating_sub(least) > FEW && !self.knows(least.saturating_add(1)) {
                let listed = self.register.objects.list(None).await?;
                self.fetch(listed.iter().filter(|record| record.version.sequence >= least)).await;
            }
            let mut walked = Vec::new();
            let mut next = Some(newest);
            while let Some(version) = next.filter(|version| version.sequence >= least) {
                match self.link(&version).await? {
                    Some(link) => {
                        walked.push((version, link));
                        next = link.before;
                    }
                    // It was superseded and removed between the two requests.
                    None if walked.is_empty() && self.newest().await? != Some(newest) => continue 'again,
                    None if walked.is_empty() => {
                        let name = record_name(&newest);
                        return Err(Fault::corrupt(
                            0,
                            format!("{name}, the newest turtle, is gone; something other than Plastron writes here"),
                        ));
                    }
                    None => break,
                }
            }
            return Ok(walked);
        }
        Err(Fault::Contended { attempts: MAX_READS })
    }

    /// The history, and what was left behind below it; the oldest first.
    async fn all(&self) -> Result<Vec<ListedTurtle>, Fault> {
        let listed = self.register.objects.list(None).await?;
        self.fetch(listed.iter()).await;
        let mut history = self.walk(0, true).await?;
        // What is remembered may be gone meanwhile, the oldest first; what is not listed may be there all the same.
        let there: HashSet<Version> = listed.iter().map(|record| record.version).collect();
        while let Some((version, _)) = history.last().filter(|(version, _)| !there.contains(version)) {
            if self.register.objects.exists(version).await? {
                break;
            }
            history.pop();
        }
        let members: HashSet<Version> = history.iter().map(|(version, _)| *version).collect();
        self.links.lock().unwrap_or_else(PoisonError::into_inner).retain(|version, _| members.contains(version));
        let turtle = |version: &Version, size, created| {
            (version.sequence, ListedTurtle::new(record_name(version), version.sequence, size, created, ""))
        };
        let mut all: BTreeMap<u64, ListedTurtle> =
            history.iter().map(|(version, link)| turtle(version, link.size, link.created)).collect();
        // Above the lowest, what was left behind goes with the turtle of its number.
        let lowest = all.keys().next().copied().unwrap_or(0);
        let behind = listed.iter().filter(|record| record.version.sequence < lowest);
        all.extend(behind.map(|record| turtle(&record.version, record.size, record.created)));
        Ok(all.into_values().collect())
    }

    async fn find(&self, sequence: u64) -> Result<Option<Versioned>, Fault> {
        let walked = self.walk(sequence, false).await?;
        let version = walked.last().map(|(version, _)| *version).filter(|version| version.sequence == sequence);
        let version = version.ok_or(Fault::NoSuchTurtle { sequence })?;
        self.content(version).await
    }

    /// It may have gone since it was remembered, and whoever asks wants to know.
    async fn content(&self, version: Version) -> Result<Option<Versioned>, Fault> {
        let gone = Fault::NoSuchTurtle { sequence: version.sequence };
        let (turtle, ..) = self.register.objects.get(&version).await?.ok_or(gone)?;
        Ok(turtle.content.map(|content| Versioned { version, content }))
    }

    async fn discard(&self, sequence: u64) -> Result<bool, Fault> {
        if self.newest().await?.is_none_or(|newest| newest.sequence <= sequence) {
            return Err(Fault::Newest { sequence });
        }
        let mut any = false;
        // Whatever has this number and is not the turtle of it never will be: the register has gone on.
        for record in self.register.objects.list(Some(sequence)).await? {
            any |= self.register.objects.remove(&record.version).await?;
        }
        Ok(any)
    }
}

#[async_trait]
impl TurtleHistory for RecordedTurtles {
    fn turtles(&self) -> BoxStream<'static, Result<ListedTurtle>> {
        let this = self.clone();
        let all = async move {
            match this.all().await {
                Ok(all) => all.into_iter().map(Ok).collect(),
                Err(fault) => vec![Err(this.error("list", fault))],
            }
        };
        stream::once(all).flat_map(stream::iter).boxed()
    }

    async fn turtle(&self, sequence: u64) -> Result<Option<Versioned>> {
        self.find(sequence).await.map_err(|fault| self.error("read", fault))
    }

    fn read_back(
        &self,
        listed: &[ListedTurtle],
        at_once: usize,
    ) -> BoxStream<'static, (u64, Result<Option<Versioned>>)> {
        let sequences: Vec<u64> = listed.iter().rev().map(|turtle| turtle.sequence).collect();
        let (least, this) = (sequences.last().copied().unwrap_or(0), self.clone());
        let walked = async move {
            // Those that were listed were fetched then.
            let history = this.walk(least, true).await;
            let history = history.map(|history| -> HashMap<u64, Version> {
                history.into_iter().map(|(version, _)| (version.sequence, version)).collect()
            });
            let reads = sequences.into_iter().map(move |sequence| {
                let this = this.clone();
                let version = history.as_ref().map(|history| history.get(&sequence).copied()).map_err(Clone::clone);
                async move {
                    let read = match version {
                        Ok(Some(version)) => this.content(version).await,
                        Ok(None) => Err(Fault::NoSuchTurtle { sequence }),
                        Err(fault) => Err(fault),
                    };
                    (sequence, read.map_err(|fault| this.error("read", fault)))
                }
            });
            stream::iter(reads).buffered(at_once.max(1))
        };
        stream::once(walked).flatten().boxed()
    }

    async fn remove(&self, sequence: u64) -> Result<bool> {
        self.discard(sequence).await.map_err(|fault| self.error("remove", fault))
    }
}

impl fmt::Debug for RecordedTurtles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordedTurtles({})", self.register.address())
    }
}
