//! `plastron get`: fetch one object, or all under a prefix.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use futures::{StreamExt, TryStreamExt};
use plastron::{FileHandle, FileSystem, ListedObject};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::context::{Access, Context, Stopwatch};
use crate::destination::{Arrival, make_parents, path_below};
use crate::failure::{Failure, Result};
use crate::pieces::Pieces;
use crate::progress::Progress;
use crate::quantity::{self, printable};
use crate::records::FileRecord;
use crate::same::same;
use crate::tally::Tally;

const USAGE: &str = "plastron get [OPTIONS] NAME DEST\n       plastron get [OPTIONS] --prefix P DIR";

const AFTER_HELP: &str = "\
DEST is a file, or an existing directory (then the file is called like the last part of NAME). With --prefix, the object
P/a/b becomes DIR/a/b: the part of P up to its last / is cut off. A file appears under its name only when it is complete and
checked; a name from the bucket can never lead outside DIR (exit code 2), not even through a symbolic link in it.

With --json each file is one line: name, size, etag, created, status (fetched, already_there), path; the last line of
get --prefix is a summary.

Examples:
  plastron get db1/table-000001.wt table.wt
  plastron get db1/table-000001.wt . --force
  plastron get --prefix backup/2026-01-01/ restored/
  plastron get --prefix backup/2026-01-01/ restored/ --skip-existing    # go on where it was interrupted";

/// Options of `get`.
#[derive(Debug, Args)]
#[command(override_usage = USAGE, after_help = AFTER_HELP)]
pub(crate) struct Get {
    /// The object's name, then the file or directory to write; with --prefix the directory only
    #[arg(required = true, num_args = 1..=2, value_names = ["NAME", "DEST"])]
    operands: Vec<PathBuf>,

    /// Fetch every object whose name begins with P
    #[arg(long, value_name = "P")]
    prefix: Option<String>,

    /// Overwrite local files
    #[arg(long, short)]
    force: bool,

    /// Leave local files alone that have the object's content already
    #[arg(long)]
    skip_existing: bool,

    /// Files fetched at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
}

/// What every file of one run shares.
#[derive(Debug, Clone)]
struct Fetcher {
    files: FileSystem,
    memory: Arc<Semaphore>,
    /// Bytes written to local files so far.
    moved: Arc<AtomicU64>,
    force: bool,
    skip_existing: bool,
}

impl Get {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let mut operands = self.operands.iter();
        match (&self.prefix, operands.next(), operands.next()) {
            (Some(prefix), Some(directory), None) => self.run_prefix(context, prefix, directory).await,
            (None, Some(name), Some(destination)) => {
                let name = name.to_str().ok_or_else(|| Failure::usage("object names are UTF-8"))?;
                self.run_one(context, name, destination).await
            }
            _ => Err(Failure::usage("give NAME and DEST, or --prefix P and a directory (see plastron get --help)")),
        }
    }

    fn fetcher(&self, files: &FileSystem) -> Fetcher {
        let memory = Arc::new(Semaphore::new(Pieces::IN_FLIGHT));
        Fetcher {
            files: files.clone(),
            memory,
            moved: Arc::default(),
            force: self.force,
            skip_existing: self.skip_existing,
        }
    }

    async fn run_one(&self, context: &Context, name: &str, destination: &Path) -> Result<()> {
        let as_directory = destination.as_os_str().to_string_lossy().ends_with('/');
        let path = if as_directory || tokio::fs::metadata(destination).await.is_ok_and(|metadata| metadata.is_dir()) {
            path_below(destination, name.rsplit('/').next().unwrap_or(name))?
        } else {
            destination.to_owned()
        };
        let store = context.open(Access::Read).await?;
        let fetcher = self.fetcher(store.file_system());
        let object = store.file_system().open_file(name).await?;
        let info = object.info().clone();
        let progress = Progress::start(&context.output, "fetching", info.size, fetcher.watch());
        let status = fetcher.fetch(object, &path).await?;
        drop(progress);
        let record = FileRecord::new(&info).status(status).path(&path);
        context.output.result(&record, || line(status, name, info.size, &path)).await
    }

    async fn run_prefix(&self, context: &Context, prefix: &str, directory: &Path) -> Result<()> {
        let output = &context.output;
        let store = context.open(Access::Read).await?;
        let files = store.file_system().clone();
        let entries: Vec<ListedObject> = files.list(prefix).try_collect().await?;
        if entries.is_empty() {
            let message = format!("no object's name begins with {}", printable(prefix));
            return Err(Failure::of_kind(plastron::ErrorKind::NotFound, message));
        }
        let root = directory.to_owned();
        let make =
            move || std::fs::create_dir_all(&root).map_err(|error| Failure::local("make directory", &root, &error));
        tokio::task::spawn_blocking(make).await??;

        // Names lose whole directories only: with --prefix a/b the object a/bc becomes bc, not c.
        let cut = prefix.rfind('/').map_or(0, |slash| slash + 1);
        let total = entries.iter().map(|entry| entry.size).sum();
        let watch = Stopwatch::start();
        let mut tally = Tally::new(entries.len());
        let fetcher = self.fetcher(&files);
        let progress = Progress::start(output, "fetching", total, fetcher.watch());
        let (mut fetched, mut bytes, mut there) = (0_u64, 0_u64, 0_u64);
        let start = |entry: ListedObject| {
            let (fetcher, directory) = (fetcher.clone(), directory.to_owned());
            async move { (fetcher.fetch_below(&entry.name, &directory, cut).await, entry) }
        };
        context
            .jobs
            .each(
                entries,
                self.jobs.into(),
                start,
                async |(result, entry): (Result<(&'static str, PathBuf)>, ListedObject)| match result {
                    Ok((status, path)) => {
                        if status == FETCHED {
                            fetched += 1;
                            bytes += entry.size;
                        } else {
                            there += 1;
                        }
                        let record = FileRecord::listed(&entry).status(status).path(&path);
                        output.result(&record, || line(status, &entry.name, entry.size, &path)).await
                    }
                    Err(failure) => tally.failed(output, failure),
                },
            )
            .await?;
        drop(progress);

        let elapsed = watch.elapsed();
        let summary = json!({ "summary": {
            "fetched": fetched, "bytes": bytes, "already_there": there, "failed": tally.count(), "seconds": elapsed.as_secs_f64(),
        }});
        output
            .result(&summary, || {
                let mut text = format!("{fetched} fetched, {}", quantity::bytes(bytes));
                text += &format!(
                    " in {:.1} s ({:.1} MiB/s)",
                    elapsed.as_secs_f64(),
                    quantity::mib_per_second(bytes, elapsed)
                );
                if there > 0 {
                    text += &format!("; {there} already there");
                }
                text + "\n"
            })
            .await?;
        tally.finish("fetched")
    }
}

const FETCHED: &str = "fetched";
const ALREADY_THERE: &str = "already_there";

fn line(status: &str, name: &str, size: u64, path: &Path) -> String {
    let status = if status == ALREADY_THERE { "already there" } else { status };
    let path = path.to_string_lossy();
    format!("{status} {} → {} ({})\n", printable(name), printable(&path), quantity::bytes(size))
}

impl Fetcher {
    /// For a progress bar.
    fn watch(&self) -> Arc<dyn Fn() -> u64 + Send + Sync> {
        let moved = Arc::clone(&self.moved);
        Arc::new(move || moved.load(Ordering::Relaxed))
    }

    /// Fetches an object of a listing to its place below `directory`.
    async fn fetch_below(&self, name: &str, directory: &Path, cut: usize) -> Result<(&'static str, PathBuf)> {
        let path = path_below(directory, name.get(cut..).unwrap_or_default())?;
        let (root, below) = (directory.to_owned(), path.clone());
        tokio::task::spawn_blocking(move || make_parents(&root, &below)).await??;
        let object = self.files.open_file(name).await?;
        Ok((self.fetch(object, &path).await?, path))
    }

    /// Fetches an object to a path; what became of it.
    async fn fetch(&self, object: FileHandle, path: &Path) -> Result<&'static str> {
        if self.skip_existing
            && tokio::fs::symlink_metadata(path).await.is_ok_and(|metadata| metadata.is_file())
            && same(&self.files, object.info(), path).await?
        {
            return Ok(ALREADY_THERE);
        }
        let (destination, force) = (path.to_owned(), self.force);
        let mut arrival = tokio::task::spawn_blocking(move || Arrival::start(&destination, force)).await??;
        let size = object.size();
        let mut pieces = Pieces::of(object, 0..size, self.memory.clone()).stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            let length = piece.as_ref().len() as u64;
            arrival = tokio::task::spawn_blocking(move || arrival.write(piece.as_ref()).map(|()| arrival)).await??;
            self.moved.fetch_add(length, Ordering::Relaxed);
        }
        tokio::task::spawn_blocking(move || arrival.finish()).await??;
        Ok(FETCHED)
    }
}
