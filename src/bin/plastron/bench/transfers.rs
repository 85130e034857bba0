//! Objects in and out of a bucket, against `object_store` alone on the same bucket.
//!
//! Large objects travel one after another, each in parts, several at once; what is read is put together in memory, on both sides.
//! Small ones travel several at once. Both sides read the objects that Plastron stored.

use std::time::Duration;

use bytes::Bytes;
use plastron::Provider;

use super::bucket::Subject;
use super::content;
use super::meter::Meter;
use super::pairs::{Pairs, Work};
use super::row::{Goal, Row, Unit};
use super::sizes::Sizes;
use crate::context::Stopwatch;
use crate::failure::{Failure, Result};
use crate::jobs::Jobs;
use crate::quantity;

/// What Plastron hopes to keep of the bare client's speed.
const GOAL: f64 = 0.9;

/// Rows of one bucket.
pub(super) const ROWS: usize = 5;

/// Measures one bucket.
#[derive(Debug)]
pub(super) struct Transfers<'a> {
    /// The bucket.
    pub(super) subject: &'a Subject,
    /// The command's tasks.
    pub(super) jobs: &'a Jobs,
    /// How much.
    pub(super) sizes: &'a Sizes,
    /// Where to say how far it is.
    pub(super) meter: &'a Meter,
}

impl Transfers<'_> {
    /// All rows.
    pub(super) async fn rows(&self) -> Result<Vec<Row>> {
        let large = content::bytes(self.sizes.large, 1);
        let small = content::bytes(self.sizes.small, 2);
        let mut rows = vec![self.put_large(&large).await?, self.get_large(large).await?];
        rows.push(self.put_small(&small).await?);
        rows.extend(self.get_small(small).await?);
        Ok(rows)
    }

    fn row(&self, what: String, unit: Unit, pairs: &Pairs) -> Row {
        // Memory is no server: there the bare client hands out what it holds, and every check Plastron makes is seen.
        let goal = if self.subject.options.provider == Provider::Memory { Goal::None } else { Goal::Ratio(GOAL) };
        Row::compared(what, self.subject.label, unit, pairs, "object_store", goal)
    }

    fn title(&self, verb: &str, large: bool) -> String {
        let title = if large {
            format!("{verb} {}", quantity::bytes(self.sizes.large))
        } else {
            format!("{verb} {}, {} at once", quantity::bytes(self.sizes.small), self.sizes.small_at_once)
        };
        self.meter.row(&format!("{title} ({})", self.subject.label));
        title
    }

    fn mib(&self, elapsed: Duration) -> Work {
        Work { amount: self.sizes.large as f64 / f64::from(1 << 20), elapsed }
    }

    async fn put_large(&self, data: &Bytes) -> Result<Row> {
        let (subject, title) = (self.subject, self.title("put", true));
        let ours = async |pair| {
            let name = subject.name(format_args!("large-{pair}"));
            let elapsed = subject.put(&name, data.clone()).await?;
            subject.remove(self.jobs, vec![name]).await?;
            Ok(self.mib(elapsed))
        };
        let peer = async |pair| {
            let name = subject.name(format_args!("bare-large-{pair}"));
            let watch = Stopwatch::start();
            subject.bare.put(&name, data.clone()).await?;
            let elapsed = watch.elapsed();
            subject.remove_bare(self.jobs, vec![name]).await?;
            Ok(self.mib(elapsed))
        };
        let pairs = Pairs::run(self.sizes.plan, self.meter, ours, peer).await?;
        Ok(self.row(title, Unit::MibPerSecond, &pairs))
    }

    async fn get_large(&self, data: Bytes) -> Result<Row> {
        let (subject, title) = (self.subject, self.title("get", true));
        let name = subject.name("large");
        let copies = self.store(std::slice::from_ref(&name), &data).await?;
        let ours = async |_| {
            let watch = Stopwatch::start();
            let file = subject.files.open_file(&name).await?;
            let read = file.read(0..file.size()).await?;
            let work = self.mib(watch.elapsed());
            same(&read, &data).map(|()| work)
        };
        let peer = async |_| {
            let watch = Stopwatch::start();
            let read = subject.bare.get_parts(&name).await?;
            let work = self.mib(watch.elapsed());
            same(&read, &data).map(|()| work)
        };
        let pairs = Pairs::run(self.sizes.plan, self.meter, ours, peer).await?;
        subject.remove_bare(self.jobs, copies).await?;
        subject.remove(self.jobs, vec![name.clone()]).await?;
        Ok(self.row(title, Unit::MibPerSecond, &pairs))
    }

    async fn put_small(&self, data: &Bytes) -> Result<Row> {
        let (subject, title) = (self.subject, self.title("put", false));
        let ours = async |pair| {
            let names = self.names(format_args!("small-{pair}"));
            let put = |name: String| {
                let (files, data) = (subject.files.clone(), data.clone());
                async move { files.put(&name, data).await.map(drop).map_err(Failure::from) }
            };
            let work = self.each(&names, put).await?;
            subject.remove(self.jobs, names).await.map(|()| work)
        };
        let peer = async |pair| {
            let names = self.names(format_args!("bare-small-{pair}"));
            let put = |name: String| {
                let (bare, data) = (subject.bare.clone(), data.clone());
                async move { bare.put(&name, data).await }
            };
            let work = self.each(&names, put).await?;
            subject.remove_bare(self.jobs, names).await.map(|()| work)
        };
        let pairs = Pairs::run(self.sizes.plan, self.meter, ours, peer).await?;
        Ok(self.row(title, Unit::ObjectsPerSecond, &pairs))
    }

    async fn get_small(&self, data: Bytes) -> Result<[Row; 2]> {
        let subject = self.subject;
        let names = self.names("small");
        let copies = self.store(&names, &data).await?;
        let (files, bare) = (&subject.files, &subject.bare);

        let title = self.title("get", false);
        let ours = async |_| {
            let get = |name: String| {
                let (files, data) = (files.clone(), data.clone());
                async move { same(&files.get(&name).await?, &data) }
            };
            self.each(&names, get).await
        };
        let peer = async |_| {
            let get = |name: String| {
                let (bare, data) = (bare.clone(), data.clone());
                async move { same(&bare.get(&name).await?, &data) }
            };
            self.each(&names, get).await
        };
        let pairs = Pairs::run(self.sizes.plan, self.meter, ours, peer).await?;
        let whole = self.row(title, Unit::ObjectsPerSecond, &pairs);

        let title = self.title("open and read", false);
        let ours = async |_| {
            let get = |name: String| {
                let (files, data) = (files.clone(), data.clone());
                async move {
                    let file = files.open_file(&name).await?;
                    same(&file.read(0..file.size()).await?, &data)
                }
            };
            self.each(&names, get).await
        };
        let peer = async |_| {
            let get = |name: String| {
                let (bare, data) = (bare.clone(), data.clone());
                async move { same(&bare.head_and_get(&name).await?, &data) }
            };
            self.each(&names, get).await
        };
        let pairs = Pairs::run(self.sizes.plan, self.meter, ours, peer).await?;
        let opened = self.row(title, Unit::ObjectsPerSecond, &pairs);

        subject.remove_bare(self.jobs, copies).await?;
        subject.remove(self.jobs, names.clone()).await?;
        Ok([whole, opened])
    }

    fn names(&self, group: impl std::fmt::Display) -> Vec<String> {
        (0..self.sizes.small_objects).map(|n| self.subject.name(format_args!("{group}-{n}"))).collect()
    }

    /// Stores `data` under each of `names` for both sides to read, and returns those that the bare client needed of its own.
    async fn store(&self, names: &[String], data: &Bytes) -> Result<Vec<String>> {
        let subject = self.subject;
        let apart = subject.options.provider == Provider::Memory;
        for name in names {
            subject.put(name, data.clone()).await?;
            if apart {
                subject.bare.put(name, data.clone()).await?;
            }
        }
        Ok(if apart { names.to_vec() } else { Vec::new() })
    }

    /// Runs `work` for each of `names`, several at once, each as a task.
    async fn each<F>(&self, names: &[String], work: impl FnMut(String) -> F) -> Result<Work>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let watch = Stopwatch::start();
        self.jobs.each(names.iter().cloned(), self.sizes.small_at_once, work, async |done: Result<()>| done).await?;
        Ok(Work { amount: names.len() as f64, elapsed: watch.elapsed() })
    }
}

/// A benchmark that reads something else measures nothing.
fn same(read: &Bytes, expected: &Bytes) -> Result<()> {
    if read == expected { Ok(()) } else { Err(Failure::other("what was read is not what was stored")) }
}
