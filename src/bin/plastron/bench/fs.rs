//! `plastron bench fs`: how fast the file system stores and reads on the store that is given.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use futures::StreamExt;
use plastron::clock::{Entropy, SystemEntropy};
use plastron::{FileSystem, Store};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::context::{Access, Context, Stopwatch};
use crate::failure::{Failure, Result};
use crate::jobs;
use crate::pieces::Pieces;
use crate::quantity;
use crate::table::{Align, Table};

const AFTER_HELP: &str = "\
It stores objects of its own under plastron-bench-, reads them from the bucket, reads them again through the cache, and removes them.
MiB/s is over all objects together. With --json the result is one object.

Examples:
  plastron --store file:///srv/bucket bench fs
  plastron bench fs --size 4KiB --objects 1000 --jobs 16 --json";

/// Options of `bench fs`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct BenchFs {
    /// Size of one object, with a suffix KiB, MiB or GiB
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = quantity::parse_bytes)]
    size: u64,

    /// Objects
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    objects: u32,

    /// Objects stored or read at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
}

/// What one phase took.
struct Phase {
    name: &'static str,
    elapsed: Duration,
    requests: u64,
}

impl BenchFs {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let store = context.open(Access::Write).await?;
        let prefix = format!("plastron-bench-{:016x}/", SystemEntropy::default().next_u64());
        let measured = self.measure(&store, &prefix).await;
        let cleared = clear(store.file_system(), &prefix).await;
        let phases = measured?;
        context.output.result(&self.record(&phases), || self.text(&phases)).await?;
        cleared
    }

    async fn measure(&self, store: &Store, prefix: &str) -> Result<Vec<Phase>> {
        let length =
            usize::try_from(self.size).map_err(|_| Failure::usage("--size is more than this machine can address"))?;
        // No two words alike, so that nothing on the way can compress it; cheap to make.
        let word = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).to_le_bytes();
        let mut data: Vec<u8> = (0..self.size.div_ceil(8)).flat_map(word).collect();
        data.truncate(length);
        let data = Bytes::from(data);

        // What is stored must not be in the cache when it is read cold.
        let cold = FileSystem::from_parts(store.bucket().clone(), None);
        let files = cold.clone();
        let put = |name: String| {
            let (files, data) = (files.clone(), data.clone());
            async move { files.put(&name, data).await.map(drop).map_err(Failure::from) }
        };
        let mut phases = vec![self.phase("put", store, prefix, put).await?];
        let memory = Arc::new(Semaphore::new(Pieces::IN_FLIGHT));
        let cached = store.file_system().clone();
        for (name, files) in [("get, no cache", cold), ("get, cold cache", cached.clone()), ("get, warm cache", cached)]
        {
            let get = |object: String| {
                let (files, memory) = (files.clone(), memory.clone());
                async move { read(&files, &object, memory).await }
            };
            phases.push(self.phase(name, store, prefix, get).await?);
        }
        Ok(phases)
    }

    async fn phase<F>(
        &self,
        name: &'static str,
        store: &Store,
        prefix: &str,
        run: impl FnMut(String) -> F,
    ) -> Result<Phase>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let before = store.stats().bucket.requests_total();
        let watch = Stopwatch::start();
        let names = (0..self.objects).map(|n| format!("{prefix}{n:08}"));
        jobs::each(names, self.jobs.into(), run, async |result: Result<()>| result).await?;
        let elapsed = watch.elapsed();
        Ok(Phase { name, elapsed, requests: store.stats().bucket.requests_total().saturating_sub(before) })
    }

    fn bytes(&self) -> u64 {
        self.size.saturating_mul(self.objects.into())
    }

    fn record(&self, phases: &[Phase]) -> Value {
        let phases: Vec<Value> = phases
            .iter()
            .map(|phase| {
                json!({
                    "phase": phase.name,
                    "seconds": phase.elapsed.as_secs_f64(),
                    "mib_per_second": quantity::mib_per_second(self.bytes(), phase.elapsed),
                    "objects_per_second": f64::from(self.objects) / phase.elapsed.as_secs_f64().max(f64::MIN_POSITIVE),
                    "requests": phase.requests,
                })
            })
            .collect();
        json!({ "size": self.size, "objects": self.objects, "jobs": self.jobs, "phases": phases })
    }

    fn text(&self, phases: &[Phase]) -> String {
        let mut table = Table::new(&[
            ("phase", Align::Left),
            ("seconds", Align::Right),
            ("MiB/s", Align::Right),
            ("objects/s", Align::Right),
            ("requests", Align::Right),
        ]);
        for phase in phases {
            let seconds = phase.elapsed.as_secs_f64();
            table.row([
                phase.name.to_owned(),
                format!("{seconds:.3}"),
                format!("{:.1}", quantity::mib_per_second(self.bytes(), phase.elapsed)),
                format!("{:.1}", f64::from(self.objects) / seconds.max(f64::MIN_POSITIVE)),
                phase.requests.to_string(),
            ]);
        }
        format!("{} objects of {}, {} at once\n{}", self.objects, quantity::bytes(self.size), self.jobs, table.render())
    }
}

async fn read(files: &FileSystem, name: &str, memory: Arc<Semaphore>) -> Result<()> {
    let object = files.open_file(name).await?;
    let size = object.size();
    let mut pieces = Pieces::of(object, 0..size, memory).stream();
    while let Some(piece) = pieces.next().await {
        std::hint::black_box(piece?.as_ref());
    }
    Ok(())
}

async fn clear(files: &FileSystem, prefix: &str) -> Result<()> {
    let mut entries = files.list(prefix);
    while let Some(entry) = entries.next().await {
        files.remove(&entry?.name).await?;
    }
    Ok(())
}
