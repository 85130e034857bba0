//! Credentials that run out, fetched once for everybody and renewed ahead of time.
//!
//! * **Single-flight**: however many requests need a credential, one fetch runs; all of them wait for it or use the old one. A waiter
//!   that is dropped takes nothing with it: the others, or the next who asks, go on with the same fetch.
//! * **Early**: from five minutes before the end (half the remaining life for shorter ones) the next request starts a fetch in the
//!   background and is itself served with what is there.
//! * **Stale is served**: if that fetch fails, the old credential is used until it really ends; the next try comes ten seconds later.
//! * **Bounded**: a fetch ends after thirty seconds, whatever its source does.
//! * **Dropped on demand**: [`CredentialCache::renew`] forgets the credential that a provider called expired, and the next request
//!   fetches. Renewals by the many requests that failed with the same old one count as one.
//!
//! The source decides what a credential is worth through [`Lifetime`]. Used by the signers of all three clouds.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::future::{BoxFuture, Either, FutureExt, Shared, select};

use crate::clock::Clock;
use crate::error::Fault;

/// How long before its end a credential is renewed. AWS SDKs and Azure's use the same five minutes; a credential that is too
/// close to its end may end on the way.
const EARLY: Duration = Duration::from_secs(300);

/// Pause after a failed renewal while the old credential still serves, so that a broken source is not asked by every request.
const PAUSE: Duration = Duration::from_secs(10);

/// Longest a fetch may take. Chains try several sources one after another; those that are not there time out within seconds.
const FETCH_DEADLINE: Duration = Duration::from_secs(30);

/// How often a source that keeps its own cache is asked. It renews five minutes before the end, so this must be well below.
const RECHECK: Duration = Duration::from_secs(60);

/// A credential that a renewal brought this recently is not dropped again: whoever asks failed with the one before.
const JUST_RENEWED: Duration = Duration::from_secs(5);

/// How long a credential may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// Until the provider refuses it.
    Open,
    /// Until this moment.
    Until(SystemTime),
    /// The source knows, and caches for itself: ask it again from time to time.
    Asked,
}

/// What a source returned.
pub(crate) struct Fetched<C> {
    /// The credential.
    pub(crate) credential: Arc<C>,
    /// How long it may be used.
    pub(crate) lifetime: Lifetime,
}

/// Where credentials come from.
#[async_trait]
pub(crate) trait FetchCredential<C>: fmt::Debug + Send + Sync {
    /// Fetches a credential. `fresh` asks to go past caches of the source's own, since what they hold was refused.
    async fn fetch(&self, fresh: bool) -> Result<Fetched<C>, Fault>;
}

type Flight<C> = Shared<BoxFuture<'static, Result<Arc<C>, Fault>>>;

/// Credentials from one source; see the module's text. Cheap to clone.
pub(crate) struct CredentialCache<C>(Arc<Inner<C>>);

struct Inner<C> {
    source: Arc<dyn FetchCredential<C>>,
    clock: Arc<dyn Clock>,
    state: Mutex<State<C>>,
}

struct State<C> {
    held: Option<Held<C>>,
    flight: Option<Flight<C>>,
    /// Monotonic time before which no renewal is tried while the old credential serves.
    quiet_until: Duration,
    /// Whether the next fetch goes past the source's own caches.
    fresh: bool,
}

struct Held<C> {
    credential: Arc<C>,
    /// Monotonic.
    fetched: Duration,
    /// Whether it was fetched because the one before was refused.
    renewal: bool,
    renew_from: Option<SystemTime>,
    ends: Option<SystemTime>,
}

impl<C> Held<C> {
    fn serves(&self, now: SystemTime) -> bool {
        self.ends.is_none_or(|ends| now < ends)
    }

    fn is_due(&self, now: SystemTime) -> bool {
        self.renew_from.is_some_and(|from| now >= from)
    }
}

impl<C: Send + Sync + 'static> CredentialCache<C> {
    /// An empty cache over `source`.
    pub(crate) fn new(source: Arc<dyn FetchCredential<C>>, clock: Arc<dyn Clock>) -> Self {
        let state = State { held: None, flight: None, quiet_until: Duration::ZERO, fresh: false };
        Self(Arc::new(Inner { source, clock, state: Mutex::new(state) }))
    }

    /// The credential to use now: the one held while it serves, otherwise the outcome of the fetch that runs or starts.
    pub(crate) async fn get(&self) -> Result<Arc<C>, Fault> {
        let flight = {
            let mut state = self.0.lock();
            let now = self.0.clock.wall();
            if let Some(held) = state.held.as_ref().filter(|held| held.serves(now)) {
                let credential = Arc::clone(&held.credential);
                if held.is_due(now) && self.0.clock.monotonic() >= state.quiet_until {
                    self.renew_in_background(&mut state);
                }
                return Ok(credential);
            }
            match &state.flight {
                Some(flight) => flight.clone(),
                None => self.depart(&mut state),
            }
        };
        flight.await
    }

    /// Forgets the credential held, because the provider called it expired; the next [`Self::get`] fetches past the source's caches.
    pub(crate) fn renew(&self) {
        let mut state = self.0.lock();
        let now = self.0.clock.monotonic();
        let is_new = |held: &Held<C>| held.renewal && now.saturating_sub(held.fetched) < JUST_RENEWED;
        if state.held.as_ref().is_some_and(|held| !is_new(held)) {
            state.held = None;
            state.fresh = true;
        }
    }

    fn renew_in_background(&self, state: &mut State<C>) {
        if state.flight.is_some() {
            return;
        }
        // Outside a runtime nobody could drive it; the request that finds the credential ended fetches then.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        drop(runtime.spawn(self.depart(state)));
    }

    /// Starts a fetch, which files its own outcome.
    fn depart(&self, state: &mut State<C>) -> Flight<C> {
        let fresh = std::mem::take(&mut state.fresh);
        let source = Arc::clone(&self.0.source);
        let deadline = self.0.clock.sleep(FETCH_DEADLINE);
        let home = Arc::downgrade(&self.0);
        let flight = async move {
            let outcome = match select(source.fetch(fresh), deadline).await {
                Either::Left((outcome, _)) => outcome,
                Either::Right(((), _)) => Err(Fault::Unreachable {
                    endpoint: "the source of credentials".to_owned(),
                    reason: format!("no answer within {} s", FETCH_DEADLINE.as_secs()),
                }),
            };
            if let Some(home) = home.upgrade() {
                home.land(&outcome, fresh);
            }
            outcome.map(|fetched| fetched.credential)
        }
        .boxed()
        .shared();
        state.flight = Some(flight.clone());
        flight
    }
}

impl<C> Inner<C> {
    /// No panic can happen while the lock is held, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn land(&self, outcome: &Result<Fetched<C>, Fault>, fresh: bool) {
        let now = self.clock.wall();
        let mut state = self.lock();
        state.flight = None;
        match outcome {
            Ok(fetched) => {
                let (renew_from, ends) = match fetched.lifetime {
                    Lifetime::Open => (None, None),
                    Lifetime::Asked => (now.checked_add(RECHECK), None),
                    Lifetime::Until(ends) => {
                        let left = ends.duration_since(now).unwrap_or_default();
                        (ends.checked_sub(EARLY.min(left / 2)), Some(ends))
                    }
                };
                state.held = Some(Held {
                    credential: Arc::clone(&fetched.credential),
                    fetched: self.clock.monotonic(),
                    renewal: fresh,
                    renew_from,
                    ends,
                });
            }
            Err(fault) => {
                state.quiet_until = self.clock.monotonic().saturating_add(PAUSE);
                state.fresh |= fresh;
                let serving = state.held.as_ref().is_some_and(|held| held.serves(now));
                tracing::warn!(%fault, serving_the_old_one = serving, "credentials could not be fetched");
            }
        }
    }
}

impl<C> Clone for CredentialCache<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for CredentialCache<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialCache").field("source", &self.0.source).finish_non_exhaustive()
    }
}
