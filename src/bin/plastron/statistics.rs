//! `--stats`: what a command took.

use plastron::{Outcome, StoreStats};
use serde_json::{Value, json};

use crate::quantity;
use crate::table::{Align, Table};

/// As JSON.
pub(crate) fn record(stats: &StoreStats) -> Value {
    let bucket = &stats.bucket;
    let requests: Vec<Value> = bucket
        .requests
        .iter()
        .map(|request| {
            let outcomes: serde_json::Map<String, Value> =
                request.outcomes.iter().map(|(outcome, count)| (outcome.as_str().to_owned(), json!(count))).collect();
            json!({
                "kind": request.kind.as_str(),
                "count": request.count(),
                "outcomes": outcomes,
                "bytes_up": request.bytes_up,
                "bytes_down": request.bytes_down,
                "latency_mean_ms": milliseconds(request.latency.mean()),
                "latency_p50_ms": milliseconds(request.latency.quantile(0.5)),
                "latency_p99_ms": milliseconds(request.latency.quantile(0.99)),
            })
        })
        .collect();
    let events: serde_json::Map<String, Value> =
        bucket.events.iter().map(|(event, count)| (event.as_str().to_owned(), json!(count))).collect();
    json!({
        "provider": bucket.provider.as_str(),
        "requests": requests,
        "requests_total": bucket.requests_total(),
        "bytes_up": bucket.bytes_up(),
        "bytes_down": bucket.bytes_down(),
        "retries": bucket.retries(),
        "throttles": bucket.throttles(),
        "hedges": bucket.hedges(),
        "events": events,
        "cost_usd": bucket.cost_usd,
        "egress_usd": bucket.egress_usd(),
        "prices": { "product": bucket.prices.product, "source": bucket.prices.source, "as_of": bucket.prices.as_of },
        "hit_ratio": stats.hit_ratio(),
    })
}

/// As text: a line a kind of request, then what they add up to.
pub(crate) fn table(stats: &StoreStats) -> String {
    let bucket = &stats.bucket;
    let mut table = Table::new(&[
        ("request", Align::Left),
        ("count", Align::Right),
        ("ok", Align::Right),
        ("sent", Align::Right),
        ("received", Align::Right),
        ("mean ms", Align::Right),
        ("p99 ms", Align::Right),
    ]);
    for request in &bucket.requests {
        let ok = request.outcomes.iter().find(|(outcome, _)| *outcome == Outcome::Ok).map_or(0, |(_, count)| *count);
        table.row([
            request.kind.as_str().to_owned(),
            request.count().to_string(),
            ok.to_string(),
            quantity::bytes(request.bytes_up),
            quantity::bytes(request.bytes_down),
            format!("{:.1}", milliseconds(request.latency.mean())),
            format!("{:.1}", milliseconds(request.latency.quantile(0.99))),
        ]);
    }
    let mut text = table.render();
    text += &format!(
        "{} requests, {} retries, {} throttled, {} hedged; sent {}, received {}",
        bucket.requests_total(),
        bucket.retries(),
        bucket.throttles(),
        bucket.hedges(),
        quantity::bytes(bucket.bytes_up()),
        quantity::bytes(bucket.bytes_down()),
    );
    text += &match stats.hit_ratio() {
        Some(ratio) => format!("; cache hit ratio {:.1} %\n", ratio * 100.0),
        None => "; nothing was read through a cache\n".to_owned(),
    };
    text += &if bucket.prices.as_of.is_empty() {
        format!("cost: nothing ({})\n", bucket.prices.product)
    } else {
        format!(
            "cost: about ${:.6} for requests, and ${:.6} if the bytes left the provider's network ({}, {})\n",
            bucket.cost_usd,
            bucket.egress_usd(),
            bucket.prices.product,
            bucket.prices.as_of,
        )
    };
    text
}

fn milliseconds(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
