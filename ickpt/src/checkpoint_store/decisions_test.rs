use std::sync::Arc;

use bytes::Bytes;
use plastron_sources::clock::SystemClock;
use tokio::sync::oneshot;

use super::decisions::{Answer, Called, Decisions, Demand};
use super::engine_options::EngineOptions;
use super::*;
use crate::refusal::{Reason, Refusal};
use crate::value::{Epoch, Members};

fn decisions(max_waiting: usize) -> Decisions {
    let mut options = EngineOptions::new(Arc::new(SystemClock));
    options.max_waiting = max_waiting;
    Decisions::new(options)
}

fn put(path: &'static str, value: &'static str) -> Demand {
    let write = Write { bytes: Some(value.into()), stamp: None, members: Members::default() };
    Demand::Stage(Staged { path: path.into(), write, at: std::time::Duration::ZERO })
}

fn post(path: &'static str) -> Demand {
    Demand::Commit { path: path.into() }
}

fn get() -> Demand {
    Demand::Look { fence: None, keep: true }
}

fn waits(called: Called) -> oneshot::Receiver<Answer> {
    match called {
        Called::Waits(answer) => answer,
        Called::Answered(answer) => panic!("it was answered: {answer:?}"),
    }
}

fn answered(called: Called) -> Answer {
    match called {
        Called::Answered(answer) => answer,
        Called::Waits(_) => panic!("it waits"),
    }
}

fn value(record: &Record) -> Option<Bytes> {
    if let Content::Value(bytes) = &record.content { Some(bytes.clone()) } else { None }
}

/// Reads all there is to read; nothing was ever written.
fn read_all(decisions: &mut Decisions) {
    while let Some(key) = decisions.take_to_read() {
        decisions.read(&key, Ok(Record::default()));
    }
}

fn write_all(decisions: &mut Decisions) -> usize {
    assert!(decisions.has_to_write());
    let changed = decisions.take_to_write().len();
    assert!(!decisions.has_to_write(), "one batch at a time");
    for (reply, answer) in decisions.written() {
        reply.send(answer).unwrap();
    }
    changed
}

#[test]
fn nobody_is_told_of_what_is_not_on_disk() {
    let mut all = decisions(100);
    answered_after_reading(&mut all, b"a");
    answered_after_reading(&mut all, b"b");
    answered(all.call(b"a", put("/1", "one"))).unwrap();
    let mut first = waits(all.call(b"a", post("/1")));
    let mut sees_first = waits(all.call(b"a", get()));
    assert_eq!(value(&answered(all.call(b"b", get())).unwrap()), None, "what needs no disk waits for none");
    let changed = all.take_to_write();
    assert_eq!(value(&changed[&b"a"[..]]), Some("one".into()));
    // While it is being written, others see it and wait for it, and the next may be staged and committed on top of it.
    let mut sees_too = waits(all.call(b"a", get()));
    let mut put_too = waits(all.call(b"a", put("/2", "two")));
    let mut second = waits(all.call(b"a", post("/2")));
    let mut refused = waits(all.call(b"a", post("/3")));
    for waiting in [&mut first, &mut sees_first, &mut sees_too, &mut put_too, &mut second, &mut refused] {
        assert_eq!(waiting.try_recv().unwrap_err(), oneshot::error::TryRecvError::Empty);
    }
    for (reply, answer) in all.written() {
        reply.send(answer).unwrap();
    }
    for waiting in [&mut first, &mut sees_first, &mut sees_too, &mut put_too] {
        assert_eq!(value(&waiting.try_recv().unwrap().unwrap()), Some("one".into()));
    }
    assert!(second.try_recv().is_err() && refused.try_recv().is_err() && !all.is_idle());
    assert_eq!(write_all(&mut all), 1);
    assert_eq!(value(&second.try_recv().unwrap().unwrap()), Some("two".into()));
    assert_eq!(refused.try_recv().unwrap().unwrap_err().0.reason(), Reason::NothingStaged);
    assert_eq!(value(&answered(all.call(b"a", get())).unwrap()), Some("two".into()));
    assert!(all.is_idle() && !all.has_to_write() && !all.has_to_read());
}

fn answered_after_reading(all: &mut Decisions, key: &[u8]) {
    let mut waiting = waits(all.call(key, get()));
    read_all(all);
    waiting.try_recv().unwrap().unwrap();
}

#[test]
fn whoever_needs_a_record_waits_for_one_reading() {
    let mut all = decisions(100);
    let mut staged = waits(all.call(b"a", put("/1", "one")));
    let mut committed = waits(all.call(b"a", post("/1")));
    let key = all.take_to_read().unwrap();
    let mut seen = waits(all.call(b"a", get()));
    assert_eq!(all.take_to_read(), None);
    assert!(staged.try_recv().is_err() && !all.has_to_write());
    all.read(&key, Ok(Record { sequence: 7, ..Record::default() }));
    assert_eq!(staged.try_recv().unwrap().unwrap().sequence, 7);
    assert_eq!(write_all(&mut all), 1);
    assert_eq!(committed.try_recv().unwrap().unwrap().sequence, 8);
    assert_eq!(seen.try_recv().unwrap().unwrap().sequence, 8);
    assert!(all.is_idle());
}

#[test]
fn what_can_not_be_read_is_said_and_read_again() {
    let mut all = decisions(100);
    let mut waiting = [waits(all.call(b"a", get())), waits(all.call(b"a", put("/1", "one")))];
    let key = all.take_to_read().unwrap();
    all.read(&key, Err(Refusal::new(Reason::Broken, "broken")));
    for waiting in &mut waiting {
        assert_eq!(waiting.try_recv().unwrap().unwrap_err(), (Refusal::new(Reason::Broken, "broken"), Epoch::NONE));
    }
    assert!(all.is_idle());
    answered_after_reading(&mut all, b"a");
}

#[test]
fn a_batch_has_room_for_so_many_and_the_others_are_next() {
    const ALL: u32 = 1300;
    let mut all = decisions(ALL as usize);
    for number in 0..ALL {
        answered_after_reading(&mut all, &number.to_le_bytes());
        answered(all.call(&number.to_le_bytes(), put("/1", "one"))).unwrap();
    }
    let mut committed: Vec<_> = (0..ALL).map(|number| waits(all.call(&number.to_le_bytes(), post("/1")))).collect();
    let refused = answered(all.call(b"another", get())).unwrap_err();
    assert_eq!(refused.0.reason(), Reason::Overloaded);
    let mut batches = Vec::new();
    while !all.is_idle() {
        batches.push(write_all(&mut all));
        read_all(&mut all);
    }
    assert_eq!((batches.len(), batches.iter().sum::<usize>()), (3, ALL as usize));
    for committed in &mut committed {
        assert_eq!(value(&committed.try_recv().unwrap().unwrap()), Some("one".into()));
    }
}
