//! One comparison's result: what was measured, what the peer did, and whether that is what was hoped for.

use std::fmt;

use serde_json::{Value, json};

use super::pairs::{Pairs, median};
use crate::table::{Align, Table};

/// One result.
#[derive(Debug, Clone)]
pub(super) struct Row {
    what: String,
    place: String,
    unit: Unit,
    measured: f64,
    peer: Option<Peer>,
    goal: Goal,
}

/// The other way of doing it.
#[derive(Debug, Clone)]
struct Peer {
    name: &'static str,
    measured: f64,
    ratios: Vec<f64>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Bytes that went by.
    MibPerSecond,
    /// Objects put or read.
    ObjectsPerSecond,
    /// Reads of some bytes.
    ReadsPerSecond,
    /// Requests to the origin.
    Requests,
    /// Requests to the origin for each get.
    RequestsPerGet,
    /// Resident memory.
    Mib,
    /// Time.
    Seconds,
}

/// What is hoped for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Goal {
    /// Nothing: the row is there to be known.
    None,
    /// The median ratio to the peer is this at least.
    Ratio(f64),
    /// What is measured is this exactly.
    Exactly(f64),
    /// What is measured is less than this.
    Below(f64),
    /// What is measured is no more than this.
    AtMost(f64),
    /// What is measured is no less than this.
    AtLeast(f64),
}

impl Row {
    /// A comparison with a peer.
    pub(super) fn compared(
        what: String,
        place: impl Into<String>,
        unit: Unit,
        pairs: &Pairs,
        peer: &'static str,
        goal: Goal,
    ) -> Self {
        let peer = Peer { name: peer, measured: pairs.peer(), ratios: pairs.ratios() };
        Self { what, place: place.into(), unit, measured: pairs.measured(), peer: Some(peer), goal }
    }

    /// A number that stands by itself.
    pub(super) fn alone(what: String, place: impl Into<String>, unit: Unit, measured: f64, goal: Goal) -> Self {
        Self { what, place: place.into(), unit, measured, peer: None, goal }
    }

    fn ratio(&self) -> Option<f64> {
        self.peer.as_ref().map(|peer| median(&peer.ratios))
    }

    /// Whether the goal is met; none where there is none.
    pub(super) fn met(&self) -> Option<bool> {
        match self.goal {
            Goal::None => None,
            Goal::Ratio(least) => Some(self.ratio().is_some_and(|ratio| ratio >= least)),
            Goal::Exactly(number) => Some(self.measured == number),
            Goal::Below(limit) => Some(self.measured < limit),
            Goal::AtMost(limit) => Some(self.measured <= limit),
            Goal::AtLeast(least) => Some(self.measured >= least),
        }
    }

    /// As JSON.
    pub(super) fn record(&self) -> Value {
        let goal = match self.goal {
            Goal::None => Value::Null,
            Goal::Ratio(least) => json!({ "ratio_at_least": least }),
            Goal::Exactly(number) => json!({ "exactly": number }),
            Goal::Below(limit) => json!({ "below": limit }),
            Goal::AtMost(limit) => json!({ "at_most": limit }),
            Goal::AtLeast(least) => json!({ "at_least": least }),
        };
        json!({
            "what": self.what,
            "on": self.place,
            "unit": self.unit.to_string(),
            "measured": self.measured,
            "peer": self.peer.as_ref().map(|peer| json!({ "name": peer.name, "measured": peer.measured, "ratios": peer.ratios })),
            "ratio": self.ratio(),
            "goal": goal,
            "met": self.met(),
        })
    }

    fn cells(&self) -> [String; 9] {
        let number = |value: f64| match value {
            value if value < 10.0 && value.fract() != 0.0 => format!("{value:.2}"),
            value if value < 100.0 && value.fract() != 0.0 => format!("{value:.1}"),
            value => format!("{value:.0}"),
        };
        let peer = self.peer.as_ref();
        let bound = |pick: fn(f64, f64) -> f64| peer.and_then(|peer| peer.ratios.iter().copied().reduce(pick));
        let spread = match (bound(f64::min), bound(f64::max)) {
            (Some(least), Some(most)) => format!("{least:.2} to {most:.2}"),
            _ => String::new(),
        };
        let goal = match self.goal {
            Goal::None => String::new(),
            Goal::Ratio(least) => format!("ratio >= {least}"),
            Goal::Exactly(count) => format!("= {count}"),
            Goal::Below(limit) => format!("< {limit}"),
            Goal::AtMost(limit) => format!("<= {limit}"),
            Goal::AtLeast(least) => format!(">= {least}"),
        };
        let outcome = match self.met() {
            None => "",
            Some(true) => "met",
            Some(false) => "missed",
        };
        [
            self.what.clone(),
            self.place.clone(),
            number(self.measured),
            peer.map(|peer| number(peer.measured)).unwrap_or_default(),
            self.unit.to_string(),
            self.ratio().map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            spread,
            goal,
            outcome.to_owned(),
        ]
    }
}

/// The rows as a table for people.
pub(super) fn table(rows: &[Row]) -> String {
    let mut table = Table::new(&[
        ("what", Align::Left),
        ("on", Align::Left),
        ("plastron", Align::Right),
        ("peer", Align::Right),
        ("unit", Align::Left),
        ("ratio", Align::Right),
        ("of all pairs", Align::Left),
        ("goal", Align::Left),
        ("", Align::Left),
    ]);
    for row in rows {
        table.row(row.cells());
    }
    table.render()
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MibPerSecond => "MiB/s",
            Self::ObjectsPerSecond => "objects/s",
            Self::ReadsPerSecond => "reads/s",
            Self::Requests => "requests",
            Self::RequestsPerGet => "requests/get",
            Self::Mib => "MiB",
            Self::Seconds => "s",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(measured: f64, goal: Goal) -> Row {
        Row::alone("w".to_owned(), "p", Unit::Requests, measured, goal)
    }

    #[test]
    fn goals_are_judged() {
        assert_eq!(alone(1.0, Goal::Exactly(1.0)).met(), Some(true));
        assert_eq!(alone(2.0, Goal::Exactly(1.0)).met(), Some(false));
        assert_eq!(alone(200.0, Goal::Below(200.0)).met(), Some(false));
        assert_eq!(
            (alone(2.0, Goal::AtMost(2.0)).met(), alone(2.1, Goal::AtMost(2.0)).met()),
            (Some(true), Some(false))
        );
        assert_eq!(
            (alone(2.0, Goal::AtLeast(2.0)).met(), alone(1.9, Goal::AtLeast(2.0)).met()),
            (Some(true), Some(false))
        );
        assert_eq!(alone(1.0, Goal::None).met(), None);
        // Without a peer there is no ratio to be good.
        assert_eq!(alone(1.0, Goal::Ratio(0.5)).met(), Some(false));
    }

    #[test]
    fn rows_read_well() {
        let mut missed = alone(12.34, Goal::Ratio(0.9));
        missed.peer = Some(Peer { name: "x", measured: 24.0, ratios: vec![0.5, 0.4, 0.75] });
        let text = table(&[missed.clone(), alone(1.0, Goal::Exactly(1.0))]);
        let mut lines = text.lines().skip(1);
        assert_eq!(
            lines.next().unwrap(),
            "w     p       12.3    24  requests   0.50  0.40 to 0.75  ratio >= 0.9  missed"
        );
        assert_eq!(lines.next().unwrap(), "w     p          1        requests                       = 1           met");
        let record = missed.record();
        assert_eq!((&record["ratio"], &record["met"]), (&json!(0.5), &json!(false)));
        assert_eq!(record["goal"]["ratio_at_least"], 0.9);
    }
}
