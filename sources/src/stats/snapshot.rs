//! Statistics at one moment, to print or to serialise.

use super::{Event, LatencySnapshot, Outcome, RequestKind};
use crate::price::PriceTable;
use crate::source::Provider;

/// What an opened bucket did so far.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StatsSnapshot {
    /// The provider.
    pub provider: Provider,
    /// The kinds of requests that were made at least once, in declaration order of [`RequestKind`].
    pub requests: Vec<RequestSnapshot>,
    /// Other events that happened at least once, with their counts.
    pub events: Vec<(Event, u64)>,
    /// What the requests cost, US dollars, by [`StatsSnapshot::prices`]: an estimate from list prices, without egress (see
    /// [`StatsSnapshot::egress_usd`]) and storage.
    pub cost_usd: f64,
    /// The prices behind the estimate.
    pub prices: PriceTable,
}

/// What became of the requests of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestSnapshot {
    /// The kind.
    pub kind: RequestKind,
    /// Outcomes that happened at least once, with their counts.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Bytes of bodies sent.
    pub bytes_up: u64,
    /// Bytes of bodies received.
    pub bytes_down: u64,
    /// From sending a request until its answer was complete.
    pub latency: LatencySnapshot,
}

impl RequestSnapshot {
    /// Requests of this kind.
    pub fn count(&self) -> u64 {
        self.outcomes.iter().map(|(_, count)| count).sum()
    }
}

impl StatsSnapshot {
    /// Requests of all kinds; a repeated or hedged request counts each time it is sent.
    pub fn requests_total(&self) -> u64 {
        self.requests.iter().map(RequestSnapshot::count).sum()
    }

    /// Requests of one kind.
    pub fn requests_of(&self, kind: RequestKind) -> u64 {
        self.requests.iter().filter(|request| request.kind == kind).map(RequestSnapshot::count).sum()
    }

    /// Requests of all kinds that ended in one way.
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        let outcomes = self.requests.iter().flat_map(|request| &request.outcomes);
        outcomes.filter(|(found, _)| *found == outcome).map(|(_, count)| count).sum()
    }

    /// How often something happened.
    pub fn event(&self, event: Event) -> u64 {
        self.events.iter().find(|(found, _)| *found == event).map_or(0, |(_, count)| *count)
    }

    /// Requests that were sent again after a failure.
    pub fn retries(&self) -> u64 {
        self.event(Event::Retry)
    }

    /// Answers that asked to slow down.
    pub fn throttles(&self) -> u64 {
        self.outcome(Outcome::Throttled)
    }

    /// Second requests for slow reads.
    pub fn hedges(&self) -> u64 {
        self.event(Event::Hedge)
    }

    /// Bytes of bodies sent.
    pub fn bytes_up(&self) -> u64 {
        self.requests.iter().map(|request| request.bytes_up).sum()
    }

    /// Bytes of bodies received.
    pub fn bytes_down(&self) -> u64 {
        self.requests.iter().map(|request| request.bytes_down).sum()
    }

    /// What the received bytes cost in US dollars if they left the provider's network to the internet. Within one region they are
    /// free, so this is not part of [`StatsSnapshot::cost_usd`].
    pub fn egress_usd(&self) -> f64 {
        self.bytes_down() as f64 / 1e9 * self.prices.egress_usd_per_gb
    }

    /// Latencies of all kinds of requests together.
    pub fn latency(&self) -> LatencySnapshot {
        let mut all = LatencySnapshot::default();
        for request in &self.requests {
            all.add(&request.latency);
        }
        all
    }
}
