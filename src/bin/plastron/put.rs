//! `plastron put`: store files and directories.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use plastron::{ErrorKind, FileSystem, ObjectInfo};
use serde_json::json;

use crate::context::{Access, Context, Stopwatch};
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::quantity::{self, printable};
use crate::records::FileRecord;
use crate::same::same;
use crate::standard_input;
use crate::tally::Tally;
use crate::upload_budget::UploadBudget;
use crate::walk::{Found, Skipped, walk};

const AFTER_HELP: &str = "\
A directory's files are named by their path relative to it. Symbolic links inside it are not followed; they, special files and
empty directories are left out and said so. Nothing is ever overwritten: an existing name is an error (exit code 4), unless
--skip-existing finds the same bytes there, by size and CRC32C.

With --json each file is one line: name, size, etag, created, status (stored, already_there), path; the last line is a summary.

Examples:
  plastron put table.wt
  plastron put table.wt --as db1/table-000001.wt
  plastron put data/ --prefix backup/2026-01-01/
  plastron put data/ --prefix backup/2026-01-01/ --skip-existing    # go on where it was interrupted
  tar c . | plastron put - --as archive.tar";

/// Options of `put`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Put {
    /// Files and directories to store; - is standard input
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,

    /// Name of the object, for a single file [default: the file's own name]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,

    /// Put in front of every name, as it stands
    #[arg(long, value_name = "P", default_value = "", hide_default_value = true)]
    prefix: String,

    /// Take an existing object with the same content for stored already
    #[arg(long)]
    skip_existing: bool,

    /// Files stored at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
}

/// What there is to do.
struct Plan {
    files: Vec<Found>,
    skipped: Vec<Skipped>,
}

impl Put {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        if self.paths.iter().any(|path| path == Path::new("-")) {
            return self.run_standard_input(context).await;
        }
        let options = context.options_for_one_pass()?;
        let budget = UploadBudget::new(&options.bucket);
        let (paths, name, prefix) = (self.paths, self.name, self.prefix);
        let plan = tokio::task::spawn_blocking(move || plan(&paths, name.as_deref(), &prefix)).await??;
        let store = context.open_with(options).await?;
        let files = store.file_system().clone();
        let output = &context.output;
        let mut tally = Tally::new(plan.files.len() + plan.skipped.iter().filter(|skip| !skip.is_harmless()).count());
        for skip in &plan.skipped {
            let what = printable(&skip.path.to_string_lossy()).into_owned();
            if skip.is_harmless() {
                output.note(&format!("left out: {what} ({})", skip.reason));
            } else {
                tally.failed(output, Failure::usage(format!("cannot store {what}: {}", skip.reason)))?;
            }
        }

        let watch = Stopwatch::start();
        let total = plan.files.iter().map(|file| file.size).sum();
        let counted = store.clone();
        let progress = Progress::start(output, "storing", total, Arc::new(move || counted.stats().bucket.bytes_up()));
        let (mut stored, mut bytes, mut there) = (0_u64, 0_u64, 0_u64);
        let skip_existing = self.skip_existing;
        let start = |file: Found| {
            let (files, budget) = (files.clone(), budget.clone());
            async move { (store_one(&files, &budget, &file, skip_existing).await, file) }
        };
        context
            .jobs
            .each(plan.files, self.jobs.into(), start, async |(result, file): (Result<(ObjectInfo, bool)>, Found)| {
                match result {
                    Ok((info, new)) => {
                        let status = if new { "stored" } else { "already_there" };
                        if new {
                            stored += 1;
                            bytes += info.size;
                        } else {
                            there += 1;
                        }
                        let record = FileRecord::new(&info).status(status).path(&file.path);
                        output.result(&record, || line(status, &info)).await
                    }
                    Err(failure) => tally.failed(output, failure),
                }
            })
            .await?;
        drop(progress);

        let elapsed = watch.elapsed();
        let left_out = plan.skipped.iter().filter(|skip| skip.is_harmless()).count();
        let summary = json!({ "summary": {
            "stored": stored, "bytes": bytes, "already_there": there, "left_out": left_out, "failed": tally.count(),
            "seconds": elapsed.as_secs_f64(),
        }});
        output
            .result(&summary, || {
                let mut text = format!("{stored} stored, {}", quantity::bytes(bytes));
                text += &format!(
                    " in {:.1} s ({:.1} MiB/s)",
                    elapsed.as_secs_f64(),
                    quantity::mib_per_second(bytes, elapsed)
                );
                for (count, what) in [(there, "already there"), (left_out as u64, "left out")] {
                    if count > 0 {
                        text += &format!("; {count} {what}");
                    }
                }
                text + "\n"
            })
            .await?;
        tally.finish("stored")
    }

    async fn run_standard_input(self, context: &Context) -> Result<()> {
        let ([_], Some(name)) = (self.paths.as_slice(), self.name) else {
            return Err(Failure::usage("standard input (-) is stored alone, and needs a name: put - --as NAME"));
        };
        if self.skip_existing {
            return Err(Failure::usage("--skip-existing needs a file to compare with, not standard input"));
        }
        let store = context.open(Access::Write).await?;
        let mut writer = store.file_system().create(&format!("{}{name}", self.prefix)).await?;
        let mut pieces = standard_input::pieces();
        while let Some(piece) = pieces.recv().await {
            writer.write(piece?).await?;
        }
        let info = writer.close().await?;
        context.output.result(&FileRecord::new(&info).status("stored"), || line("stored", &info)).await
    }
}

fn line(status: &str, info: &ObjectInfo) -> String {
    let status = if status == "already_there" { "already there" } else { status };
    format!("{status} {} ({})\n", printable(&info.name), quantity::bytes(info.size))
}

/// Finds everything before anything is stored: no surprise in the middle, and a total for the progress bar. Blocking.
fn plan(paths: &[PathBuf], name: Option<&str>, prefix: &str) -> Result<Plan> {
    let mut plan = Plan { files: Vec::new(), skipped: Vec::new() };
    if name.is_some() && paths.len() > 1 {
        return Err(Failure::usage("--as names a single file; use --prefix for several"));
    }
    for path in paths {
        // An argument may well be a link: whoever names it means what it points to.
        let metadata = std::fs::metadata(path).map_err(|error| Failure::local("read", path, &error))?;
        if metadata.is_dir() {
            if name.is_some() {
                return Err(Failure::usage(format!(
                    "--as names a single file; {} is a directory: use --prefix",
                    path.display()
                )));
            }
            let found = walk(path, &[])?;
            plan.files.extend(found.files);
            plan.skipped.extend(found.skipped);
        } else if metadata.is_file() {
            let own = path.file_name().and_then(|name| name.to_str());
            let name = name.or(own).ok_or_else(|| {
                Failure::usage(format!("the name of {} is not UTF-8: give one with --as", path.display()))
            })?;
            plan.files.push(Found { path: path.clone(), name: name.to_owned(), size: metadata.len() });
        } else {
            return Err(Failure::usage(format!("{} is neither a file nor a directory", path.display())));
        }
    }
    for file in &mut plan.files {
        file.name.insert_str(0, prefix);
    }
    let mut names = HashSet::new();
    if let Some(twice) = plan.files.iter().find(|file| !names.insert(file.name.as_str())) {
        let (name, path) = (printable(&twice.name), twice.path.display());
        return Err(Failure::usage(format!("two files would become {name}; the second is {path}. Nothing was stored")));
    }
    Ok(plan)
}

/// Stores one file; false if it is there already.
async fn store_one(
    files: &FileSystem,
    budget: &UploadBudget,
    file: &Found,
    skip_existing: bool,
) -> Result<(ObjectInfo, bool)> {
    if skip_existing && let Some(info) = already_there(files, file).await? {
        return Ok((info, false));
    }
    let _room = budget.take(file.size).await?;
    match files.put_file(&file.name, &file.path).await {
        Ok(info) => Ok((info, true)),
        // Somebody else was faster: it may still be the same bytes.
        Err(error) if skip_existing && error.kind() == ErrorKind::AlreadyExists => {
            already_there(files, file).await?.map(|info| (info, false)).ok_or_else(|| error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The object of the file's name if it has the file's content, none if there is no such object.
async fn already_there(files: &FileSystem, file: &Found) -> Result<Option<ObjectInfo>> {
    let info = match files.stat(&file.name).await {
        Ok(info) => info,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if same(files, &info, &file.path).await? {
        return Ok(Some(info));
    }
    let (name, path) = (printable(&file.name), file.path.display());
    Err(Failure::of_kind(
        ErrorKind::AlreadyExists,
        format!("{name} exists with other content than {path}; nothing was changed"),
    ))
}
