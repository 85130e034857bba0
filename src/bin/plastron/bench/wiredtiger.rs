//! `plastron bench wiredtiger`: real WiredTiger on the extension, against WiredTiger by itself and `object_store` by itself.
//!
//! WiredTiger runs in processes of its own, driven by its Python module with a script that is part of this program
//! (`wiredtiger.py`); each step times the part that counts and nothing of starting, opening and closing. Three comparisons:
//!
//! * flushing a table against uploading the same file with the bare client;
//! * scanning a tiered table that is in the local cache against one that was never tiered, by the clock and by what the scanning thread
//!   used of the processor;
//! * a cold scan behind a latency on the wire, with read-ahead against without, and against downloading the object with the bare client.
//!   This needs a store behind plain HTTP.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use plastron::BucketOptions;
use serde_json::{Value, json};

use super::bare::Bare;
use super::bucket::Subject;
use super::delay_line::DelayLine;
use super::meter::Meter;
use super::pairs::{Pairs, Plan, Work};
use super::row::{self, Goal, Row, Unit};
use super::scratch::Scratch;
use crate::context::{Context, Stopwatch};
use crate::failure::{Failure, Result};
use crate::quantity;

const SCRIPT: &str = include_str!("wiredtiger.py");

/// Bytes of one value; with 4,000, seven rows fit a page of WiredTiger's default size.
const VALUE_BYTES: u64 = 4000;

/// What the flushed object of the table is called behind the prefix, and in the home directory.
const OBJECT: &str = "tiered-0000000001.wtobj";

const FLUSH_GOAL: f64 = 0.8;
/// At most 1.15 times the time, as a ratio of rates.
const WARM_GOAL: f64 = 0.87;
const AHEAD_GOAL: f64 = 8.0;
/// At most 1.5 times the time.
const DOWNLOAD_GOAL: f64 = 0.67;

const AFTER_HELP: &str = "\
WiredTiger 11.3.1 comes from PyPI: 'wiredtiger/tests/setup release' builds it and prints the Python that has it. (What pip builds by
itself is a debug build, which gives up the processor at each read of a tiered object.) The extension is the one that was built beside
this command: cargo build --release -p plastron -p plastron-wiredtiger.

Without --store a bucket in a directory is measured, and no cold scan, which needs a store behind plain HTTP.

Examples:
  plastron bench wiredtiger --python \"$(wiredtiger/tests/setup release)\"
  plastron --store 's3://bench?region=us-east-1&endpoint=http://127.0.0.1:8333' bench wiredtiger --check";

/// Options of `bench wiredtiger`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct BenchWiredTiger {
    /// The Python that has WiredTiger [default: the one of wiredtiger/tests/setup release]
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,

    /// The extension [default: libplastron_wiredtiger.so beside this command]
    #[arg(long, value_name = "FILE")]
    extension: Option<PathBuf>,

    /// Sizes so small that the numbers mean nothing: shows that everything works
    #[arg(long)]
    quick: bool,

    /// Exit with 1 if a goal is missed
    #[arg(long)]
    check: bool,

    /// Only these comparisons [default: all]
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,

    /// Where databases, buckets and caches are made, on a real disk for real numbers [default: TMPDIR]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

/// Comparisons that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Flushing a table
    Flush,
    /// Scanning what is in the local cache
    Warm,
    /// Scanning what is far away
    Cold,
}

/// How much.
#[derive(Debug, Clone, Copy)]
struct Amount {
    /// Bytes of the table that is flushed, and scanned warm.
    table: u64,
    /// Bytes of the table that is scanned from far away.
    far: u64,
    latency: Duration,
    pairs: usize,
}

const FULL: Amount = Amount { table: 1 << 30, far: 128 << 20, latency: Duration::from_millis(30), pairs: 3 };
const QUICK: Amount = Amount { table: 4 << 20, far: 2 << 20, latency: Duration::from_millis(1), pairs: 1 };

impl BenchWiredTiger {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let amount = if self.quick { QUICK } else { FULL };
        let scratch = Scratch::make(self.scratch.clone()).await?;
        let subject = if context.has_store() {
            Subject::given(context).await?
        } else {
            Subject::own(scratch.bucket("bucket").await?).await?
        };
        let meter = Meter::start(&context.output, 4);
        let bench = Bench { engine: self.engine()?, subject: &subject, scratch: &scratch, amount, meter: &meter };
        let measured = Box::pin(bench.rows(&self.only)).await;
        drop(meter);
        let cleared = subject.clear().await;
        let rows = measured?;
        cleared?;
        let record = json!({
            "quick": self.quick,
            "version": env!("CARGO_PKG_VERSION"),
            "rows": rows.iter().map(Row::record).collect::<Vec<_>>(),
        });
        context.output.result(&record, || row::table(&rows)).await?;
        let missed = rows.iter().filter(|row| row.met() == Some(false)).count();
        if self.check && missed > 0 {
            return Err(Failure::other(format!("goals missed: {missed}")));
        }
        Ok(())
    }

    fn engine(&self) -> Result<Engine> {
        let beside = || {
            let program = std::env::current_exe().ok()?;
            Some(program.parent()?.join("libplastron_wiredtiger.so"))
        };
        let built = || {
            let cache = std::env::var_os("PLASTRON_CACHE").map(PathBuf::from);
            let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/plastron")))?;
            Some(cache.join("wiredtiger/venv-release/bin/python"))
        };
        let found = |given: &Option<PathBuf>, default: Option<PathBuf>, option: &str| {
            let path = given.clone().or(default).unwrap_or_default();
            let missing = || Failure::usage(format!("{} is not there; give {option}", path.display()));
            path.canonicalize().map(|_| path.clone()).map_err(|_| missing())
        };
        Ok(Engine {
            python: found(&self.python, built(), "--python")?,
            extension: found(&self.extension, beside(), "--extension")?,
        })
    }
}

/// What a step took.
#[derive(Debug, Clone, Copy)]
struct Took {
    elapsed: Duration,
    /// Of the processor, by the thread that waited for it.
    processor: Duration,
}

/// WiredTiger, a process for each step.
#[derive(Debug)]
struct Engine {
    python: PathBuf,
    extension: PathBuf,
}

impl Engine {
    /// Runs one step; returns what the part of it that counts took.
    async fn step(&self, step: &Value) -> Result<Took> {
        let failed = |error: &dyn std::fmt::Display| Failure::other(format!("WiredTiger: {error}"));
        let mut command = Command::new(&self.python);
        command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let input = step.to_string();
        // Through its input, because there may be a secret in it.
        let run = move || -> std::io::Result<std::process::Output> {
            let mut child = command.spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                std::io::Write::write_all(&mut stdin, input.as_bytes())?;
            }
            child.wait_with_output()
        };
        let done = tokio::task::spawn_blocking(run).await?.map_err(|error| failed(&error))?;
        if !done.status.success() {
            return Err(failed(&String::from_utf8_lossy(&done.stderr).trim()));
        }
        let answer: Value = serde_json::from_slice(&done.stdout).map_err(|error| failed(&error))?;
        let seconds = |key: &str| {
            let told = answer.get(key).and_then(Value::as_f64).ok_or_else(|| failed(&"it did not tell the time"));
            told.map(Duration::from_secs_f64)
        };
        Ok(Took { elapsed: seconds("seconds")?, processor: seconds("processor_seconds")? })
    }
}

/// One run.
struct Bench<'a> {
    engine: Engine,
    subject: &'a Subject,
    scratch: &'a Scratch,
    amount: Amount,
    meter: &'a Meter,
}

impl Bench<'_> {
    async fn rows(&self, only: &[Part]) -> Result<Vec<Row>> {
        let wants = |part| only.is_empty() || only.contains(&part);
        let mut rows = Vec::new();
        if wants(Part::Flush) {
            rows.push(self.flush().await?);
        }
        if wants(Part::Warm) {
            rows.extend(self.warm().await?);
        }
        if wants(Part::Cold) {
            let endpoint = self.subject.options.endpoint.as_deref();
            if let Some(line) = DelayLine::start(endpoint, self.amount.latency).await? {
                rows.extend(self.cold(&line).await?);
            }
        }
        Ok(rows)
    }

    async fn flush(&self) -> Result<Row> {
        let title = format!("flush {}", quantity::bytes(self.amount.table));
        self.meter.row(&title);
        let (home, prefix) = (|pair| self.scratch.path(&format!("flush-{pair}")), |pair| format!("flush-{pair}-"));
        let ours = async |pair| {
            let elapsed = self.fill(&home(pair), &prefix(pair), self.amount.table, false).await?.elapsed;
            let size = local_size(&home(pair)).await?;
            Ok(mib(size, elapsed))
        };
        let peer = async |pair| {
            let name = self.subject.name(format_args!("bare-{pair}"));
            let path = home(pair).join(OBJECT);
            let data = tokio::fs::read(&path).await.map_err(|error| Failure::local("read", &path, &error))?;
            let (size, data) = (data.len() as u64, Bytes::from(data));
            let watch = Stopwatch::start();
            self.subject.bare.put(&name, data).await?;
            let work = mib(size, watch.elapsed());
            self.subject.bare.delete(&name).await?;
            self.subject.files.remove(&self.subject.name(format_args!("{}{OBJECT}", prefix(pair)))).await?;
            // It is large; what comes next may need the room.
            let _ = tokio::fs::remove_dir_all(home(pair)).await;
            Ok(work)
        };
        let pairs = Pairs::run(self.plan(false), self.meter, ours, peer).await?;
        let goal = Goal::Ratio(FLUSH_GOAL);
        Ok(Row::compared(title, self.subject.label, Unit::MibPerSecond, &pairs, "object_store", goal))
    }

    async fn warm(&self) -> Result<Vec<Row>> {
        let title = format!("scan {} in the local cache", quantity::bytes(self.amount.table));
        self.meter.row(&title);
        let (home, table) = (self.scratch.path("warm"), self.amount.table);
        self.fill(&home, "warm-", table, true).await?;
        self.forget(&home, false).await?;
        let processor = [RefCell::new(Vec::new()), RefCell::new(Vec::new())];
        let [ours, peer] = &processor;
        let scan = async |what: &str, used: Option<&RefCell<Vec<Work>>>| {
            let step = self.step(what, &home, "warm-", table, &self.subject.options, "");
            let took = self.engine.step(&step).await?;
            if let Some(used) = used {
                used.borrow_mut().push(mib(table, took.processor));
            }
            Ok(mib(table, took.elapsed))
        };
        // Whatever did not enter the cache as it was flushed does now.
        scan("table:tiered", None).await?;
        let pairs = Pairs::run(
            self.plan(true),
            self.meter,
            async |number| scan("table:tiered", (number > 0).then_some(ours)).await,
            async |number| scan("table:plain", (number > 0).then_some(peer)).await,
        )
        .await?;
        let _ = tokio::fs::remove_dir_all(&home).await;
        let [ours, peer] = processor.map(RefCell::into_inner);
        let (place, goal) = (self.subject.label, Goal::Ratio(WARM_GOAL));
        let used = format!("{title}, per second of the processor");
        Ok(vec![
            Row::compared(title, place, Unit::MibPerSecond, &pairs, "never tiered", goal),
            Row::compared(used, place, Unit::MibPerSecond, &Pairs::of(&ours, &peer), "never tiered", Goal::None),
        ])
    }

    async fn cold(&self, line: &DelayLine) -> Result<Vec<Row>> {
        let (home, far) = (self.scratch.path("cold"), self.amount.far);
        let mut options = self.subject.options.clone();
        options.endpoint = Some(line.endpoint().to_owned());
        self.fill(&home, "cold-", far, false).await?;
        let size = local_size(&home).await?;
        let behind = format!("cold scan of {} behind {} ms", quantity::bytes(far), self.amount.latency.as_millis());
        let scan = async |load: &str| {
            self.forget(&home, true).await?;
            let step = self.step("table:tiered", &home, "cold-", far, &options, load);
            Ok(mib(size, self.engine.step(&step).await?.elapsed))
        };
        let title = format!("{behind}, read-ahead");
        self.meter.row(&title);
        let ours = async |_| scan("").await;
        let pairs =
            Pairs::run(self.plan(false), self.meter, ours, async |_| scan("cache=(read_ahead=0)").await).await?;
        let place = self.subject.label;
        let goal = Goal::Ratio(AHEAD_GOAL);
        let ahead = Row::compared(title, place, Unit::MibPerSecond, &pairs, "no read-ahead", goal);

        let title = format!("{behind}, against a download");
        self.meter.row(&title);
        let bare = Bare::open(&options).await?;
        let name = self.subject.name(format_args!("cold-{OBJECT}"));
        let download = async |_| {
            let watch = Stopwatch::start();
            let data = bare.get_parts(&name).await?;
            Ok(mib(data.len() as u64, watch.elapsed()))
        };
        let pairs = Pairs::run(self.plan(false), self.meter, ours, download).await?;
        let goal = Goal::Ratio(DOWNLOAD_GOAL);
        let whole = Row::compared(title, place, Unit::MibPerSecond, &pairs, "object_store", goal);
        Ok(vec![ahead, whole])
    }

    fn plan(&self, warm_up: bool) -> Plan {
        Plan { least: self.amount.pairs, most: self.amount.pairs, budget: Duration::ZERO, warm_up }
    }

    /// Makes a database with a table of `size` bytes, and returns what flushing it took.
    async fn fill(&self, home: &Path, prefix: &str, size: u64, plain: bool) -> Result<Took> {
        let mut step = self.step("fill", home, prefix, size, &self.subject.options, "");
        if let Some(step) = step.as_object_mut() {
            step.insert("plain".to_owned(), plain.into());
        }
        self.engine.step(&step).await
    }

    /// Forgets the local copy of the flushed object, and with `all` the cache.
    async fn forget(&self, home: &Path, all: bool) -> Result<()> {
        let path = home.join(OBJECT);
        match tokio::fs::remove_file(&path).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::local("remove", &path, &error));
            }
            _ => {}
        }
        if all {
            // There is none yet the first time.
            let _ = tokio::fs::remove_dir_all(home.join("cache")).await;
        }
        Ok(())
    }

    /// A step for the script.
    fn step(&self, what: &str, home: &Path, prefix: &str, size: u64, options: &BucketOptions, load: &str) -> Value {
        // In quotes, because WiredTiger parses the text before the extension does.
        let mut settings = vec![load.to_owned()];
        let texts = [("endpoint", &options.endpoint), ("region", &options.region)];
        settings.extend(texts.iter().filter_map(|(key, text)| text.as_ref().map(|text| format!("{key}=\"{text}\""))));
        settings.extend(options.path_style.map(|path_style| format!("path_style={path_style}")));
        settings.retain(|setting| !setting.is_empty());
        json!({
            "what": what,
            "home": home,
            "extension": self.engine.extension,
            "load": settings.join(","),
            "rows": size / VALUE_BYTES,
            "value_bytes": VALUE_BYTES,
            "tiered": {
                "name": options.provider.as_str(),
                "bucket": options.bucket,
                "bucket_prefix": format!("{}{}", options.prefix, self.subject.name(prefix)),
                "auth_token": options.auth_token.expose(),
            },
        })
    }
}

fn mib(size: u64, elapsed: Duration) -> Work {
    Work { amount: size as f64 / f64::from(1 << 20), elapsed }
}

/// Bytes of the object that was flushed.
async fn local_size(home: &Path) -> Result<u64> {
    let path = home.join(OBJECT);
    let meta = tokio::fs::metadata(&path).await.map_err(|error| Failure::local("look at", &path, &error))?;
    Ok(meta.len())
}
