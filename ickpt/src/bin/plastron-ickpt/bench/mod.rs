//! `plastron-ickpt bench`: commits per second beside etcd's puts, on the same disk, in turns.

mod disk;
mod etcd;
mod load;
mod ours;

use std::time::Duration;

use plastron_ickpt::{Error, Fault, Result};

use crate::arguments::Bench;
use crate::client::print;

/// How long the disk alone is measured, each time.
const SYNCING: Duration = Duration::from_secs(1);
/// Bytes of a value: what a registry's pointer has, about.
pub(crate) const VALUE_BYTES: usize = 128;

pub(crate) fn trouble(what: impl std::fmt::Display) -> Error {
    Error::new("measure", "bench", Fault::Unavailable(what.to_string()))
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

pub(crate) async fn run(bench: Bench) -> Result<()> {
    let io = |error| Error::new("use", bench.dir.display().to_string(), Fault::Io(error));
    let folder = tempfile::tempdir_in(&bench.dir).map_err(io)?;
    let length = Duration::from_secs(bench.seconds.max(1));
    let most = bench.clients.iter().copied().max().unwrap_or(1);
    let etcd = etcd::Etcd::start(&bench.etcd, &folder.path().join("etcd"), most).await?;
    let ours = ours::Ours::start(&folder.path().join("ickpt"), most).await?;
    print(
        b"clients   connections   ickpt commits/s   etcd puts/s   ratio   store alone/s   (medians; all runs behind)\n",
    )?;
    let mut disk = Vec::new();
    for clients in &bench.clients {
        for connections in &bench.connections {
            let (mut mine, mut theirs, mut store) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..bench.rounds.max(1) {
                mine.push(load::rate(*clients, length, |client| ours.writer(client, *connections)).await?);
                theirs.push(load::rate(*clients, length, |client| Ok(etcd.writer(client, *connections))).await?);
                store.push(load::rate(*clients, length, |client| ours.exchanges(client)).await?);
                disk.push(disk::rounds(folder.path(), SYNCING).await?);
            }
            let all = format!("{mine:.0?} {theirs:.0?} {store:.0?}");
            let (mine, theirs, store) = (median(mine), median(theirs), median(store));
            let ratio = mine / theirs;
            let line = format!(
                "{clients:>7}   {connections:>11}   {mine:>15.0}   {theirs:>11.0}   {ratio:>5.2}   {store:>13.0}   {all}\n"
            );
            print(line.as_bytes())?;
        }
    }
    let disk = median(disk);
    print(
        format!(
            "Connections: each client has its own to the instance (HTTP/1.1) and to etcd, as separate processes have, or all share some by HTTP/2 (the instance: 32\n\
             calls on each; etcd: 16 connections). The store is asked by HTTP/1.1.\n\
             A commit is six exchanges, four of them with the store, and one wait for the disk; a put is one and one. The four alone: see 'store alone'.\n\
             This disk alone: {disk:.0} synced writes/s.\n"
        )
        .as_bytes(),
    )?;
    ours.stop().await
}
