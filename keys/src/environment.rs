//! What a key module takes from the world around it: time, randomness, environment variables. Injected, so that a test or a
//! simulation owns all three.
//!
//! This crate stands beside `plastron-sources` and cannot use its `Clock`, which comes with an asynchronous timer besides; what a key
//! module needs of time is this little. Its `Entropy` is explicitly not for keys.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

use crate::error::Fault;

/// The calendar's time, and a pause.
pub trait KeyClock: fmt::Debug + Send + Sync + 'static {
    /// The calendar's time; the age of a KEK is told by it.
    fn wall(&self) -> SystemTime;

    /// Blocks for `duration`; called on threads where blocking is allowed, between two tries for a lock.
    fn pause(&self, duration: Duration);
}

/// A source of random bytes that is fit for keys.
pub trait KeyRandom: fmt::Debug + Send + Sync + 'static {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// [`Fault::NoRandomness`] if there are none to be had; nothing may be made of `bytes` then.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault>;
}

/// A look-up of environment variables by name.
pub type Variables = Arc<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// What modules are opened with.
#[derive(Clone)]
#[non_exhaustive]
pub struct KeyEnvironment {
    /// Time.
    pub clock: Arc<dyn KeyClock>,
    /// Random bytes for keys and nonces.
    pub random: Arc<dyn KeyRandom>,
    /// The process's environment.
    pub variables: Variables,
}

impl Default for KeyEnvironment {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemKeyClock),
            random: Arc::new(SystemKeyRandom::default()),
            variables: Arc::new(|name| std::env::var_os(name)),
        }
    }
}

impl fmt::Debug for KeyEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyEnvironment")
            .field("clock", &self.clock)
            .field("random", &self.random)
            .finish_non_exhaustive()
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemKeyClock;

impl KeyClock for SystemKeyClock {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    #[allow(clippy::disallowed_methods, reason = "this is the one place that waits by the machine's clock")]
    fn pause(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// AWS-LC's random generator, seeded by the operating system.
#[derive(Debug, Default)]
pub struct SystemKeyRandom(SystemRandom);

impl KeyRandom for SystemKeyRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault> {
        self.0.fill(bytes).map_err(|_| Fault::NoRandomness)
    }
}
