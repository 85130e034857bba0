//! How a log on etcd is found and kept.

use std::sync::Arc;
use std::time::Duration;

use plastron_ickpt::etcd::EtcdClientOptions;
use plastron_sources::clock::{Clock, Entropy, SystemClock, SystemEntropy};

use super::layout::check_replica_name;
use crate::{Error, Result};

const MAX_PREFIX_BYTES: usize = 512;
/// The most replicas that a configuration names.
const MAX_MEMBERS: usize = 128;

/// Options of [`EtcdLog`](super::EtcdLog).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EtcdLogOptions {
    /// etcd's nodes.
    pub client: EtcdClientOptions,
    /// What all keys of the realm's log begin with, without the slash behind it.
    pub prefix: String,
    /// This replica's name, which no other has.
    pub replica: String,
    /// All replicas whose progress the log waits for before it is truncated, besides those that have ever opened it.
    pub members: Vec<String>,
    /// How long the hint who leads is believed after the leader was heard of last; whole seconds.
    pub lease: Duration,
    /// How long a watch may be silent before a ranged read looks whether it is dead.
    pub idle: Duration,
    /// After how many indices a replica says how far it is.
    pub report_every: u64,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Names of entries.
    pub entropy: Arc<dyn Entropy>,
}

impl EtcdLogOptions {
    /// The log under `prefix`, for the replica of that name.
    pub fn new(client: EtcdClientOptions, prefix: impl Into<String>, replica: impl Into<String>) -> Self {
        Self {
            client,
            prefix: prefix.into(),
            replica: replica.into(),
            members: Vec::new(),
            lease: Duration::from_secs(5),
            idle: Duration::from_secs(10),
            report_every: 1024,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::default()),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let invalid = |why: String| Error::Invalid { what: "log on etcd", why };
        if self.prefix.is_empty() || self.prefix.len() > MAX_PREFIX_BYTES || self.prefix.ends_with('/') {
            let why = format!("its prefix has 1 to {MAX_PREFIX_BYTES} bytes, without a slash at the end");
            return Err(invalid(why));
        }
        if self.members.len() > MAX_MEMBERS {
            return Err(invalid(format!("it has {} members, of at most {MAX_MEMBERS}", self.members.len())));
        }
        self.members.iter().chain([&self.replica]).try_for_each(|name| check_replica_name(name))?;
        if self.lease < Duration::from_secs(1) || self.idle.is_zero() {
            return Err(invalid("a lease of less than a second, and no patience, are not possible".to_owned()));
        }
        Ok(())
    }
}
