//! Requests and money: what writing and reading would cost by list prices.

use plastron::{PriceTable, Provider, StatsSnapshot};
use serde_json::{Value, json};

/// What was asked of one bucket, and for how much.
#[derive(Debug)]
pub(super) struct Bill {
    place: &'static str,
    prices: PriceTable,
    written: Option<Cost>,
    read: Option<Cost>,
}

/// Requests for an amount.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// Gigabytes (10^9 bytes) or millions of reads.
    amount: f64,
    requests: u64,
    usd: f64,
}

impl Bill {
    /// By the prices of `provider`; of Amazon S3 for one whose requests are free.
    pub(super) fn of(place: &'static str, provider: Provider) -> Self {
        let prices = match provider {
            Provider::Dir | Provider::Memory => PriceTable::of(Provider::S3),
            other => PriceTable::of(other),
        };
        Self { place, prices, written: None, read: None }
    }

    /// `bytes` were written between the two.
    pub(super) fn wrote(&mut self, bytes: u64, before: &StatsSnapshot, after: &StatsSnapshot) {
        self.written = Some(self.cost(bytes as f64 / 1e9, before, after));
    }

    /// `reads` pages were read between the two.
    pub(super) fn read(&mut self, reads: f64, before: &StatsSnapshot, after: &StatsSnapshot) {
        self.read = Some(self.cost(reads / 1e6, before, after));
    }

    fn cost(&self, amount: f64, before: &StatsSnapshot, after: &StatsSnapshot) -> Cost {
        let (mut requests, mut usd) = (0, 0.0);
        for kind in after.requests.iter().map(|request| request.kind) {
            let count = after.requests_of(kind).saturating_sub(before.requests_of(kind));
            requests += count;
            usd += count as f64 * self.prices.request_usd(kind);
        }
        Cost { amount, requests, usd }
    }

    /// As JSON.
    pub(super) fn record(&self) -> Value {
        let each = |cost: &Option<Cost>| {
            cost.map(|cost| json!({ "requests": cost.requests as f64 / cost.amount, "usd": cost.usd / cost.amount }))
        };
        json!({
            "on": self.place,
            "prices": self.prices.product,
            "source": self.prices.source,
            "as_of": self.prices.as_of,
            "per_gb_written": each(&self.written),
            "per_million_cold_reads": each(&self.read),
        })
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (what, cost) in [("GB written", self.written), ("million cold reads", self.read)] {
            let Some(cost) = cost else { continue };
            let (requests, usd) = (cost.requests as f64 / cost.amount, cost.usd / cost.amount);
            text += &format!("{} requests and ${usd:.4} per {what} ({})\n", requests.round(), self.place);
        }
        if !text.is_empty() {
            let PriceTable { product, source, as_of, .. } = &self.prices;
            text += &format!("prices of {product}, {as_of}, {source}\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plastron::{Bucket, BucketOptions};

    #[tokio::test]
    async fn requests_are_priced_as_at_amazon() {
        let bucket = Bucket::open(BucketOptions::new(Provider::Memory, "bill")).await.unwrap();
        let before = bucket.stats();
        bucket.put("a", "1").await.unwrap();
        bucket.put("b", "2").await.unwrap();
        let wrote = bucket.stats();
        bucket.get("a").await.unwrap();
        let mut bill = Bill::of("memory", Provider::Memory);
        bill.wrote(500_000_000, &before, &wrote);
        bill.read(1.0, &wrote, &bucket.stats());
        let record = bill.record();
        assert_eq!(record["per_gb_written"]["requests"], 4.0);
        assert!((record["per_gb_written"]["usd"].as_f64().unwrap() - 4.0 * 0.005 / 1000.0).abs() < 1e-12);
        assert_eq!(record["per_million_cold_reads"]["requests"], 1e6);
        assert!(bill.text().starts_with("4 requests and $0.0000 per GB written (memory)\n"), "{}", bill.text());
        assert!(bill.text().contains("https://aws.amazon.com/s3/pricing/"));
    }
}
