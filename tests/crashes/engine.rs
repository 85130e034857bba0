//! The engine that leaders and readers of this test have: pages and chains put as the plot has them, and held against it.

use std::collections::BTreeSet;

use plastron::checkpoint::{CheckpointInfo, CheckpointRequest, Completion, Follower, Leader};
use plastron::page_log::{Lsn, PageLog, PutArgs};
use plastron::{Config, Error, Result};
use plastron_registry::{KeyProvider, TurtlePage};

use crate::plot::{Change, Cycle, Lineage, PLAIN, Pages, TRIMMED};

/// The lineage that a checkpoint carries.
pub(crate) fn lineage(info: &CheckpointInfo) -> Lineage {
    Lineage::parse(std::str::from_utf8(&info.engine_metadata).unwrap())
}

/// Does `changes` on top of `pages`.
pub(crate) async fn change(leader: &Leader, seed: u64, changes: &[Change], pages: &mut Pages) -> Result<()> {
    for one in changes.iter().copied() {
        let (table, page) = match one {
            Change::Full { table, page, .. } | Change::Delta { table, page, .. } | Change::Discard { table, page } => {
                (table, page)
            }
            Change::Trim => {
                let next = Lsn::new(leader.log().last_lsn().get() + 1);
                leader.log().trim_table(TRIMMED, next).await?;
                one.apply(pages);
                continue;
            }
        };
        let handle = leader.table(table)?;
        let chain = match pages.contains_key(&(table, page)) {
            true => Some(handle.get(page, Lsn::MAX).await?),
            false => None,
        };
        let last = chain.as_ref().map_or(Lsn::NONE, |chain| chain.lsn);
        match one {
            Change::Discard { .. } => drop(handle.discard(page, last).await?),
            Change::Delta { content, .. } => {
                let base = chain.map_or(Lsn::NONE, |chain| if chain.base.is_none() { chain.lsn } else { chain.base });
                handle.put(page, PutArgs::delta(base, last), content.bytes(seed)).await?;
            }
            Change::Full { content, .. } => {
                handle.put(page, PutArgs::full().backlink(last), content.bytes(seed)).await?;
            }
            Change::Trim => {}
        }
        one.apply(pages);
    }
    Ok(())
}

/// Completes a checkpoint of `lineage`, whole or in steps.
pub(crate) async fn checkpoint(leader: &Leader, lineage: &Lineage, in_steps: bool) -> Result<CheckpointInfo> {
    let metadata = lineage.to_string();
    if !in_steps {
        return Ok(leader.checkpoint(CheckpointRequest::default().engine_metadata(metadata)).await?.0);
    }
    let kek = leader.persist_keys(0).await?;
    let page = TurtlePage {
        checkpoint: Config::new(),
        timestamp: 0,
        oldest_timestamp: None,
        largest_file_id: None,
        key_provider: (!kek.is_none()).then(|| KeyProvider { lsn: kek.get() }),
    };
    let mut completion = Completion::default();
    completion.turtle_page_lsn = leader.put_turtle_page(&page).await?.lsn;
    completion.engine_metadata = metadata.into();
    Ok(leader.complete_checkpoint(completion).await?)
}

/// What the key module of `keys` has in force; none if nothing is.
pub(crate) async fn in_force(keys: &plastron::KeyManagement) -> Result<Option<String>> {
    let shown = keys.show().await.map_err(Error::from)?;
    Ok(shown.into_iter().find(|key| key.in_force).map(|key| key.id))
}

/// Whether `log` holds exactly `pages`; what is different, if anything is.
pub(crate) async fn compare(log: &PageLog, seed: u64, pages: &Pages) -> Result<Option<String>> {
    for table in [PLAIN, TRIMMED] {
        let handle = log.table(table);
        let found: BTreeSet<u64> = handle.page_ids(Lsn::MAX).await?.into_iter().collect();
        let expected: BTreeSet<u64> = pages.keys().filter(|(of, _)| *of == table).map(|(_, page)| *page).collect();
        if found != expected {
            return Ok(Some(format!("table {table} has pages {found:?}, not {expected:?}")));
        }
        for page in expected {
            let chain = handle.get(page, Lsn::MAX).await?;
            let wanted: Vec<Vec<u8>> = pages[&(table, page)].iter().map(|content| content.bytes(seed)).collect();
            if chain.records.len() != wanted.len() || !chain.records.iter().zip(&wanted).all(|(a, b)| a.bytes == b[..])
            {
                let lengths: Vec<usize> = chain.records.iter().map(|record| record.bytes.len()).collect();
                let other: Vec<usize> = wanted.iter().map(Vec::len).collect();
                return Ok(Some(format!(
                    "page {page} of table {table} has records of {lengths:?} bytes, not {other:?}"
                )));
            }
        }
    }
    Ok(None)
}

/// Whether what `follower` reads is what its checkpoint must hold. Says nothing if it has moved on meanwhile.
pub(crate) async fn examine(follower: &Follower, seed: u64) -> Result<Option<String>> {
    let info = follower.checkpoint();
    // A follower that goes on by itself has the pages of the next checkpoint a moment before it says so: where its log ends tells both apart.
    if follower.log().last_lsn() != info.lsn {
        return Ok(None);
    }
    let pages = lineage(&info).pages(seed);
    let found = async {
        let turtle = follower.turtle_page().await?;
        let kek = turtle.and_then(|page| page.key_provider).map_or(0, |provider| provider.lsn);
        let different = compare(follower.log(), seed, &pages).await?;
        let wrong_kek = (kek != info.kek_lsn.get())
            .then(|| format!("its turtle page names the KEK page at {kek}, and it that at {}", info.kek_lsn));
        Ok::<_, Error>(different.or(wrong_kek))
    };
    let found = found.await;
    if follower.log().last_lsn() != info.lsn {
        return Ok(None);
    }
    Ok(found?.map(|what| format!("checkpoint {} of {}: {what}", info.sequence, lineage(&info))))
}

/// What life `life` does next on top of `before`, up to the checkpoint.
pub(crate) async fn work(
    leader: &Leader,
    seed: u64,
    life: u64,
    before: &Lineage,
    pages: &mut Pages,
) -> Result<(Cycle, Lineage)> {
    let cycle = Cycle::of(seed, life, before.cycles() + 1, pages);
    if cycle.rotates && before.cycles() > 0 {
        leader.volume().keys.rotate().await?;
    }
    if !cycle.abandoned.is_empty() {
        change(leader, seed, &cycle.abandoned, &mut pages.clone()).await?;
        leader.abandon_checkpoint().await?;
    }
    change(leader, seed, &cycle.changes, pages).await?;
    if cycle.flushes {
        leader.log().flush_now(leader.log().last_lsn()).await?;
    }
    Ok((cycle, before.then(life)))
}
