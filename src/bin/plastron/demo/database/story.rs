//! What happened in the demo, and what it cost.

use std::time::Duration;

use plastron::checkpoint::Inspection;
use plastron::{ErrorKind, PriceTable};
use serde_json::{Value, json};

use super::player::Cost;
use crate::demo::input::Input;
use crate::failure::{Failure, Result};
use crate::quantity::{self, printable};
use crate::table::{Align, Table};

/// Names shown of files that differ; all of them are in the JSON.
const SHOWN: usize = 10;

/// A checkpoint that was completed.
#[derive(Debug)]
pub(super) struct Checkpoint {
    pub(super) leader: &'static str,
    pub(super) sequence: u64,
    pub(super) epoch: u64,
    pub(super) lsn: u64,
    pub(super) kek_lsn: u64,
    pub(super) files: u64,
    pub(super) seconds: f64,
    pub(super) string: String,
}

/// A checkpoint that was compared.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) lsn: u64,
    pub(super) kek_lsn: u64,
    pub(super) files: u64,
    pub(super) pages: u64,
    pub(super) deltas: u64,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) different: Vec<String>,
}

/// What happened, and what it cost.
#[derive(Debug)]
pub(super) struct Story {
    input: String,
    store: String,
    files: u64,
    /// Bytes of the files, as the director found them.
    found_bytes: u64,
    pages: u64,
    deltas: u64,
    bytes: u64,
    pub(super) checkpoints: Vec<Checkpoint>,
    pub(super) compared: Vec<Compared>,
    /// Files that the third leader found in the last checkpoint.
    pub(super) survived: u64,
    pub(super) refusal_kind: String,
    pub(super) refusal: String,
    removed: (u64, u64),
    reached: (u64, u64),
    pub(super) inspection: Inspection,
    /// What became of the guest, if the keys are with a keyserver.
    #[cfg(feature = "keyserver")]
    pub(super) revocation: Option<super::revocation::Revocation>,
    pub(super) cost: Cost,
    pub(super) elapsed: Duration,
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn seconds(value: &Value) -> f64 {
    value.get("seconds").and_then(Value::as_f64).unwrap_or(0.0)
}

impl Checkpoint {
    pub(super) fn of(leader: &'static str, answer: &Value) -> Self {
        Self {
            leader,
            sequence: number(answer, "sequence"),
            epoch: number(answer, "epoch"),
            lsn: number(answer, "lsn"),
            kek_lsn: number(answer, "kek_lsn"),
            files: number(answer, "files"),
            seconds: seconds(answer),
            string: answer.get("string").and_then(Value::as_str).unwrap_or("").to_owned(),
        }
    }
}

impl Compared {
    pub(super) fn of(answer: &Value) -> Self {
        let names = answer.get("different").and_then(Value::as_array).cloned().unwrap_or_default();
        Self {
            lsn: number(answer, "lsn"),
            kek_lsn: number(answer, "kek_lsn"),
            files: number(answer, "files"),
            pages: number(answer, "pages"),
            deltas: number(answer, "deltas"),
            bytes: number(answer, "bytes"),
            seconds: seconds(answer),
            different: names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        }
    }
}

impl Story {
    pub(super) fn new(input: &Input, store: &str) -> Self {
        Self {
            input: input.directory.to_string_lossy().into_owned(),
            store: store.to_owned(),
            files: input.walk.files.len() as u64,
            found_bytes: input.walk.bytes(),
            pages: 0,
            deltas: 0,
            bytes: 0,
            checkpoints: Vec::new(),
            compared: Vec::new(),
            survived: 0,
            refusal_kind: String::new(),
            refusal: String::new(),
            removed: (0, 0),
            reached: (0, 0),
            inspection: Inspection::default(),
            #[cfg(feature = "keyserver")]
            revocation: None,
            cost: Cost::default(),
            elapsed: Duration::ZERO,
        }
    }

    pub(super) fn loaded(&mut self, answer: &Value) {
        self.pages += number(answer, "pages");
        self.deltas += number(answer, "deltas");
        self.bytes += number(answer, "bytes");
    }

    pub(super) fn collected(&mut self, answer: &Value) {
        self.removed = (number(answer, "removed_objects"), number(answer, "removed_bytes"));
        self.reached = (number(answer, "reached_objects"), number(answer, "reached_bytes"));
    }

    /// Everything that is not as it should be.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.bytes != self.found_bytes {
            let (bytes, found) = (self.bytes, self.found_bytes);
            wrong.push(format!(
                "the leaders loaded {bytes} bytes of files that have {found}; did anybody change them meanwhile?"
            ));
        }
        for compared in &self.compared {
            for name in &compared.different {
                wrong.push(format!("in the checkpoint at LSN {}, {} differs", compared.lsn, printable(name)));
            }
        }
        if let (Some(last), Some(seen)) = (self.checkpoints.last(), self.compared.last()) {
            if (seen.files, seen.bytes) != (self.files, self.bytes) {
                wrong.push(format!(
                    "the last checkpoint that the follower saw has {} files of {} bytes, and there are {} of {}",
                    seen.files, seen.bytes, self.files, self.bytes
                ));
            }
            if seen.lsn != last.lsn {
                wrong.push(format!(
                    "the follower ended at LSN {}, and the last checkpoint is at {}",
                    seen.lsn, last.lsn
                ));
            }
        }
        let keks: std::collections::BTreeSet<u64> = self.compared.iter().map(|compared| compared.kek_lsn).collect();
        if keks.len() < 2 {
            wrong.push("the follower saw no key rotation".to_owned());
        }
        if self.refusal_kind != "fenced" {
            wrong.push(format!("the first leader should have been fenced, and was told '{}'", self.refusal));
        }
        let kept = self.checkpoints.iter().rfind(|checkpoint| checkpoint.leader == "second").map(|kept| kept.files);
        if kept != Some(self.survived) {
            wrong.push(format!("the third leader found {} files, and {kept:?} had been acknowledged", self.survived));
        }
        if self.removed.0 == 0 {
            wrong.push("no garbage was collected".to_owned());
        }
        #[cfg(feature = "keyserver")]
        wrong.extend(self.revocation.iter().flat_map(super::revocation::Revocation::wrong));
        wrong.extend(self.inspection.faults.iter().map(ToString::to_string));
        wrong
    }

    /// As one JSON object.
    pub(super) fn record(&self) -> Value {
        let checkpoint = |one: &Checkpoint| {
            json!({
                "leader": one.leader, "sequence": one.sequence, "epoch": one.epoch, "lsn": one.lsn, "kek_lsn": one.kek_lsn,
                "files": one.files, "seconds": one.seconds, "checkpoint_string": one.string,
            })
        };
        let compared = |one: &Compared| {
            json!({
                "lsn": one.lsn, "kek_lsn": one.kek_lsn, "files": one.files, "pages": one.pages, "deltas": one.deltas,
                "bytes": one.bytes, "seconds": one.seconds, "different": one.different,
            })
        };
        let wrong = self.wrong();
        #[cfg(feature = "keyserver")]
        let revocation = self.revocation.as_ref().map(super::revocation::Revocation::record);
        #[cfg(not(feature = "keyserver"))]
        let revocation = Value::Null;
        json!({
            "input": self.input,
            "store": self.store,
            "files": self.files,
            "pages": self.pages,
            "deltas": self.deltas,
            "bytes": self.bytes,
            "checkpoints": self.checkpoints.iter().map(checkpoint).collect::<Vec<_>>(),
            "compared": self.compared.iter().map(compared).collect::<Vec<_>>(),
            "first_leader": { "kind": self.refusal_kind, "message": self.refusal },
            "collected": { "objects": self.removed.0, "bytes": self.removed.1, "left_objects": self.reached.0, "left_bytes": self.reached.1 },
            "inspected": {
                "checkpoints": self.inspection.checkpoints, "records": self.inspection.records, "bytes": self.inspection.bytes,
                "faults": self.inspection.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
            },
            "revocation": revocation,
            "requests": self.cost.requests,
            "bytes_up": self.cost.bytes_up,
            "s3_usd": self.cost.s3_usd,
            "s3_prices": { "product": PriceTable::S3.product, "as_of": PriceTable::S3.as_of },
            "seconds": self.elapsed.as_secs_f64(),
            "identical": wrong.is_empty(),
            "wrong": wrong,
        })
    }

    /// As tables with a few words around them.
    pub(super) fn text(&self) -> String {
        let mut text =
            format!("{} files, {}, from {}\n", self.files, quantity::bytes(self.bytes), printable(&self.input));
        text += &format!("as {} pages and {} deltas in {}\n\n", self.pages, self.deltas, printable(&self.store));
        let mut table = Table::new(&[
            ("leader", Align::Left),
            ("epoch", Align::Right),
            ("turtle", Align::Right),
            ("at LSN", Align::Right),
            ("KEK page", Align::Right),
            ("files", Align::Right),
            ("seconds", Align::Right),
            ("compared by the follower", Align::Left),
        ]);
        for one in &self.checkpoints {
            let compared = self.compared.iter().find(|compared| compared.lsn == one.lsn).map_or_else(
                || "overtaken".to_owned(),
                |compared| {
                    let verdict = if compared.different.is_empty() { "all the same" } else { "DIFFERENT" };
                    format!(
                        "{} pages, {} deltas in {:.2} s: {verdict}",
                        compared.pages, compared.deltas, compared.seconds
                    )
                },
            );
            table.row([
                one.leader.to_owned(),
                one.epoch.to_string(),
                one.sequence.to_string(),
                one.lsn.to_string(),
                one.kek_lsn.to_string(),
                one.files.to_string(),
                format!("{:.3}", one.seconds),
                compared,
            ]);
        }
        text += &table.render();
        #[cfg(feature = "keyserver")]
        let guests = self.revocation.as_ref().map(super::revocation::Revocation::text).unwrap_or_default();
        #[cfg(not(feature = "keyserver"))]
        let guests = String::new();
        let between =
            if guests.is_empty() { "The keys were rotated" } else { "A reader was revoked, and new keys made," };
        text += &format!("\n{between} after the first checkpoint. ");
        text += "The first leader was stalled after the second one, with work that no checkpoint had; the second was killed in the middle of \
                 its work; ";
        text += &format!("the third found all {} files that had been acknowledged.\n", self.survived);
        text += &format!("The first leader came back, and was told: {}\n", printable(&self.refusal));
        text += &format!(
            "Garbage: {} objects of {} removed, {} of {} left.\n",
            self.removed.0,
            quantity::bytes(self.removed.1),
            self.reached.0,
            quantity::bytes(self.reached.1)
        );
        text += &guests;
        text += &format!("Inspected: {}.\n", self.inspection);
        text += &format!(
            "All of it took {:.1} s, {} requests and {} sent; on S3 the requests would have cost ${:.6} ({}, {}).\n",
            self.elapsed.as_secs_f64(),
            self.cost.requests,
            quantity::bytes(self.cost.bytes_up),
            self.cost.s3_usd,
            PriceTable::S3.product,
            PriceTable::S3.as_of,
        );
        let wrong = self.wrong();
        if wrong.is_empty() {
            text += "Every byte was the same in every checkpoint.\n";
        }
        for fault in wrong.iter().take(SHOWN) {
            text += &format!("WRONG: {fault}\n");
        }
        text
    }

    /// The exit code.
    pub(super) fn verdict(&self) -> Result<()> {
        match self.wrong().len() {
            0 => Ok(()),
            count => Err(Failure::of_kind(ErrorKind::Corrupt, format!("{count} things were not as they should be"))),
        }
    }
}
