//! The page log side by side with SlateDB, LMDB and SQLite, in one process and one run.
//!
//! It does the same work as `plastron bench page-log`, by the same files, which is why they are included by their paths: the peers must
//! not become dependencies of Plastron, nor what is measured an interface of it. `docs/performance.md` has results and says what they mean.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "that is what the program is for")]

mod bench;
mod context;
mod failure;
#[path = "../../../src/bin/plastron/table.rs"]
mod table;

use std::process::ExitCode;

const HELP: &str = "\
Compares the page log with SlateDB, LMDB and SQLite: each pair does the same work in turn, in this process, and what is printed are
medians, and the ratios of the pairs; above 1, Plastron is faster.

Usage: cargo run --release -- [--quick] [--json] [--only PART]... [--scratch DIR]

  --quick        sizes so small that the numbers mean nothing: shows that everything works
  --json         one object, for programs
  --only PART    local: ingest against SQLite, LMDB and SlateDB in a directory
                 far:   ingest against SlateDB, and bare upload, behind 30 ms of latency
                 cold:  gets with nothing in memory against SlateDB behind the same
                 warm:  gets from memory against SlateDB
  --scratch DIR  where files are made, on a real disk for real numbers [default: TMPDIR]
";

const PARTS: [&str; 4] = ["local", "far", "cold", "warm"];

fn main() -> ExitCode {
    let mut plan = bench::Plan::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), &mut arguments) {
            ("--quick", _) => plan.quick = true,
            ("--json", _) => plan.json = true,
            ("--only", rest) => plan.only.extend(rest.next()),
            ("--scratch", rest) => plan.scratch = rest.next().map(Into::into),
            ("--help", _) => {
                print!("{HELP}");
                return ExitCode::SUCCESS;
            }
            (other, _) => {
                eprint!("unknown argument {other:?}\n\n{HELP}");
                return ExitCode::from(2);
            }
        }
    }
    if let Some(part) = plan.only.iter().find(|part| !PARTS.contains(&part.as_str())) {
        eprint!("unknown part {part:?}\n\n{HELP}");
        return ExitCode::from(2);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(bench::run(plan)) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
