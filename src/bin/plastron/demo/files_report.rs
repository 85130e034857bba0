//! What the demo prints.

use std::time::Duration;

use plastron::{ErrorKind, PriceTable, StatsSnapshot};
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::quantity::{self, printable};
use crate::table::{Align, Table};
use crate::walk::Skipped;

/// Names shown of files that differ; all of them are in the JSON.
const SHOWN: usize = 10;

/// What one phase took.
#[derive(Debug)]
pub(crate) struct Phase {
    /// `store`, `read cold`, `read warm`.
    pub(crate) name: &'static str,
    /// Files stored or read.
    pub(crate) files: u64,
    /// Bytes stored or read.
    pub(crate) bytes: u64,
    /// From the first request to the last byte compared.
    pub(crate) elapsed: Duration,
    /// Requests to the bucket.
    pub(crate) requests: u64,
    /// What those requests would have cost on S3, US dollars.
    pub(crate) s3_usd: f64,
    /// Blocks served by the cache, of those asked for; none where nothing was asked for.
    pub(crate) hit_ratio: Option<f64>,
}

/// What the whole demo took, and whether every byte was the same.
#[derive(Debug)]
pub(crate) struct Report {
    /// The directory that was stored.
    pub(crate) input: String,
    /// Where it was stored.
    pub(crate) store: String,
    /// What was left out of it.
    pub(crate) left_out: Vec<Skipped>,
    /// The three phases.
    pub(crate) phases: Vec<Phase>,
    /// Files that came back with other bytes, with the phase.
    pub(crate) different: Vec<(String, &'static str)>,
}

/// What the requests between two moments would have cost on S3; all of them, without the first moment.
pub(crate) fn s3_usd(before: Option<&StatsSnapshot>, after: &StatsSnapshot) -> f64 {
    let made = |kind| after.requests_of(kind).saturating_sub(before.map_or(0, |before| before.requests_of(kind)));
    after.requests.iter().map(|request| made(request.kind) as f64 * PriceTable::S3.request_usd(request.kind)).sum()
}

impl Report {
    fn stored(&self) -> (u64, u64) {
        self.phases.first().map_or((0, 0), |phase| (phase.files, phase.bytes))
    }

    fn storage_usd_per_month(&self) -> f64 {
        self.stored().1 as f64 / 1e9 * PriceTable::S3.storage_usd_per_gb_month
    }

    /// As one JSON object.
    pub(crate) fn record(&self) -> Value {
        let (files, bytes) = self.stored();
        let phases: Vec<Value> = self
            .phases
            .iter()
            .map(|phase| {
                json!({
                    "phase": phase.name,
                    "files": phase.files,
                    "bytes": phase.bytes,
                    "seconds": phase.elapsed.as_secs_f64(),
                    "mib_per_second": quantity::mib_per_second(phase.bytes, phase.elapsed),
                    "requests": phase.requests,
                    "hit_ratio": phase.hit_ratio,
                    "s3_usd": phase.s3_usd,
                })
            })
            .collect();
        let left_out: Vec<Value> = self
            .left_out
            .iter()
            .map(|skip| json!({ "path": skip.path.to_string_lossy(), "reason": skip.reason }))
            .collect();
        let different: Vec<Value> =
            self.different.iter().map(|(name, phase)| json!({ "name": name, "phase": phase })).collect();
        json!({
            "input": self.input,
            "store": self.store,
            "files": files,
            "bytes": bytes,
            "left_out": left_out,
            "phases": phases,
            "identical": self.different.is_empty(),
            "different": different,
            "s3_storage_usd_per_month": self.storage_usd_per_month(),
            "s3_prices": { "product": PriceTable::S3.product, "as_of": PriceTable::S3.as_of },
        })
    }

    /// As a table with a few words around it.
    pub(crate) fn text(&self) -> String {
        let (files, bytes) = self.stored();
        let mut text = format!("{files} files, {}, from {}\n", quantity::bytes(bytes), printable(&self.input));
        text += &format!("stored in {}\n", printable(&self.store));
        text += &self.left_out_text();
        let mut table = Table::new(&[
            ("phase", Align::Left),
            ("files", Align::Right),
            ("bytes", Align::Right),
            ("seconds", Align::Right),
            ("files/s", Align::Right),
            ("MiB/s", Align::Right),
            ("requests", Align::Right),
            ("hit ratio", Align::Right),
            ("on S3, USD", Align::Right),
        ]);
        for phase in &self.phases {
            let seconds = phase.elapsed.as_secs_f64();
            table.row([
                phase.name.to_owned(),
                phase.files.to_string(),
                quantity::bytes(phase.bytes),
                format!("{seconds:.2}"),
                format!("{:.0}", if seconds > 0.0 { phase.files as f64 / seconds } else { 0.0 }),
                format!("{:.1}", quantity::mib_per_second(phase.bytes, phase.elapsed)),
                phase.requests.to_string(),
                phase.hit_ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0)),
                format!("{:.6}", phase.s3_usd),
            ]);
        }
        text = format!("{text}\n{}\n", table.render());
        text += &format!(
            "On S3 these requests would have cost ${:.6}, and keeping the bytes ${:.6} a month ({}, {}).\n",
            self.phases.iter().map(|phase| phase.s3_usd).sum::<f64>(),
            self.storage_usd_per_month(),
            PriceTable::S3.product,
            PriceTable::S3.as_of,
        );
        if self.different.is_empty() {
            text += "Every byte came back the same, cold and warm.\n";
        } else {
            for (name, phase) in self.different.iter().take(SHOWN) {
                text += &format!("DIFFERENT ({phase}): {}\n", printable(name));
            }
        }
        text
    }

    /// What is left out, by reason: directories that are left out by name are named, the rest is counted.
    fn left_out_text(&self) -> String {
        let mut reasons: Vec<(&str, Vec<&Skipped>)> = Vec::new();
        for skip in &self.left_out {
            match reasons.iter_mut().find(|(reason, _)| *reason == skip.reason) {
                Some((_, skips)) => skips.push(skip),
                None => reasons.push((skip.reason, vec![skip])),
            }
        }
        let mut text = String::new();
        for (reason, skips) in reasons {
            let first: Vec<String> = skips
                .iter()
                .take(3)
                .map(|skip| {
                    let below = skip.path.strip_prefix(&self.input).unwrap_or(&skip.path);
                    printable(&below.to_string_lossy()).into_owned()
                })
                .collect();
            let more = if skips.len() > first.len() {
                format!(" and {} more", skips.len() - first.len())
            } else {
                String::new()
            };
            text += &format!("not stored ({reason}): {}{more}\n", first.join(", "));
        }
        text
    }

    /// The exit code.
    pub(crate) fn verdict(&self) -> Result<()> {
        match self.different.len() {
            0 => Ok(()),
            count => Err(Failure::of_kind(
                ErrorKind::Corrupt,
                format!("{count} files came back different from what was stored"),
            )),
        }
    }
}
