//! Ingest and cold gets behind a latency, on the wire.
//!
//! Both sides speak to one server through one proxy, which holds every request up. The server keeps objects in memory and runs in this
//! process, and so does the proxy: what they cost both sides pay. It computes no MD5
//! of what it is given: that was a quarter to a third of the processor time of an ingest.

use std::sync::Arc;

use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{ClientOptions, ObjectStore};
use plastron::BucketOptions;
use plastron::page_log::PageLogOptions;
use plastron_localstack::{Fault, FaultProxy, GcsServer, Rule};
use serde_json::json;

use super::Amount;
use super::meter::Meter;
use super::pairs::Pairs;
use super::row::{Goal, Row, Unit};
use super::slate::Slate;
use super::workload::{self, AtLsn, LARGE_PAGE, Latest, ReadPages, SMALL_PAGE, Written};
use crate::failure::{Failure, Result};

/// What every request waits, milliseconds: always the first, and up to the second more.
const LATENCY_MS: u64 = 30;
const JITTER_MS: u64 = 10;

/// The bucket.
const BUCKET: &str = "bench";

/// A server that is far away.
struct Far {
    proxy: FaultProxy,
    store: String,
    _server: GcsServer,
}

impl Far {
    async fn start() -> Result<Self> {
        let gcs = GcsServer::builder().md5(false).start().await?;
        let server = gcs.endpoint();
        server.create_bucket(BUCKET).await?;
        let latency = Rule::new(Fault::Latency { fixed_ms: LATENCY_MS, jitter_ms: JITTER_MS });
        let proxy = FaultProxy::before(&server.url).seed(7).rule(latency).start().await?;
        let store = server.store_string_at(&proxy.url(), BUCKET, "");
        Ok(Self { proxy, store, _server: gcs })
    }

    fn options(&self) -> Result<BucketOptions> {
        Ok(BucketOptions::parse(&self.store).map_err(|error| Failure::other(error.to_string()))?)
    }

    fn object_store(&self) -> Result<Arc<dyn ObjectStore>> {
        let account = json!({
            "type": "service_account", "gcs_base_url": self.proxy.url(), "disable_oauth": true,
            "client_email": "", "private_key": "", "private_key_id": "",
        });
        let store = GoogleCloudStorageBuilder::new()
            .with_bucket_name(BUCKET)
            .with_service_account_key(account.to_string())
            .with_client_options(ClientOptions::new().with_allow_http(true))
            .build()?;
        Ok(Arc::new(store))
    }

    async fn create(&self, prefix: &str) -> Result<Written> {
        let bucket = workload::bucket(&self.options()?, prefix).await?;
        Written::create(bucket, PageLogOptions::new()).await
    }
}

/// All rows.
pub(super) async fn rows(amount: Amount, meter: &Meter) -> Result<Vec<Row>> {
    let far = Far::start().await?;
    let mut rows = vec![ingest(&far, amount, meter).await?];
    rows.extend(cold(&far, amount, meter).await?);
    Ok(rows)
}

async fn ingest(far: &Far, amount: Amount, meter: &Meter) -> Result<Row> {
    let title = format!("ingest 16 KiB behind {LATENCY_MS} ms");
    meter.row(&title);
    let pages = workload::pages(amount.far, LARGE_PAGE, 1);
    let pairs = Pairs::run(
        amount.plan(),
        meter,
        async |pair| {
            let written = far.create(&format!("ingest-{pair}")).await?;
            let work = written.ingest(&pages, pages.len()).await?;
            written.remove().await?;
            Ok(work)
        },
        async |pair| {
            let prefix = format!("slate-{pair}");
            let slate = Slate::open(&prefix, far.object_store()?).await?;
            let work = slate.ingest(&pages, pages.len()).await?;
            slate.close().await?;
            // The server keeps objects in memory.
            workload::clear(&workload::bucket(&far.options()?, &prefix).await?).await?;
            Ok(work)
        },
    )
    .await?;
    Ok(Row::compared(title, "gcs", Unit::MibPerSecond, &pairs, "SlateDB", Goal::Ratio(3.0)))
}

async fn cold(far: &Far, amount: Amount, meter: &Meter) -> Result<Vec<Row>> {
    let pages = workload::pages(amount.read, SMALL_PAGE, 2);
    let written = far.create("cold-log").await?;
    let lsns = written.put(&pages, pages.len()).await?;
    written.log.merge_indexes().await?;
    let slate = Slate::open("cold-slate", far.object_store()?).await?;
    slate.put(&pages, pages.len()).await?;
    slate.close_with_tables().await?;

    let title = |how: &str| format!("cold get 4 KiB behind {LATENCY_MS} ms, {how}");
    let peer = async |pair: usize| {
        let slate = Slate::open("cold-slate", far.object_store()?).await?;
        get(slate, &pages, amount, pair).await
    };
    let mut rows = Vec::new();
    meter.row(&title("at its LSN"));
    let ours = async |pair| {
        let log = written.reopen(workload::forgetful()).await?;
        get(AtLsn { log, lsns: lsns.clone() }, &pages, amount, pair).await
    };
    let pairs = Pairs::run(amount.plan(), meter, ours, peer).await?;
    rows.push(Row::compared(title("at its LSN"), "gcs", Unit::ReadsPerSecond, &pairs, "SlateDB", Goal::Ratio(1.0)));
    meter.row(&title("the latest"));
    let ours = async |pair| {
        let log = written.reopen(workload::forgetful()).await?;
        get(Latest { log }, &pages, amount, pair).await
    };
    let pairs = Pairs::run(amount.plan(), meter, ours, peer).await?;
    rows.push(Row::compared(title("the latest"), "gcs", Unit::ReadsPerSecond, &pairs, "SlateDB", Goal::Ratio(1.0)));
    written.remove().await?;
    Ok(rows)
}

/// Gets one after another, of what has just been opened.
async fn get<R: ReadPages>(
    reader: R,
    pages: &[bytes::Bytes],
    amount: Amount,
    pair: usize,
) -> Result<super::pairs::Work> {
    workload::read_at_random(Arc::new(reader), pages, 1, amount.cold, pair as u64).await
}
