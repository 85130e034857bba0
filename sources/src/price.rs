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
    /// The day the numbers were taken from it, `YYYY-MM-DD`; empty where nothing costs anything.
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
        as_of: "2025-06-01",
    };

    /// Azure Blob Storage, hot tier, locally redundant, East US.
    pub const AZURE: Self = Self {
        write_usd_per_1000: 0.005,
        list_usd_per_1000: 0.005,
        read_usd_per_1000: 0.0004,
        delete_usd_per_1000: 0.0,
        egress_usd_per_gb: 0.087,
        storage_usd_per_gb_month: 0.0184,
        product: "Azure Blob Storage hot LRS, East US",
        source: "https://azure.microsoft.com/pricing/details/storage/blobs/",
        as_of: "2025-06-01",
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
        as_of: "2025-06-01",
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
