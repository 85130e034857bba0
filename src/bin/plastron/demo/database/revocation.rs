//! What becomes of a reader that is revoked, and what its keys were given to.

use serde_json::{Value, json};

use super::story::Compared;
use crate::quantity::printable;

/// The guest's part of the story.
#[derive(Debug)]
pub(super) struct Revocation {
    /// The epoch of the keyserver from which on it is no reader.
    pub(super) epoch: u64,
    /// What it read before.
    pub(super) before: Compared,
    /// What it was told when it wanted to pick up the next checkpoint: kind, message.
    pub(super) told: (String, String),
    /// What it read after that.
    pub(super) after: Option<Compared>,
    /// What a new process of it was told.
    pub(super) told_anew: (String, String),
    /// What the audit of all KEK pages found, before garbage was collected: generations that the guest could read, all generations, pages, faults.
    pub(super) audit: Audit,
}

/// The audit, in numbers.
#[derive(Debug, Default)]
pub(super) struct Audit {
    pub(super) guest: Vec<u64>,
    pub(super) all: Vec<u64>,
    pub(super) pages: usize,
    pub(super) faults: usize,
}

/// Kind and message of an answer that is an error; empty for another.
pub(super) fn told(answer: &Value) -> (String, String) {
    let error = answer.get("error");
    let word = |key: &str| error.and_then(|error| error.get(key)).and_then(Value::as_str).unwrap_or("").to_owned();
    (word("kind"), word("message"))
}

impl Revocation {
    /// What is not as it should be.
    pub(super) fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (told, when) in [(&self.told, "picked up"), (&self.told_anew, "opened anew")] {
            if told.0 != "unauthorized" {
                wrong.push(format!("the guest was revoked, and {when} a checkpoint: '{}'", told.1));
            }
        }
        let same = self.after.as_ref().is_some_and(|after| {
            let before = &self.before;
            (after.lsn, after.pages, after.bytes) == (before.lsn, before.pages, before.bytes)
                && before.different.is_empty()
                && after.different.is_empty()
        });
        if !same {
            wrong.push("the guest does not read any more what it could read before it was revoked".to_owned());
        }
        let audit = &self.audit;
        if audit.faults > 0 || audit.pages < 2 || audit.guest != [1] || audit.all.len() < 2 {
            wrong.push(format!("the audit of the keys is not as it should be: {audit:?}"));
        }
        wrong
    }

    /// As JSON.
    pub(super) fn record(&self) -> Value {
        json!({
            "epoch": self.epoch,
            "read_before": { "lsn": self.before.lsn, "pages": self.before.pages, "bytes": self.before.bytes },
            "refused": { "kind": self.told.0, "message": self.told.1 },
            "read_after": self.after.as_ref().map(|after| json!({ "lsn": after.lsn, "pages": after.pages, "bytes": after.bytes })),
            "refused_anew": { "kind": self.told_anew.0, "message": self.told_anew.1 },
            "audit": { "pages": self.audit.pages, "faults": self.audit.faults, "generations": self.audit.all, "guest": self.audit.guest },
        })
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let numbers = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        format!(
            "The guest read {} pages, was revoked with epoch {} of the keyserver, and was told: {}\nIt still reads the {} pages of before.\n\
             Audited offline: {} KEK pages of generations {}, {} faults; the guest could read generation {}.\n",
            self.before.pages,
            self.epoch,
            printable(&self.told.1),
            self.after.as_ref().map_or(0, |after| after.pages),
            self.audit.pages,
            numbers(&self.audit.all),
            self.audit.faults,
            numbers(&self.audit.guest),
        )
    }
}
