//! Ingest and cold gets behind a latency, on the wire.
//!
//! Both sides speak to one server through one proxy, which holds every request up. The server keeps objects in memory and runs in this
//! process, and so does the proxy: what they cost both sides pay. It computes no MD5
//! of what it is given: that was a quarter to a third of the processor time of an ingest.

use std::sync::Arc;

use bytes::Bytes;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, PutMode, PutPayload};
use plastron::BucketOptions;
use plastron::page_log::PageLogOptions;
use plastron_localstack::{Fault, FaultProxy, GcsServer, Rule};
use serde_json::json;

use super::Amount;
use super::meter::Meter;
use super::pairs::{Pairs, Work};
use super::row::{Goal, Row, Unit};
use super::slate::Slate;
use super::workload::{self, AtLsn, LARGE_PAGE, Latest, ReadPages, SMALL_PAGE, Written};
use crate::context::Stopwatch;
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

/// Rows of what is written.
pub(super) async fn ingest_rows(amount: Amount, meter: &Meter) -> Result<Vec<Row>> {
    let far = Far::start().await?;
    let pages = workload::pages(amount.far, LARGE_PAGE, 1);
    let title = format!("ingest 16 KiB behind {LATENCY_MS} ms");
    meter.row(&title);
    let ours = async |pair: usize| {
        let written = far.create(&format!("ingest-{pair}")).await?;
        let work = written.ingest(&pages, pages.len()).await?;
        written.remove().await?;
        Ok(work)
    };
    let pairs = Pairs::run(amount.plan(), meter, ours, async |pair| {
        let prefix = format!("slate-{pair}");
        let slate = Slate::open(&prefix, far.object_store()?).await?;
        let work = slate.ingest(&pages, pages.len()).await?;
        slate.close().await?;
        // The server keeps objects in memory.
        workload::clear(&workload::bucket(&far.options()?, &prefix).await?).await?;
        Ok(work)
    })
    .await?;
    let slate = Row::compared(title.clone(), "gcs", Unit::MibPerSecond, &pairs, "SlateDB", Goal::Ratio(3.0));
    let pairs = Pairs::run(amount.plan(), meter, ours, async |pair| bare(&far, &pages, pair).await).await?;
    let bare = Row::compared(title, "gcs", Unit::MibPerSecond, &pairs, "bare upload", Goal::Ratio(0.6));
    Ok(vec![slate, bare])
}

/// The same bytes in objects of a segment's size, all at once, with nothing done to them: what the line and the server allow.
async fn bare(far: &Far, pages: &[Bytes], pair: usize) -> Result<Work> {
    let store = far.object_store()?;
    let objects = pages.chunks(PageLogOptions::new().segment_size as usize / LARGE_PAGE);
    let objects: Vec<_> = objects.map(|pages| PutPayload::from_iter(pages.iter().cloned())).collect();
    let watch = Stopwatch::start();
    let name = |number: usize| Path::from(format!("bare-{pair}/{number}"));
    let puts = objects.into_iter().enumerate().map(|(number, payload)| {
        let (store, name) = (Arc::clone(&store), name(number));
        tokio::spawn(async move { store.put_opts(&name, payload, PutMode::Create.into()).await })
    });
    for put in futures::future::join_all(puts).await {
        put.map_err(|error| Failure::other(error.to_string()))??;
    }
    let work = workload::mib(pages, watch.elapsed());
    workload::clear(&workload::bucket(&far.options()?, &format!("bare-{pair}")).await?).await?;
    Ok(work)
}

/// Rows of what is read with nothing in memory.
pub(super) async fn cold_rows(amount: Amount, meter: &Meter) -> Result<Vec<Row>> {
    let far = &Far::start().await?;
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
async fn get<R: ReadPages>(reader: R, pages: &[bytes::Bytes], amount: Amount, pair: usize) -> Result<Work> {
    workload::read_at_random(Arc::new(reader), pages, 1, amount.cold, pair as u64).await
}
