//! Several replicas as one: who answers is asked again, and who fails is left for the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::Transport;
use crate::proto::{
    Authorities, AuthoritiesChange, CertifiedRegistration, HistoryPage, Issuers, IssuersChange, LogEntry, LookupAnswer,
    LookupRequest, PolicyChange, Registration, StreamPage, StreamPosition, Update,
};
use crate::{Error, Result};

/// Replicas of one realm, asked one after the other until one can be reached. Each call asks each of them once at the most.
#[derive(Debug)]
pub struct InTurn {
    replicas: Vec<Arc<dyn Transport>>,
    first: AtomicUsize,
}

impl InTurn {
    /// These replicas, the first first.
    ///
    /// # Errors
    /// `Invalid` without a replica.
    pub fn new(replicas: Vec<Arc<dyn Transport>>) -> Result<Self> {
        if replicas.is_empty() {
            return Err(Error::Invalid { what: "replicas", why: "there must be the address of one".to_owned() });
        }
        Ok(Self { replicas, first: AtomicUsize::new(0) })
    }
}

/// Asks until one answers, or says what will not change.
macro_rules! in_turn {
    ($self:ident, $replica:ident => $call:expr) => {{
        let mut last = Error::Stopped("the replicas");
        for _ in 0..$self.replicas.len() {
            let at = $self.first.load(Ordering::Relaxed);
            let Some($replica) = $self.replicas.get(at % $self.replicas.len()) else { break };
            match $call.await {
                Ok(answer) => return Ok(answer),
                Err(error) if !error.is_retryable() => return Err(error),
                Err(error) => last = error,
            }
            // Others may have moved on meanwhile; once is enough.
            let _ = $self.first.compare_exchange(at, at.wrapping_add(1), Ordering::Relaxed, Ordering::Relaxed);
        }
        Err(last)
    }};
}

#[async_trait]
impl Transport for InTurn {
    async fn lookup(&self, request: &LookupRequest) -> Result<LookupAnswer> {
        in_turn!(self, replica => replica.lookup(request))
    }

    async fn update(&self, update: &Update) -> Result<u64> {
        in_turn!(self, replica => replica.update(update))
    }

    async fn register(&self, registration: &Registration) -> Result<u64> {
        in_turn!(self, replica => replica.register(registration))
    }

    async fn register_certified(&self, registration: &CertifiedRegistration) -> Result<u64> {
        in_turn!(self, replica => replica.register_certified(registration))
    }

    async fn ratify(&self, signature: &LogEntry) -> Result<()> {
        in_turn!(self, replica => replica.ratify(signature))
    }

    async fn change_policy(&self, change: &PolicyChange) -> Result<()> {
        in_turn!(self, replica => replica.change_policy(change))
    }

    async fn stream(&self, from: StreamPosition) -> Result<StreamPage> {
        in_turn!(self, replica => replica.stream(from))
    }

    async fn history(&self, name: &str, from: u64) -> Result<HistoryPage> {
        in_turn!(self, replica => replica.history(name, from))
    }

    async fn issuers(&self) -> Result<Issuers> {
        in_turn!(self, replica => replica.issuers())
    }

    async fn change_issuers(&self, change: &IssuersChange) -> Result<u64> {
        in_turn!(self, replica => replica.change_issuers(change))
    }

    async fn authorities(&self) -> Result<Authorities> {
        in_turn!(self, replica => replica.authorities())
    }

    async fn change_authorities(&self, change: &AuthoritiesChange) -> Result<u64> {
        in_turn!(self, replica => replica.change_authorities(change))
    }

    async fn status(&self) -> Result<String> {
        in_turn!(self, replica => replica.status())
    }
}
