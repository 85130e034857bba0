//! The demo's three phases, each measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt;
use plastron::clock::{Entropy, SystemEntropy};
use plastron::{BucketOptions, CacheOptions, FileSystem, Provider, Store, StoreOptions};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::files_report::{Phase, Report, s3_usd};
use super::input::Input;
use crate::context::{Context, Stopwatch};
use crate::failure::{Failure, Result};
use crate::pieces::Pieces;
use crate::progress::Progress;
use crate::same::LocalFile;
use crate::upload_budget::UploadBudget;
use crate::walk::Found;

/// A demo that is ready to run.
#[derive(Debug)]
pub(crate) struct Files {
    input: Input,
    store: Store,
    cache: CacheOptions,
    prefix: String,
    scratch: TempDir,
    jobs: usize,
}

impl Files {
    /// Opens the store that was named, or makes a bucket of the demo's own; the cache is the demo's own in any case.
    pub(crate) async fn prepare(context: &Context, input: Input, jobs: usize) -> Result<Self> {
        let make = || tempfile::Builder::new().prefix("plastron-demo-").tempdir();
        let scratch = tokio::task::spawn_blocking(make)
            .await?
            .map_err(|error| Failure::local("make a directory in", &std::env::temp_dir(), &error))?;
        let (mut options, prefix) = if context.has_store() {
            (context.options()?, format!("plastron-demo-{:016x}/", SystemEntropy::default().next_u64()))
        } else {
            let bucket = scratch.path().join("bucket");
            tokio::fs::create_dir(&bucket).await.map_err(|error| Failure::local("make directory", &bucket, &error))?;
            let bucket = bucket
                .to_str()
                .ok_or_else(|| Failure::usage("the directory for temporary files (TMPDIR) must be UTF-8"))?;
            (StoreOptions::new(BucketOptions::new(Provider::Dir, bucket)), String::new())
        };
        // Dropping a cache and reading warm makes no sense without one.
        let mut cache = options.cache.take().unwrap_or_default();
        cache.directory = Some(scratch.path().join("cache-while-storing"));
        options.cache = Some(cache.clone());
        let store = context.open_with(options).await?;
        Ok(Self { input, store, cache, prefix, scratch, jobs })
    }

    /// Stores, drops the cache, reads cold, reads warm.
    pub(crate) async fn run(&self, context: &Context) -> Result<Report> {
        let mut different = Vec::new();
        let mut phases = vec![self.phase("store", context, self.store.file_system(), &mut different).await?];
        // The cache is dropped whole: another one, in another directory, knows nothing of what was just written.
        let mut options = self.cache.clone();
        options.directory = Some(self.scratch.path().join("cache-while-reading"));
        let cache = Store::open_cache(options).await?;
        let files = FileSystem::from_parts(self.store.bucket().clone(), Some(cache));
        context.report_on(&files);
        for name in ["read cold", "read warm"] {
            phases.push(self.phase(name, context, &files, &mut different).await?);
        }
        Ok(Report {
            input: self.input.directory.to_string_lossy().into_owned(),
            store: self.store.bucket().address().to_owned(),
            left_out: self.input.walk.skipped.clone(),
            phases,
            different,
        })
    }

    /// One pass over all files: storing them, or reading and comparing them.
    async fn phase(
        &self,
        name: &'static str,
        context: &Context,
        files: &FileSystem,
        different: &mut Vec<(String, &'static str)>,
    ) -> Result<Phase> {
        let storing = name == "store";
        let before = files.stats();
        let watch = Stopwatch::start();
        let (counted, read) = (files.clone(), Arc::new(AtomicU64::new(0)));
        let seen = Arc::clone(&read);
        let moved = move || if storing { counted.stats().bucket.bytes_up() } else { seen.load(Ordering::Relaxed) };
        let progress = Progress::start(&context.output, name, self.input.walk.bytes(), Arc::new(moved));
        let memory = Arc::new(Semaphore::new(Pieces::IN_FLIGHT));
        let budget = UploadBudget::new(self.store.bucket().options());
        let start = |file: Found| {
            let (files, memory, read, budget) = (files.clone(), memory.clone(), read.clone(), budget.clone());
            let object = format!("{}{}", self.prefix, file.name);
            async move {
                if storing {
                    let _room = budget.take(file.size).await?;
                    files.put_file(&object, &file.path).await.map(|info| (file, info.size, true)).map_err(Failure::from)
                } else {
                    let (bytes, same) = compare(&files, &object, &file, memory, &read).await?;
                    Ok((file, bytes, same))
                }
            }
        };
        let (mut count, mut bytes) = (0, 0);
        context
            .jobs
            .each(self.input.walk.files.iter().cloned(), self.jobs, start, async |done: Result<(Found, u64, bool)>| {
                let (file, size, same) = done?;
                count += 1;
                bytes += size;
                if !same {
                    different.push((file.name, name));
                }
                Ok(())
            })
            .await?;
        drop(progress);
        let elapsed = watch.elapsed();
        let after = files.stats();
        Ok(Phase {
            name,
            files: count,
            bytes,
            elapsed,
            requests: after.bucket.requests_total().saturating_sub(before.bucket.requests_total()),
            s3_usd: s3_usd(Some(&before.bucket), &after.bucket),
            hit_ratio: if storing { None } else { after.hit_ratio_since(&before) },
        })
    }

    /// Removes what was stored, as far as it was; the directories go by themselves.
    pub(crate) async fn clear(&self) -> Result<()> {
        if self.prefix.is_empty() {
            return Ok(());
        }
        let files = self.store.file_system();
        let mut entries = files.list(&self.prefix);
        while let Some(entry) = entries.next().await {
            files.remove(&entry?.name).await?;
        }
        Ok(())
    }
}

/// Reads an object whole and compares it with its original: the bytes read, and whether they are the same.
async fn compare(
    files: &FileSystem,
    name: &str,
    original: &Found,
    memory: Arc<Semaphore>,
    read: &AtomicU64,
) -> Result<(u64, bool)> {
    let object = files.open_file(name).await?;
    let size = object.size();
    let mut local = LocalFile::open(original.path.clone()).await?;
    let mut same = true;
    let mut pieces = Pieces::of(object, 0..size, memory).stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        let expected = local.next(piece.as_ref().len()).await?;
        same &= expected == piece.as_ref();
        read.fetch_add(piece.as_ref().len() as u64, Ordering::Relaxed);
    }
    // Not one byte more in the original, either.
    same &= local.next(1).await?.is_empty();
    Ok((size, same))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::exit::Exit;
    use crate::output::Output;

    #[tokio::test]
    async fn a_single_other_byte_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["same", "other", "longer", "shorter", "empty"] {
            fs::write(path(name), if name == "empty" { vec![] } else { vec![7; 100_000] }).unwrap();
        }
        let context = Context::new(Output::new(true, true), Some("source=memory_store,bucket=b".into()), false);
        let input = Input::find(Some(directory.path().to_owned()), false).unwrap();
        let play = Files::prepare(&context, input, 2).await.unwrap();
        let files = play.store.file_system().clone();
        let mut different = Vec::new();
        play.phase("store", &context, &files, &mut different).await.unwrap();
        play.phase("read cold", &context, &files, &mut different).await.unwrap();
        assert!(different.is_empty(), "{different:?}");

        let mut changed = vec![7; 100_000];
        changed[99_999] = 8;
        fs::write(path("other"), changed).unwrap();
        fs::write(path("longer"), vec![7; 100_001]).unwrap();
        fs::write(path("shorter"), vec![7; 99_999]).unwrap();
        let phase = play.phase("read warm", &context, &files, &mut different).await.unwrap();
        different.sort();
        let names: Vec<&str> = different.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["longer", "other", "shorter"]);
        let (input, store) = ("in".to_owned(), "b".to_owned());
        let report = Report { input, store, left_out: Vec::new(), phases: vec![phase], different };
        assert_eq!(report.verdict().unwrap_err().exit(), Exit::Corrupt);
        assert!(report.text().contains("DIFFERENT (read warm): other"), "{}", report.text());
        assert_eq!(report.record()["identical"], false);
        play.clear().await.unwrap();
        assert!(files.list("").next().await.is_none(), "nothing is left in the store");
    }
}
