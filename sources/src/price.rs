//! What requests cost: list prices by provider and kind of request, for the money estimate in [`crate::StatsSnapshot`].
//!
//! The numbers are the public list prices of one class and region each; they are an estimate, not a bill: tiers, discounts, free
//! allowances, taxes and other regions differ. Whoever knows better passes another [`PriceTable`].

use crate::source::Provider;
use crate::stats::{Outcome, RequestKind};

/// Prices in US dollars.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PriceTable {
    /// A thousand requests that write: put, put part, create and complete multipart, copy.
    pub write_usd_per_1000: f64,
    /// A thousand requests for a page of a listing.
    pub list_usd_per_1000: f64,
    /// A thousand requests that read: get, head.
    pub read_usd_per_1000: f64,
    /// A thousand requests that remove: delete, abort.
    pub delete_usd_per_1000: f64,
    /// A gigabyte (10^9 bytes) sent to the internet; not part of the estimate of requests.
    pub egress_usd_per_gb: f64,
    /// A gigabyte stored for a month; not part of the estimate of requests.
    pub storage_usd_per_gb_month: f64,
    /// What is priced: product, class, region.
    pub product: &'static str,
    /// The provider's price list.
    pub source: &'static str,
    /// The month of the price list that the numbers are from, `YYYY-MM`; empty where nothing costs anything.
    pub as_of: &'static str,
}

impl PriceTable {
    /// Nothing costs anything: local directories, memory, one's own servers.
    pub const FREE: Self = Self {
        write_usd_per_1000: 0.0,
        list_usd_per_1000: 0.0,
        read_usd_per_1000: 0.0,
        delete_usd_per_1000: 0.0,
        egress_usd_per_gb: 0.0,
        storage_usd_per_gb_month: 0.0,
        product: "local",
        source: "",
        as_of: "",
    };

    /// Amazon S3 Standard in us-east-1.
    pub const S3: Self = Self {
        write_usd_per_1000: 0.005,
        list_usd_per_1000: 0.005,
        read_usd_per_1000: 0.0004,
        delete_usd_per_1000: 0.0,
        egress_usd_per_gb: 0.09,
        storage_usd_per_gb_month: 0.023,
        product: "Amazon S3 Standard, us-east-1",
        source: "https://aws.amazon.com/s3/pricing/",
        as_of: "2025-06",
    };

    /// Azure Blob Storage, hot tier, locally redundant, East US 2.
    pub const AZURE: Self = Self {
        write_usd_per_1000: 0.005,
        list_usd_per_1000: 0.005,
        read_usd_per_1000: 0.0004,
        delete_usd_per_1000: 0.0,
        egress_usd_per_gb: 0.087,
        storage_usd_per_gb_month: 0.018,
        product: "Azure Blob Storage hot LRS, East US 2",
        source: "https://azure.microsoft.com/pricing/details/storage/blobs/",
        as_of: "2025-06",
    };

    /// Google Cloud Storage, Standard class, one region of the US.
    pub const GCP: Self = Self {
        write_usd_per_1000: 0.005,
        list_usd_per_1000: 0.005,
        read_usd_per_1000: 0.0004,
        delete_usd_per_1000: 0.0,
        egress_usd_per_gb: 0.12,
        storage_usd_per_gb_month: 0.02,
        product: "Google Cloud Storage Standard, single region (us-central1)",
        source: "https://cloud.google.com/storage/pricing",
        as_of: "2025-06",
    };

    /// The list prices of `provider`.
    pub const fn of(provider: Provider) -> Self {
        match provider {
            Provider::S3 => Self::S3,
            Provider::Azure => Self::AZURE,
            Provider::Gcp => Self::GCP,
            Provider::Dir | Provider::Memory => Self::FREE,
        }
    }

    /// The price of one request of `kind`, US dollars.
    pub fn request_usd(&self, kind: RequestKind) -> f64 {
        let thousand = match kind {
            RequestKind::Put
            | RequestKind::PutPart
            | RequestKind::CreateMultipart
            | RequestKind::Complete
            | RequestKind::Copy => self.write_usd_per_1000,
            RequestKind::List => self.list_usd_per_1000,
            RequestKind::Get | RequestKind::Head | RequestKind::Other => self.read_usd_per_1000,
            RequestKind::Delete | RequestKind::Abort => self.delete_usd_per_1000,
            RequestKind::Token => 0.0,
        };
        thousand / 1000.0
    }

    /// The price of one request in billionths of a dollar. What the provider failed or throttled, or what never reached it, is
    /// free; refused requests are billed, and so may be those that were given up, so they count.
    pub(crate) fn nanodollars(&self, kind: RequestKind, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Throttled | Outcome::Failed | Outcome::Broken => 0,
            _ => (self.request_usd(kind) * 1e9).round() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_objects_at_s3() {
        let prices = PriceTable::of(Provider::S3);
        let million = |kind, outcome| prices.nanodollars(kind, outcome) * 1_000_000;
        assert_eq!(million(RequestKind::Put, Outcome::Ok), 5_000_000_000, "five dollars");
        assert_eq!(million(RequestKind::Get, Outcome::NotFound), 400_000_000, "forty cents");
        assert_eq!(million(RequestKind::List, Outcome::Ok), 5_000_000_000);
        assert_eq!(million(RequestKind::Delete, Outcome::Ok), 0);
        for outcome in [Outcome::Throttled, Outcome::Failed, Outcome::Broken] {
            assert_eq!(million(RequestKind::Put, outcome), 0);
        }
        assert_eq!(million(RequestKind::Put, Outcome::Conflict), 5_000_000_000, "a refused request is billed");
    }

    #[test]
    fn what_stays_at_home_is_free_and_everything_else_says_where_its_price_is_from() {
        for provider in [Provider::Dir, Provider::Memory] {
            assert_eq!(PriceTable::of(provider), PriceTable::FREE);
        }
        for provider in [Provider::S3, Provider::Azure, Provider::Gcp] {
            let prices = PriceTable::of(provider);
            assert!(prices.source.starts_with("https://") && prices.as_of.len() == 7 && !prices.product.is_empty());
            assert!(RequestKind::ALL.iter().all(|kind| (0.0..0.001).contains(&prices.request_usd(*kind))));
        }
    }
}
