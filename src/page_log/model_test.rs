//! The log against a plain model: any order of any operations, with merges, checkpoints, abandons, trims, crashes and followers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plastron_config::ErrorKind;
use plastron_keys::KeyManagement;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::testing::{DATABASE, MemoryObjects, fixed_keys, small_options};
use super::*;

#[derive(Debug, Clone)]
enum Op {
    Put {
        table: u64,
        page: u64,
        size: usize,
    },
    Delta {
        table: u64,
        page: u64,
        size: usize,
    },
    /// A delta on the record before the newest one: what follows a failed reconciliation.
    Again {
        table: u64,
        page: u64,
        size: usize,
    },
    Discard {
        table: u64,
        page: u64,
    },
    Trim {
        table: u64,
        back: usize,
    },
    Flush,
    Merge,
    Checkpoint,
    Abandon,
    Crash,
}

fn any_op() -> impl Strategy<Value = Op> {
    let (table, page, size) = (0..2_u64, prop_oneof![0..4_u64, Just(u64::MAX)], 0..1500_usize);
    prop_oneof![
        6 => (table.clone(), page.clone(), size.clone()).prop_map(|(table, page, size)| Op::Put { table, page, size }),
        12 => (table.clone(), page.clone(), size.clone()).prop_map(|(table, page, size)| Op::Delta { table, page, size }),
        3 => (table.clone(), page.clone(), size).prop_map(|(table, page, size)| Op::Again { table, page, size }),
        2 => (table.clone(), page).prop_map(|(table, page)| Op::Discard { table, page }),
        1 => (table, 0..30_usize).prop_map(|(table, back)| Op::Trim { table, back }),
        3 => Just(Op::Flush),
        2 => Just(Op::Merge),
        2 => Just(Op::Checkpoint),
        1 => Just(Op::Abandon),
        1 => Just(Op::Crash),
    ]
}

/// One record, and what it said.
#[derive(Debug, Clone)]
struct Written {
    table: u64,
    page: u64,
    kind: RecordKind,
    backlink: Lsn,
    base: Lsn,
    bytes: Vec<u8>,
}

/// What the log should hold.
#[derive(Debug, Clone, Default)]
struct Model {
    records: BTreeMap<Lsn, Written>,
    /// LSN, table, start.
    trims: Vec<(Lsn, u64, Lsn)>,
    /// The last completed checkpoint.
    settled: Lsn,
    /// Every LSN ever given, abandoned ones included.
    given: BTreeSet<Lsn>,
}

impl Model {
    fn start(&self, table: u64) -> Lsn {
        self.trims.iter().filter(|trim| trim.1 == table).map(|trim| trim.2).max().unwrap_or_default()
    }

    fn newest(&self, table: u64, page: u64, lsn: Lsn) -> Option<(Lsn, &Written)> {
        let mut below = self.records.range(..=lsn).rev();
        below.find(|(_, record)| (record.table, record.page) == (table, page)).map(|(lsn, record)| (*lsn, record))
    }

    /// The chain that ends at `lsn`, oldest first; none if something of it is absent.
    fn chain(&self, table: u64, page: u64, lsn: Lsn) -> Option<Vec<Lsn>> {
        let mut chain = vec![lsn];
        loop {
            let last = *chain.last()?;
            let record = self.records.get(&last).filter(|record| (record.table, record.page) == (table, page))?;
            if last < self.start(table) {
                return None;
            }
            match record.kind {
                RecordKind::Full => break,
                RecordKind::Delta => chain.push(record.backlink),
                _ => return None,
            }
        }
        chain.reverse();
        Some(chain)
    }

    fn page_ids(&self, table: u64, lsn: Lsn) -> Vec<u64> {
        let pages: BTreeSet<u64> =
            self.records.range(..=lsn).filter(|(_, r)| r.table == table).map(|(_, r)| r.page).collect();
        let is_there = |page: &u64| {
            let newest = self.newest(table, *page, lsn);
            newest.is_some_and(|(at, r)| r.kind != RecordKind::Discard && at >= self.start(table))
        };
        pages.into_iter().filter(is_there).collect()
    }

    fn drop_above(&mut self, lsn: Lsn) {
        self.records.retain(|at, _| *at <= lsn);
        self.trims.retain(|trim| trim.0 <= lsn);
    }
}

struct Run {
    objects: Arc<MemoryObjects>,
    log: PageLog,
    keys: KeyManagement,
    model: Model,
    /// What was published by the last checkpoint, and what it held.
    published: (LogState, Model),
    follower: PageLog,
    epoch: u64,
}

impl Run {
    async fn new(sealed: bool, compressed: bool) -> Self {
        let objects = MemoryObjects::new();
        let keys = if sealed { fixed_keys("model") } else { KeyManagement::none() };
        let mut options = small_options();
        options.compression = compressed.then_some(1);
        let state = LogState::new(DATABASE);
        let log = objects.open(&state, Some(1), options.clone(), keys.clone()).await.unwrap();
        let follower = objects.open(&state, None, options, keys.clone()).await.unwrap();
        let (model, published) = (Model::default(), (state, Model::default()));
        Self { objects, log, keys, model, published, follower, epoch: 1 }
    }

    async fn write(&mut self, table: u64, page: u64, args: PutArgs, size: usize) -> Result<(), TestCaseError> {
        let seed = self.model.given.len() as u8;
        let bytes: Vec<u8> = (0..size).map(|at| seed.wrapping_add((at / 16) as u8)).collect();
        let lsn = self.log.table(table).put(page, args, bytes.clone()).await;
        let lsn = lsn.map_err(|fault| TestCaseError::fail(format!("put: {fault}")))?;
        let kind = if args.delta { RecordKind::Delta } else { RecordKind::Full };
        let record = Written { table, page, kind, backlink: args.backlink, base: args.base, bytes };
        self.take(lsn)?;
        self.model.records.insert(lsn, record);
        Ok(())
    }

    /// A new LSN is above all others.
    fn take(&mut self, lsn: Lsn) -> Result<(), TestCaseError> {
        prop_assert!(self.model.given.last().is_none_or(|last| *last < lsn));
        self.model.given.insert(lsn);
        Ok(())
    }

    async fn step(&mut self, op: Op) -> Result<(), TestCaseError> {
        let last = self.log.last_lsn();
        match op {
            Op::Put { table, page, size } => {
                let backlink = self.model.newest(table, page, Lsn::MAX).map_or(Lsn::NONE, |(lsn, _)| lsn);
                self.write(table, page, PutArgs::full().backlink(backlink), size).await?;
            }
            Op::Delta { table, page, size } => {
                let Some((newest, record)) = self.model.newest(table, page, Lsn::MAX) else { return Ok(()) };
                self.delta(table, page, newest, record.clone(), size).await?;
            }
            Op::Again { table, page, size } => {
                let Some((_, record)) = self.model.newest(table, page, Lsn::MAX) else { return Ok(()) };
                let Some(before) = self.model.records.get(&record.backlink).cloned() else { return Ok(()) };
                self.delta(table, page, record.backlink, before, size).await?;
            }
            Op::Discard { table, page } => {
                let backlink = self.model.newest(table, page, Lsn::MAX).map_or(Lsn::NONE, |(lsn, _)| lsn);
                let lsn = self.log.table(table).discard(page, backlink).await.unwrap();
                let record =
                    Written { table, page, kind: RecordKind::Discard, backlink, base: Lsn::NONE, bytes: Vec::new() };
                self.take(lsn)?;
                self.model.records.insert(lsn, record);
            }
            Op::Trim { table, back } => {
                let start = self.model.given.iter().rev().nth(back).copied();
                let Some(start) = start.filter(|start| *start <= last) else { return Ok(()) };
                let lsn = self.log.trim_table(table, start).await.unwrap();
                self.take(lsn)?;
                self.model.trims.push((lsn, table, start));
            }
            Op::Flush => {
                self.log.flush_now(last).await.unwrap();
                prop_assert!(self.log.durable_lsn() >= last);
            }
            Op::Merge => self.log.merge_indexes().await.unwrap(),
            Op::Checkpoint => {
                self.log.flush_now(last).await.unwrap();
                let state = self.log.state_at(last);
                let state = LogState::decode(&state.encode(), "the state").unwrap();
                self.model.settled = last;
                self.published = (state, self.model.clone());
                self.log.settle(last);
                self.follower.advance(&self.published.0).await.unwrap();
                check(&self.follower, &self.published.1).await?;
            }
            Op::Abandon => {
                self.log.abandon(self.model.settled).unwrap();
                self.model.drop_above(self.model.settled);
                let dropped = self.log.last_lsn();
                prop_assert!(self.model.given.last().is_none_or(|last| *last <= dropped));
            }
            Op::Crash => {
                self.epoch += 1;
                let (state, model) = self.published.clone();
                let options = self.log.shared.options.clone();
                let opened = self.objects.open(&state, Some(self.epoch), options, self.keys.clone()).await;
                self.log = opened.map_err(|fault| TestCaseError::fail(format!("open: {fault}")))?;
                self.model = Model { given: std::mem::take(&mut self.model.given), ..model };
                check(&self.log, &self.model).await?;
            }
        }
        Ok(())
    }

    async fn delta(
        &mut self,
        table: u64,
        page: u64,
        on: Lsn,
        before: Written,
        size: usize,
    ) -> Result<(), TestCaseError> {
        let base = match before.kind {
            RecordKind::Full => on,
            RecordKind::Delta => before.base,
            _ => return Ok(()),
        };
        // What is trimmed has no chain any more, and the log does not know how long it was.
        let Some(chain) = self.model.chain(table, page, on) else { return Ok(()) };
        if chain.len() < MAX_CHAIN {
            self.write(table, page, PutArgs::delta(base, on), size).await?;
        }
        Ok(())
    }
}

/// Everything that can be asked of the log.
async fn check(log: &PageLog, model: &Model) -> Result<(), TestCaseError> {
    let newest = log.last_lsn();
    for lsn in model.given.iter().copied().filter(|lsn| *lsn <= newest) {
        let (table, page) = model.records.get(&lsn).map_or((0, 0), |record| (record.table, record.page));
        compare(log, model, table, page, lsn).await?;
    }
    for table in 0..3 {
        for page in (0..5).chain([u64::MAX]) {
            compare(log, model, table, page, Lsn::MAX).await?;
        }
        for lsn in model.given.iter().copied().step_by(7).chain([Lsn::MAX, Lsn::NONE]) {
            let handle = log.table(table);
            let expected = model.page_ids(table, lsn);
            prop_assert_eq!(handle.page_ids(lsn).await.unwrap(), expected.clone());
            let (mut ids, mut after) = handle.page_ids_after(lsn, None, 1).await.unwrap();
            while after.is_some() {
                let (more, next) = handle.page_ids_after(lsn, after, 1).await.unwrap();
                prop_assert!(more.len() <= 1);
                ids.extend(more);
                after = next;
            }
            prop_assert_eq!(ids, expected);
        }
    }
    Ok(())
}

async fn compare(log: &PageLog, model: &Model, table: u64, page: u64, lsn: Lsn) -> Result<(), TestCaseError> {
    let at = if lsn == Lsn::MAX { model.newest(table, page, lsn).map(|(lsn, _)| lsn) } else { Some(lsn) };
    let expected = at.and_then(|at| model.chain(table, page, at));
    match (log.table(table).get(page, lsn).await, expected) {
        (Ok(chain), Some(expected)) => {
            let lsns: Vec<Lsn> = chain.records.iter().map(|record| record.lsn).collect();
            prop_assert_eq!(&lsns, &expected);
            for record in &chain.records {
                prop_assert_eq!(&record.bytes[..], &model.records[&record.lsn].bytes[..]);
            }
            let top = &model.records[&chain.lsn];
            prop_assert_eq!((chain.base, chain.backlink), (top.base, top.backlink));
        }
        (Err(fault), None) => prop_assert_eq!(fault.kind(), ErrorKind::NotFound, "{}", fault),
        (got, expected) => prop_assert!(false, "page {page} of {table} at {lsn}: {got:?}, expected {expected:?}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_log_does_what_the_model_does(ops in prop::collection::vec(any_op(), 1..120), sealed: bool, compressed: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let mut run = Run::new(sealed, compressed).await;
            for op in ops {
                run.step(op).await?;
            }
            check(&run.log, &run.model).await?;
            check(&run.follower, &run.published.1).await?;
            run.log.merge_indexes().await.unwrap();
            check(&run.log, &run.model).await?;
            for log in [&run.log, &run.follower] {
                let found = log.verify().await;
                prop_assert!(found.is_clean(), "{found:?}");
            }
            Ok::<(), TestCaseError>(())
        })?;
    }
}
