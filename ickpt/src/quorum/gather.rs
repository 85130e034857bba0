//! Asking all instances at once, each under a deadline, without waiting for those that are not needed.
//!
//! An instance gets one call at a time from one client, in order; a few may wait. So one that hangs costs a bounded number of tasks, and
//! late answers don't overtake each other. Calls that are not waited for any more go on in the background to their deadline.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};

use super::instance::{Instance, InstanceError, View};
use super::votes::{Verdict, judge};
use crate::error::Fault;
use crate::value::Epoch;

/// Calls to one instance that wait for the one before.
const MAX_WAITING: usize = 16;

/// An instance and its queue. Cheap to clone.
#[derive(Debug)]
pub(super) struct Lane<I> {
    pub(super) instance: Arc<I>,
    turn: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// Each call in the background holds a receiver.
    background: Arc<watch::Sender<()>>,
    pub(super) timeout: Duration,
}

impl<I> Clone for Lane<I> {
    fn clone(&self) -> Self {
        let Self { instance, turn, places, background, timeout } = self;
        let (instance, turn, places) = (Arc::clone(instance), Arc::clone(turn), Arc::clone(places));
        Self { instance, turn, places, background: Arc::clone(background), timeout: *timeout }
    }
}

impl<I: Instance> Lane<I> {
    pub(super) fn new(instance: I, timeout: Duration) -> Self {
        let (turn, places) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(MAX_WAITING)));
        Self { instance: Arc::new(instance), turn, places, background: Arc::new(watch::Sender::new(())), timeout }
    }

    /// Calls in the background, for whoever may stop waiting for it.
    pub(super) fn spawn(&self, call: impl Future<Output = ()> + Send + 'static) {
        let running = self.background.subscribe();
        tokio::spawn(async move {
            call.await;
            drop(running);
        });
    }

    /// Waits until nothing goes on in the background.
    pub(super) async fn settle(&self) {
        self.background.closed().await;
    }

    /// Runs `call` when it is its turn; waiting counts against its deadline.
    pub(super) async fn run<T>(
        &self,
        call: impl Future<Output = Result<T, InstanceError>>,
    ) -> Result<T, InstanceError> {
        let unavailable = |what: &str| InstanceError::Unavailable(what.to_owned());
        let _place = self.places.try_acquire().map_err(|_| unavailable("too many calls wait for it"))?;
        let all = async {
            let _turn = self.turn.acquire().await.map_err(|_| unavailable("it is not called any more"))?;
            call.await
        };
        tokio::time::timeout(self.timeout, all).await.unwrap_or_else(|_| Err(unavailable("it did not answer in time")))
    }
}

/// What asking gave.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) verdict: Verdict,
    /// Highest epoch that anybody is known to have promised.
    pub(super) promised: Epoch,
    /// Whether somebody refused the fence.
    pub(super) fenced: bool,
    /// What the others said.
    pub(super) errors: Vec<String>,
}

/// Asks all, with `fence` or without, until `enough` says so or all have answered.
pub(super) async fn gather<I: Instance>(
    lanes: &[Lane<I>],
    fence: Option<Epoch>,
    enough: impl Fn(&Verdict) -> bool,
) -> Result<Gathered, Fault> {
    let (answers, mut arriving) = mpsc::channel(lanes.len().max(1));
    for lane in lanes {
        let (lane, answers) = (lane.clone(), answers.clone());
        lane.clone().spawn(async move {
            let answer = lane.run(lane.instance.look(fence)).await;
            // Nobody may be waiting any more.
            let _ = answers.send((lane.instance.name(), answer)).await.is_ok();
        });
    }
    drop(answers);
    let mut views: Vec<View> = Vec::new();
    let mut gathered = Gathered { verdict: Verdict::Open, promised: Epoch::NONE, fenced: false, errors: Vec::new() };
    while let Some((name, answer)) = arriving.recv().await {
        match answer {
            Ok(view) => {
                gathered.promised = gathered.promised.max(view.promised);
                views.push(view);
                gathered.verdict = judge(&views, lanes.len())?;
                if enough(&gathered.verdict) {
                    break;
                }
            }
            Err(error) => {
                if let InstanceError::Refused { reason, promised, .. } = &error {
                    gathered.promised = gathered.promised.max(*promised);
                    gathered.fenced |= *reason == crate::refusal::Reason::Fenced;
                    if matches!(
                        reason.kind(),
                        crate::ErrorKind::Unauthorized | crate::ErrorKind::Invalid | crate::ErrorKind::NotFound
                    ) {
                        // No other instance will see it otherwise: they all ask the same store.
                        return Err(refused(&error));
                    }
                }
                gathered.errors.push(format!("{name}: {error}"));
            }
        }
    }
    Ok(gathered)
}

/// A refusal as an error.
pub(super) fn refused(error: &InstanceError) -> Fault {
    match error {
        InstanceError::Refused { reason, message, .. } => {
            Fault::Refused { status: reason.status(), reason: *reason, message: message.clone() }
        }
        InstanceError::Unavailable(what) => Fault::Unavailable(what.clone()),
    }
}
