//! The keyserver side by side with `akd`, in one process and one run, and three replicas on etcd from end to end.
//!
//! Both publish the same names in the same batches, in turn; then both prove and verify the same lookups, in turn. Ours is the whole of what a replica does with a log
//! entry: decode it, check two signatures, derive the index, write entry, profile and name, and for each batch the tree, the head and its signature, all synced to
//! the database on disk. akd takes a name and a value, checks no signature, and keeps all in memory. Time is processor time of the whole process.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "that is what the program is for")]

mod answers;
mod cluster;
mod cpu;
mod ours;
mod parts;
mod peer;
mod rounds;

use std::process::ExitCode;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const HELP: &str = "\
Compares the keyserver with akd: both do the same work in turn, in this process, and what is printed are medians per second of processor time, and the ratios of
the pairs; above 1, the keyserver is faster.

Usage: cargo run --release -- [--names N] [--batch N] [--lookups N] [--cache-mib N] [--only PART]... [--scratch DIR] [--quick] [--json]
       cargo run --release -- --answers FILE

  --names N      names to publish [default: 100000]
  --batch N      names of one epoch [default: 1000]
  --lookups N    lookups of one round; there are nine [default: 500]
  --cache-mib N  memory of the database and of the tree, each [default: 64]
  --only PART    akd:     side by side
                 ours:    without akd, to see how much memory it takes
                 parts:   what single operations take
                 cluster: updates and lookups a second, and how long an epoch takes, with three replicas on etcd
  --scratch DIR  where databases are made, on a real disk for real numbers [default: TMPDIR]
  --quick        sizes so small that the numbers mean nothing: shows that everything works
  --json         one object, for programs
  --answers FILE only write what akd answers to random histories, for a test of the keyserver

Example: cargo run --release -- --names 100000 --only akd --json
";

struct Plan {
    names: usize,
    batch: usize,
    lookups: usize,
    cache_bytes: u64,
    only: Vec<String>,
    scratch: Option<std::path::PathBuf>,
    json: bool,
    answers: Option<std::path::PathBuf>,
}

impl Plan {
    fn wants(&self, part: &str) -> bool {
        self.only.iter().any(|only| only == part) || (self.only.is_empty() && part != "ours")
    }
}

fn plan() -> Result<Option<Plan>, String> {
    let mut plan = Plan {
        names: 100_000,
        batch: 1_000,
        lookups: 500,
        cache_bytes: 64 << 20,
        only: Vec::new(),
        scratch: None,
        json: false,
        answers: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let value = arguments.next().and_then(|value| value.parse::<usize>().ok());
            value.filter(|value| *value > 0).ok_or_else(|| format!("{argument} wants a number"))
        };
        match argument.as_str() {
            "--names" => plan.names = number()?,
            "--batch" => plan.batch = number()?,
            "--lookups" => plan.lookups = number()?,
            "--cache-mib" => plan.cache_bytes = (number()? as u64) << 20,
            "--quick" => (plan.names, plan.batch, plan.lookups) = (2_000, 200, 50),
            "--json" => plan.json = true,
            "--only" => plan.only.push(arguments.next().ok_or("--only wants a part")?),
            "--scratch" => plan.scratch = arguments.next().map(Into::into),
            "--answers" => plan.answers = Some(arguments.next().ok_or("--answers wants a file")?.into()),
            "--help" => return Ok(None),
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    if let Some(part) = plan.only.iter().find(|part| !["akd", "ours", "parts", "cluster"].contains(&part.as_str())) {
        return Err(format!("there is no part {part:?}"));
    }
    Ok(Some(plan))
}

fn main() -> ExitCode {
    let plan = match plan() {
        Ok(Some(plan)) => plan,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprint!("{why}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(&plan)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(plan: &Plan) -> Result<(), Failure> {
    if let Some(path) = &plan.answers {
        return answers::write(path).await;
    }
    let mut results = Vec::new();
    if plan.wants("parts") {
        results.extend(parts::run()?);
    }
    if plan.wants("akd") || plan.wants("ours") {
        results.extend(rounds::run(plan, plan.wants("akd")).await?);
    }
    if plan.wants("cluster") {
        results.extend(cluster::run(plan).await?);
    }
    if plan.json {
        let object: serde_json::Map<String, serde_json::Value> =
            results.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        println!("{}", serde_json::Value::from(object));
    } else {
        results.iter().for_each(|(name, value)| println!("{name:<44} {value:>14.3}"));
    }
    Ok(())
}
