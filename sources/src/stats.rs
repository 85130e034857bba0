//! What a bucket did: requests by kind and outcome, bytes, latencies, retries, hedges, money.
//!
//! One [`Stats`] belongs to one opened bucket. Whoever performs a request counts it here: the transport for the clouds (every
//! attempt is a request, since every attempt is billed), `dir` and `memory` for themselves. Counting is a few relaxed atomic
//! additions, one cache line group to a kind of request, and goes to the [`metrics`] facade as well, under the names listed in
//! `docs/src/reference/metrics.md`. A recorder must be installed before the bucket is opened.

mod histogram;
mod kind;
mod snapshot;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use histogram::LatencySnapshot;
pub use kind::{Event, Outcome, RequestKind};
pub use snapshot::{RequestSnapshot, StatsSnapshot};

use crate::price::PriceTable;
use crate::source::Provider;
use histogram::Latencies;

/// Counters of one opened bucket; shared by all who perform its requests.
#[derive(Debug)]
pub struct Stats {
    provider: Provider,
    prices: PriceTable,
    kinds: [KindStats; RequestKind::ALL.len()],
    events: [Counter; Event::ALL.len()],
    cost: Counter,
}

/// A number, and the handle under which the metrics facade knows it.
#[derive(Debug, Default)]
struct Counter {
    value: AtomicU64,
    handle: OnceLock<MetricsCounter>,
}

/// `metrics::Counter` has no `Debug` worth printing.
struct MetricsCounter(metrics::Counter);

impl std::fmt::Debug for MetricsCounter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counter")
    }
}

impl Counter {
    fn add(&self, amount: u64, register: impl FnOnce() -> metrics::Counter) {
        if amount > 0 {
            self.value.fetch_add(amount, Ordering::Relaxed);
            self.handle.get_or_init(|| MetricsCounter(register())).0.increment(amount);
        }
    }

    fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

/// Counters of one kind of request, apart from those of other kinds so that threads don't share cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
struct KindStats {
    outcomes: [Counter; Outcome::ALL.len()],
    up: Counter,
    down: Counter,
    latencies: Latencies,
    histogram: OnceLock<MetricsHistogram>,
}

struct MetricsHistogram(metrics::Histogram);

impl std::fmt::Debug for MetricsHistogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Histogram")
    }
}

impl Stats {
    /// Counters at zero, with the list prices of `provider` (see [`PriceTable::of`]).
    pub fn new(provider: Provider) -> Self {
        Self::with_prices(provider, PriceTable::of(provider))
    }

    /// Counters at zero, with other prices.
    pub fn with_prices(provider: Provider, prices: PriceTable) -> Self {
        Self { provider, prices, kinds: Default::default(), events: Default::default(), cost: Counter::default() }
    }

    /// Counts one request: `up` and `down` are bytes of bodies sent and received, `latency` lasts from the moment it was sent
    /// until its answer was complete.
    pub fn record(&self, kind: RequestKind, outcome: Outcome, up: u64, down: u64, latency: Duration) {
        let provider = self.provider.as_str();
        let cost = self.prices.nanodollars(kind, outcome);
        self.cost.add(cost, || metrics::counter!("plastron_bucket_cost_nanodollars_total", "provider" => provider));
        let Some(stats) = self.kinds.get(kind as usize) else { return };
        if let Some(counter) = stats.outcomes.get(outcome as usize) {
            counter.add(1, || {
                metrics::counter!(
                    "plastron_bucket_requests_total",
                    "provider" => provider, "kind" => kind.as_str(), "outcome" => outcome.as_str()
                )
            });
        }
        stats.up.add(
            up,
            || metrics::counter!("plastron_bucket_sent_bytes_total", "provider" => provider, "kind" => kind.as_str()),
        );
        stats.down.add(down, || {
            metrics::counter!("plastron_bucket_received_bytes_total", "provider" => provider, "kind" => kind.as_str())
        });
        stats.latencies.record(latency);
        stats
            .histogram
            .get_or_init(|| {
                MetricsHistogram(metrics::histogram!(
                    "plastron_bucket_request_seconds",
                    "provider" => provider, "kind" => kind.as_str()
                ))
            })
            .0
            .record(latency.as_secs_f64());
    }

    /// Counts something that is not a request of its own.
    pub fn count(&self, event: Event) {
        let provider = self.provider.as_str();
        if let Some(counter) = self.events.get(event as usize) {
            counter.add(
                1,
                || metrics::counter!("plastron_bucket_events_total", "provider" => provider, "event" => event.as_str()),
            );
        }
    }

    /// What was counted so far. Counters are read one after the other, so that a request that ends meanwhile may be in one and not
    /// yet in another.
    pub fn snapshot(&self) -> StatsSnapshot {
        let requests = RequestKind::ALL.iter().zip(&self.kinds).map(|(kind, stats)| RequestSnapshot {
            kind: *kind,
            outcomes: Outcome::ALL
                .iter()
                .zip(&stats.outcomes)
                .map(|(outcome, count)| (*outcome, count.get()))
                .collect(),
            bytes_up: stats.up.get(),
            bytes_down: stats.down.get(),
            latency: stats.latencies.snapshot(),
        });
        let mut requests: Vec<_> = requests.collect();
        for request in &mut requests {
            request.outcomes.retain(|(_, count)| *count > 0);
        }
        requests.retain(|request| !request.outcomes.is_empty());
        let events = Event::ALL.iter().zip(&self.events).map(|(event, count)| (*event, count.get()));
        StatsSnapshot {
            provider: self.provider,
            requests,
            events: events.filter(|(_, count)| *count > 0).collect(),
            cost_usd: self.cost.get() as f64 / 1e9,
            prices: self.prices.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    use metrics::{CounterFn, GaugeFn, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_snapshot_holds_what_was_counted_and_nothing_else() {
        let stats = Stats::new(Provider::S3);
        assert_eq!(stats.snapshot().requests, []);
        stats.record(RequestKind::Put, Outcome::Ok, 1_000, 0, millis(10));
        stats.record(RequestKind::Put, Outcome::Throttled, 1_000, 20, millis(1));
        stats.record(RequestKind::Get, Outcome::Ok, 0, 2_000_000_000, millis(20));
        stats.record(RequestKind::Get, Outcome::NotFound, 0, 0, millis(20));
        stats.count(Event::Retry);
        let snapshot = stats.snapshot();
        assert_eq!((snapshot.requests_total(), snapshot.requests_of(RequestKind::Get)), (4, 2));
        assert_eq!(
            snapshot.requests.iter().map(|request| request.kind).collect::<Vec<_>>(),
            [RequestKind::Put, RequestKind::Get]
        );
        assert_eq!((snapshot.throttles(), snapshot.retries(), snapshot.hedges()), (1, 1, 0));
        assert_eq!((snapshot.bytes_up(), snapshot.bytes_down()), (2_000, 2_000_000_020));
        assert_eq!(snapshot.latency().sum(), millis(51));
        // One put and two gets; the throttled put is free.
        assert!((snapshot.cost_usd - (0.000_005 + 2.0 * 0.000_000_4)).abs() < 1e-12, "{}", snapshot.cost_usd);
        assert!((snapshot.egress_usd() - 0.18).abs() < 1e-6, "{}", snapshot.egress_usd());
    }

    #[test]
    fn counting_from_many_threads_loses_nothing() {
        let stats = Stats::new(Provider::Memory);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..10_000).for_each(|_| stats.record(RequestKind::Get, Outcome::Ok, 1, 2, millis(1))));
            }
        });
        let snapshot = stats.snapshot();
        assert_eq!((snapshot.requests_total(), snapshot.bytes_up(), snapshot.bytes_down()), (80_000, 80_000, 160_000));
        assert_eq!((snapshot.latency().count(), snapshot.cost_usd), (80_000, 0.0));
    }

    /// Everything a recorder is told, as `name{label=value,…} number`.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<String>>>);

    struct Handle(Told, String);

    impl Handle {
        fn tell(&self, value: impl std::fmt::Display) {
            self.0.0.lock().unwrap().push(format!("{} {value}", self.1));
        }
    }

    impl CounterFn for Handle {
        fn increment(&self, value: u64) {
            self.tell(value);
        }

        fn absolute(&self, value: u64) {
            self.tell(value);
        }
    }

    impl GaugeFn for Handle {
        fn increment(&self, value: f64) {
            self.tell(value);
        }

        fn decrement(&self, value: f64) {
            self.tell(value);
        }

        fn set(&self, value: f64) {
            self.tell(value);
        }
    }

    impl HistogramFn for Handle {
        fn record(&self, value: f64) {
            self.tell(value);
        }
    }

    impl Told {
        fn handle(&self, key: &Key) -> Arc<Handle> {
            let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            Arc::new(Handle(self.clone(), format!("{}{{{}}}", key.name(), labels.join(","))))
        }
    }

    impl Recorder for Told {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> metrics::Counter {
            metrics::Counter::from_arc(self.handle(key))
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
            metrics::Gauge::from_arc(self.handle(key))
        }

        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
            metrics::Histogram::from_arc(self.handle(key))
        }
    }

    #[test]
    fn the_metrics_facade_is_told_everything_under_the_documented_names() {
        let told = Told::default();
        metrics::with_local_recorder(&told, || {
            let stats = Stats::new(Provider::Gcp);
            stats.record(RequestKind::Get, Outcome::Ok, 3, 5, millis(250));
            stats.count(Event::HedgeWon);
        });
        let told = told.0.lock().unwrap().clone();
        assert_eq!(
            told,
            [
                "plastron_bucket_cost_nanodollars_total{provider=gcp_store} 400",
                "plastron_bucket_requests_total{provider=gcp_store,kind=get,outcome=ok} 1",
                "plastron_bucket_sent_bytes_total{provider=gcp_store,kind=get} 3",
                "plastron_bucket_received_bytes_total{provider=gcp_store,kind=get} 5",
                "plastron_bucket_request_seconds{provider=gcp_store,kind=get} 0.25",
                "plastron_bucket_events_total{provider=gcp_store,event=hedge_won} 1",
            ]
        );
        let page = include_str!("../../docs/src/reference/metrics.md");
        for line in &told {
            let name = line.split('{').next().unwrap();
            assert!(page.contains(&format!("`{name}`")), "{name} is not documented");
        }
        let words = RequestKind::ALL.iter().map(|kind| kind.as_str());
        let words = words
            .chain(Outcome::ALL.iter().map(|outcome| outcome.as_str()))
            .chain(Event::ALL.iter().map(|event| event.as_str()));
        for word in words {
            assert!(page.contains(&format!("`{word}`")), "{word} is not documented");
        }
    }
}
