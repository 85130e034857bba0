//! What one process of the demo does: it reads an order a line from standard input, and answers each with a line of JSON.

use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use futures::stream::{self, StreamExt};
use plastron::checkpoint::{CheckpointInfo, CheckpointRequest, Follower, Leader};
use plastron::clock::{Clock, SystemClock};
use plastron::page_log::PutArgs;
use plastron::{ErrorKind, Store};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::unix::pipe::Receiver;

use super::manifest::{Loaded, METADATA_TABLE, Manifest, ROOT_PAGE};
use super::pages::{compare_file, put_file};
use crate::context::{Context, Stopwatch};
use crate::demo::files_report::s3_usd;
use crate::demo::input::Input;
use crate::failure::{Failure, Result};

/// Files compared at once.
const COMPARED_AT_ONCE: usize = 8;
/// Between two looks for a first checkpoint.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a process of the demo plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Takes over and does what it is told.
    Leader,
    /// Compares every checkpoint that it picks up with the files.
    Follower,
    /// Picks up a checkpoint, and compares it, when it is told to.
    Guest,
}

impl Role {
    /// Plays it until it is told to quit, or nobody tells it anything any more.
    pub(crate) async fn play(self, context: &Context, input: Input) -> Result<()> {
        let store = context.open_with(context.options()?).await?;
        let orders = BufReader::new(orders()?).lines();
        match self {
            Self::Leader => lead(context, &store, &input, orders).await,
            Self::Follower => follow(context, &store, &input, orders).await,
            Self::Guest => visit(context, &store, &input, orders).await,
        }
    }
}

/// Standard input, which is a pipe from the director.
fn orders() -> Result<Receiver> {
    use std::os::fd::AsFd;
    let pipe = std::io::stdin().as_fd().try_clone_to_owned().and_then(Receiver::from_owned_fd);
    pipe.map_err(|error| {
        Failure::usage(format!("a role is played by a process that plastron demo has started: {error}"))
    })
}

/// What the process has cost up to now.
fn cost(store: &Store) -> Value {
    let stats = store.stats().bucket;
    json!({ "requests": stats.requests_total(), "bytes_up": stats.bytes_up(), "s3_usd": s3_usd(None, &stats) })
}

async fn answer(context: &Context, store: &Store, mut answer: Value) -> Result<()> {
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("cost".to_owned(), cost(store));
    }
    context.output.bytes(Bytes::from(format!("{answer}\n"))).await
}

fn described(info: &CheckpointInfo) -> Value {
    json!({ "sequence": info.sequence, "epoch": info.epoch, "lsn": info.lsn.get(), "kek_lsn": info.kek_lsn.get() })
}

fn failure(error: &plastron::Error) -> Value {
    json!({ "error": { "kind": error.kind().as_str(), "message": error.to_string() } })
}

async fn lead(context: &Context, store: &Store, input: &Input, mut orders: Lines<BufReader<Receiver>>) -> Result<()> {
    let leader = store.leader().await?;
    let metadata = leader.completed().await.map(|info| info.metadata_lsn).unwrap_or_default();
    let mut manifest = Manifest::read(leader.log(), metadata).await?;
    let ready = json!({ "epoch": leader.epoch().await, "files": manifest.files.len() });
    answer(context, store, ready).await?;
    while let Some(order) = next(&mut orders).await? {
        let mut words = order.split(' ');
        let done = match words.next() {
            Some("load") => {
                let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
                let (from, to) = (number(), number());
                load(&leader, input, &mut manifest, from, to).await?
            }
            Some("rotate") => {
                leader.volume().keys.rotate().await.map_err(plastron::Error::from)?;
                json!({ "rotated": true })
            }
            Some("checkpoint") => match checkpoint(&leader, &manifest).await {
                Ok(done) => done,
                Err(error) if error.kind() == ErrorKind::Fenced || error.is_retryable() => failure(&error),
                Err(error) => return Err(error.into()),
            },
            Some("merge") => {
                leader.log().merge_indexes().await.map_err(plastron::Error::from)?;
                json!({ "merged": true })
            }
            Some("collect") => {
                let report = leader.collect(false).await.map_err(plastron::Error::from)?;
                json!({
                    "removed_objects": report.removed_objects,
                    "removed_bytes": report.removed_bytes,
                    "reached_objects": report.reached_objects,
                    "reached_bytes": report.reached_bytes,
                })
            }
            Some("quit") => break,
            _ => return Err(Failure::usage(format!("a demo knows no order '{order}'"))),
        };
        answer(context, store, done).await?;
    }
    leader.close().await.map_err(plastron::Error::from)?;
    answer(context, store, json!({ "ended": true })).await
}

/// Puts the files from `from` to below `to`.
async fn load(leader: &Leader, input: &Input, manifest: &mut Manifest, from: usize, to: usize) -> Result<Value> {
    let (mut pages, mut deltas, mut bytes) = (0, 0, 0);
    for (at, file) in input.walk.files.iter().enumerate().take(to).skip(from) {
        let table = at as u64 + 1;
        let put = put_file(leader.log(), table, file).await?;
        manifest.add(Loaded { table, name: file.name.clone(), size: put.bytes });
        pages += put.pages;
        deltas += put.deltas;
        bytes += put.bytes;
    }
    Ok(json!({ "pages": pages, "deltas": deltas, "bytes": bytes }))
}

async fn checkpoint(leader: &Leader, manifest: &Manifest) -> plastron::Result<Value> {
    let watch = Stopwatch::start();
    let page = manifest.page().unwrap_or_default();
    let root = leader.table(METADATA_TABLE)?.put(ROOT_PAGE, PutArgs::full(), page).await?;
    let (info, string) = leader.checkpoint(CheckpointRequest::new(root)).await?;
    let mut done = described(&info);
    if let Some(fields) = done.as_object_mut() {
        fields.insert("string".to_owned(), string.to_string().into());
        fields.insert("seconds".to_owned(), watch.elapsed().as_secs_f64().into());
        fields.insert("files".to_owned(), manifest.files.len().into());
    }
    Ok(done)
}

async fn follow(context: &Context, store: &Store, input: &Input, mut orders: Lines<BufReader<Receiver>>) -> Result<()> {
    let follower = loop {
        match store.follower().await {
            Ok(follower) => break follower,
            Err(error) if error.kind() == ErrorKind::NotFound => SystemClock.sleep(PATIENCE).await,
            Err(error) => return Err(error.into()),
        }
    };
    let mut news = follower.checkpoints();
    news.mark_changed();
    let mut seen = 0;
    loop {
        tokio::select! {
            biased;
            changed = news.changed() => {
                changed.map_err(|_| Failure::other("the follower has ended"))?;
                if let Some(fault) = follower.failure() {
                    return Err(plastron::Error::from(fault).into());
                }
                let info = news.borrow_and_update().clone();
                if info.lsn.get() != seen {
                    seen = info.lsn.get();
                    let compared = compare(&follower, &info, input).await?;
                    answer(context, store, compared).await?;
                }
            }
            order = orders.next_line() => match order {
                Ok(Some(order)) if order != "quit" => return Err(Failure::usage(format!("a follower knows no order '{order}'"))),
                _ => break,
            },
        }
    }
    follower.close().await;
    answer(context, store, json!({ "ended": true })).await
}

/// Compares the checkpoint that there is at first, and again when it is told to; says so if it cannot pick up another.
async fn visit(context: &Context, store: &Store, input: &Input, mut orders: Lines<BufReader<Receiver>>) -> Result<()> {
    let opened = Follower::open_still(store.volume().await?).await;
    let follower = match opened.map_err(plastron::Error::from) {
        Ok(follower) => follower,
        Err(error) => {
            answer(context, store, failure(&error)).await?;
            next(&mut orders).await?;
            return answer(context, store, json!({ "ended": true })).await;
        }
    };
    let compared = compare(&follower, &follower.checkpoint(), input).await?;
    answer(context, store, compared).await?;
    while let Some(order) = next(&mut orders).await? {
        let done = match order.as_str() {
            "advance" => match follower.advance().await.map_err(plastron::Error::from) {
                Ok(_) => compare(&follower, &follower.checkpoint(), input).await?,
                Err(error) => failure(&error),
            },
            "compare" => compare(&follower, &follower.checkpoint(), input).await?,
            "quit" => break,
            _ => return Err(Failure::usage(format!("a guest knows no order '{order}'"))),
        };
        answer(context, store, done).await?;
    }
    follower.close().await;
    answer(context, store, json!({ "ended": true })).await
}

/// Compares every page of a checkpoint with the files. Nothing but this picks up the next one meanwhile, for reads see one state each.
async fn compare(follower: &Follower, info: &CheckpointInfo, input: &Input) -> Result<Value> {
    let watch = Stopwatch::start();
    let manifest = Manifest::read(follower.log(), info.metadata_lsn).await?;
    let compared = stream::iter(manifest.files.clone()).map(|loaded| async move {
        let path = input.directory.join(&loaded.name);
        compare_file(follower.log(), &loaded, path).await.map(|compared| (loaded.name, compared))
    });
    let mut compared = compared.buffer_unordered(COMPARED_AT_ONCE);
    let (mut pages, mut deltas, mut bytes, mut different) = (0, 0, 0, Vec::new());
    while let Some(one) = compared.next().await {
        let (name, one) = one?;
        pages += one.pages;
        deltas += one.deltas;
        bytes += one.bytes;
        if !one.same {
            different.push(name);
        }
    }
    let mut done = described(info);
    if let Some(fields) = done.as_object_mut() {
        fields.insert("files".to_owned(), manifest.files.len().into());
        fields.insert("pages".to_owned(), pages.into());
        fields.insert("deltas".to_owned(), deltas.into());
        fields.insert("bytes".to_owned(), bytes.into());
        fields.insert("different".to_owned(), different.into());
        fields.insert("seconds".to_owned(), watch.elapsed().as_secs_f64().into());
    }
    Ok(done)
}

async fn next(orders: &mut Lines<BufReader<Receiver>>) -> Result<Option<String>> {
    orders.next_line().await.map_err(|error| Failure::other(format!("cannot read an order: {error}")))
}
