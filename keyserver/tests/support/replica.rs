//! One replica alone, in memory, by the machine's own clock.

use std::sync::Arc;

use plastron_keyserver::epoch::EpochIntervals;
use plastron_keyserver::kv::MemoryKv;
use plastron_keyserver::log::LocalLog;
use plastron_keyserver::machine::{Machine, MachineOptions};
use plastron_keyserver::proposer::ProposerOptions;
use plastron_keyserver::runner::{Runner, RunnerOptions};
use plastron_keyserver::vrf::VrfSecret;
use plastron_sources::clock::{Clock as _, SystemClock};

use super::{key, realm_of};

/// The replica with key 1, which runs.
pub fn runner() -> Arc<Runner> {
    let secret = VrfSecret::from_random(&[5; 64]).unwrap();
    let mut realm = realm_of(&[1], &[11], &secret);
    let now = SystemClock.wall().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    (realm.created_ms, realm.shortest_epoch_ms) = (now - 1_000, 1);
    let options = MachineOptions { realm, secret, retained_epochs: 100, cache_bytes: 1 << 20 };
    let machine = Machine::open(Arc::new(options), Arc::new(MemoryKv::new())).unwrap();
    let log = LocalLog::open(Arc::new(MemoryKv::new())).unwrap();
    let options = RunnerOptions {
        key: Some(key(1)),
        intervals: EpochIntervals { min_ms: 20, max_ms: 600_000, retry_ms: 1_000 },
        proposer: ProposerOptions::default(),
        clock: Arc::new(SystemClock),
        alone: true,
        trace: None,
    };
    Arc::new(Runner::start(machine, Arc::new(log), options))
}
