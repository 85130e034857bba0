//! What happens, counted, in Prometheus' text format.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

use crate::machine::State;

/// Requests that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Lookup,
    Update,
    Register,
    Ratify,
    Policy,
    Issuers,
    Authorities,
    Stream,
    History,
    Hkp,
}

const ROUTES: [(Route, &str); 10] = [
    (Route::Lookup, "lookup"),
    (Route::Update, "update"),
    (Route::Register, "register"),
    (Route::Ratify, "ratify"),
    (Route::Policy, "policy"),
    (Route::Issuers, "issuers"),
    (Route::Authorities, "authorities"),
    (Route::Stream, "stream"),
    (Route::History, "history"),
    (Route::Hkp, "hkp"),
];

/// Answers by what became of them.
#[derive(Debug, Default)]
struct Count {
    done: AtomicU64,
    /// The asker's mistake.
    refused: AtomicU64,
    /// Too much at once, or too late.
    unavailable: AtomicU64,
    failed: AtomicU64,
}

/// The counts since the server was started.
#[derive(Debug, Default)]
pub(super) struct Metrics([Count; ROUTES.len()]);

impl Metrics {
    pub(super) fn count(&self, route: Route, status: StatusCode) {
        let at = ROUTES.iter().position(|(other, _)| *other == route).unwrap_or(0);
        let Some(count) = self.0.get(at) else { return };
        let which = match status.as_u16() {
            200..=399 => &count.done,
            503 => &count.unavailable,
            400..=499 => &count.refused,
            _ => &count.failed,
        };
        which.fetch_add(1, Ordering::Relaxed);
    }

    /// All of it, as text. `age_ms` is the age of the newest head.
    pub(super) fn text(&self, state: &State, age_ms: u64, in_rotation: bool) -> String {
        let mut out = String::new();
        let mut gauge = |name: &str, help: &str, value: u64| {
            // Writing to a string does not fail.
            let _ = writeln!(out, "# HELP plastron_keyserver_{name} {help}\n# TYPE plastron_keyserver_{name} gauge");
            let _ = writeln!(out, "plastron_keyserver_{name} {value}");
        };
        gauge("applied", "Index of the last log entry that was applied.", state.applied);
        gauge("epoch", "The newest ratified epoch.", state.ratified);
        gauge(
            "awaiting",
            "1 while a head awaits the signatures of a quorum.",
            u64::from(state.delimited > state.ratified),
        );
        gauge("pending", "Changes that wait for the next epoch.", state.pending);
        gauge("head_age_milliseconds", "Age of the newest head.", age_ms);
        gauge("policy_generation", "Generation of the realm policy.", state.policy.generation);
        gauge("in_rotation", "1 while the replica works and its newest head is fresh.", u64::from(in_rotation));
        let _ = writeln!(
            out,
            "# HELP plastron_keyserver_requests_total Requests that were answered, by what became of them."
        );
        let _ = writeln!(out, "# TYPE plastron_keyserver_requests_total counter");
        for ((_, route), count) in ROUTES.iter().zip(&self.0) {
            let results = [
                ("done", &count.done),
                ("refused", &count.refused),
                ("unavailable", &count.unavailable),
                ("failed", &count.failed),
            ];
            for (result, value) in results {
                let value = value.load(Ordering::Relaxed);
                let _ = writeln!(
                    out,
                    "plastron_keyserver_requests_total{{request=\"{route}\",result=\"{result}\"}} {value}"
                );
            }
        }
        out
    }
}
