//! What becomes of one request.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;

use super::pacer::Pacer;
use super::rule::{Fault, Point, Rule, Rules};

/// How a request ends, when it does not end as the server wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Status { code: u16, retry_after_s: Option<u64>, point: Point },
    Refusal { status: u16, code: String },
    Reset { point: Point },
    LostAcknowledgement,
    Hang,
}

/// What happens to one body.
#[derive(Debug, Clone, Default)]
pub(super) struct BodyPlan {
    /// Flip a bit here.
    pub(super) corrupt: Option<Place>,
    /// Break off after this many bytes.
    pub(super) truncate: Option<u64>,
    /// Stop for good after this many bytes.
    pub(super) hang: Option<u64>,
    /// Rates to keep.
    pub(super) pacers: Vec<Arc<Pacer>>,
}

/// A byte of a body.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    At(u64),
    /// Any, by this number modulo the length.
    Random(u64),
}

/// What becomes of one request.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub(super) delay: Duration,
    pub(super) end: Option<End>,
    pub(super) request: BodyPlan,
    pub(super) response: BodyPlan,
    /// Whether a truncated response looks complete.
    pub(super) silent: bool,
    pub(super) strip_request: Vec<String>,
    pub(super) strip_response: Vec<String>,
    /// Faults that have happened by being planned; those of bodies are counted when they happen.
    pub(super) struck: Vec<&'static str>,
}

/// The rules in force and how often each has matched.
#[derive(Debug)]
pub(super) struct Judge {
    seed: u64,
    rules: Vec<(Rule, Progress)>,
    requests: u64,
}

#[derive(Debug, Default)]
struct Progress {
    matched: u64,
    struck: u64,
    pacer: Option<Arc<Pacer>>,
}

impl Judge {
    pub(super) fn new(rules: Rules) -> Self {
        let mut judge = Self { seed: rules.seed, rules: Vec::new(), requests: 0 };
        for rule in rules.rules {
            judge.add(rule);
        }
        judge
    }

    pub(super) fn add(&mut self, rule: Rule) {
        let pacer = match rule.fault {
            Fault::Bandwidth { bytes_per_second } => Some(Arc::new(Pacer::new(bytes_per_second))),
            _ => None,
        };
        self.rules.push((rule, Progress { pacer, ..Progress::default() }));
    }

    /// The fate of the next request. Of several faults that end a request, the first rule's counts.
    pub(super) fn plan(&mut self, request: &Parts) -> Plan {
        self.requests += 1;
        let mut plan = Plan::default();
        for (index, (rule, progress)) in self.rules.iter_mut().enumerate() {
            if !rule.when.holds(request) {
                continue;
            }
            progress.matched += 1;
            if progress.matched <= rule.skip || rule.times.is_some_and(|times| progress.struck >= times) {
                continue;
            }
            let mut draw = Draw::new(self.seed, self.requests, index as u64);
            if draw.fraction() >= rule.probability {
                continue;
            }
            progress.struck += 1;
            plan.apply(&rule.fault, &mut draw, progress.pacer.as_ref());
        }
        plan
    }
}

impl Plan {
    fn apply(&mut self, fault: &Fault, draw: &mut Draw, pacer: Option<&Arc<Pacer>>) {
        let place = |at: &Option<u64>, draw: &mut Draw| at.map_or_else(|| Place::Random(draw.number()), Place::At);
        match fault {
            Fault::Latency { fixed_ms, jitter_ms } => {
                let jitter = Duration::from_millis(*jitter_ms).mul_f64(draw.fraction());
                self.delay += Duration::from_millis(*fixed_ms) + jitter;
                self.struck.push(fault.name());
            }
            Fault::Status { code, retry_after_s, point } => {
                self.end(fault, End::Status { code: *code, retry_after_s: *retry_after_s, point: *point });
            }
            Fault::Refusal { status, code } => self.end(fault, End::Refusal { status: *status, code: code.clone() }),
            Fault::Reset { point } => self.end(fault, End::Reset { point: *point }),
            Fault::LostAcknowledgement => self.end(fault, End::LostAcknowledgement),
            Fault::Hang { at: None } => self.end(fault, End::Hang),
            Fault::Hang { at: Some(at) } => self.response.hang = Some(*at),
            Fault::TruncateResponse { at, silent } => {
                self.response.truncate = Some(*at);
                self.silent = *silent;
            }
            Fault::TruncateRequest { at } => self.request.truncate = Some(*at),
            Fault::CorruptResponse { at } => self.response.corrupt = Some(place(at, draw)),
            Fault::CorruptRequest { at } => self.request.corrupt = Some(place(at, draw)),
            Fault::StripRequestHeaders { names } => self.strip_request.extend(names.iter().cloned()),
            Fault::StripResponseHeaders { names } => self.strip_response.extend(names.iter().cloned()),
            Fault::Bandwidth { .. } => {
                self.request.pacers.extend(pacer.cloned());
                self.response.pacers.extend(pacer.cloned());
                self.struck.push(fault.name());
            }
        }
    }

    fn end(&mut self, fault: &Fault, end: End) {
        if self.end.is_none() {
            self.end = Some(end);
            self.struck.push(fault.name());
        }
    }
}

/// Random numbers for one rule and one request: SplitMix64 (Steele, Lea, Flood 2014), which needs no state beyond a counter.
struct Draw(u64);

impl Draw {
    fn new(seed: u64, request: u64, rule: u64) -> Self {
        let mut draw = Self(seed);
        draw.0 ^= draw.number() ^ request.rotate_left(17);
        draw.0 ^= draw.number() ^ rule.rotate_left(41);
        draw
    }

    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// At least 0 and less than 1, on the 53 bits that a double holds.
    fn fraction(&mut self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
        let numerator = (self.number() >> 11) as f64;
        numerator / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::proxy::rule::Match;

    fn request(method: &str, uri: &str) -> Parts {
        Request::builder().method(method).uri(uri).header("range", "bytes=0-1").body(()).unwrap().into_parts().0
    }

    fn struck(judge: &mut Judge, count: usize) -> Vec<bool> {
        (0..count).map(|_| judge.plan(&request("GET", "/b/k?x=1")).end.is_some()).collect()
    }

    #[test]
    fn same_seed_same_fate() {
        let rules = |seed| Rules::new(seed, [Rule::new(Fault::LostAcknowledgement).probability(0.3)]);
        let first = struck(&mut Judge::new(rules(1)), 10_000);
        assert_eq!(first, struck(&mut Judge::new(rules(1)), 10_000));
        assert_ne!(first, struck(&mut Judge::new(rules(2)), 10_000));
        let share = first.iter().filter(|struck| **struck).count();
        assert!((2_850..=3_150).contains(&share), "{share} of 10,000 at 0.3");
    }

    #[test]
    fn rules_are_independent() {
        let rule = |fault| Rule::new(fault).probability(0.5);
        let rules = [rule(Fault::LostAcknowledgement), rule(Fault::Latency { fixed_ms: 1, jitter_ms: 0 })];
        let mut judge = Judge::new(Rules::new(1, rules));
        let plans: Vec<_> = (0..10_000).map(|_| judge.plan(&request("GET", "/"))).collect();
        let both = plans.iter().filter(|plan| plan.end.is_some() && !plan.delay.is_zero()).count();
        assert!((2_350..=2_650).contains(&both), "{both} of 10,000 at 0.5 × 0.5");
    }

    #[test]
    fn skip_and_times() {
        let mut judge = Judge::new(Rules::new(0, [Rule::new(Fault::LostAcknowledgement).skip(2).times(3)]));
        assert_eq!(struck(&mut judge, 7), [false, false, true, true, true, false, false]);
    }

    #[test]
    fn probability_one_always_and_zero_never() {
        let rule = |probability| Rules::new(3, [Rule::new(Fault::LostAcknowledgement).probability(probability)]);
        assert!(struck(&mut Judge::new(rule(1.0)), 1000).iter().all(|struck| *struck));
        assert!(struck(&mut Judge::new(rule(0.0)), 1000).iter().all(|struck| !*struck));
    }

    #[test]
    fn matching() {
        let get = request("GET", "/bucket/key%20a?list-type=2&uploadId=7");
        assert!(Match::default().holds(&get));
        assert!(Match::method("GET").path("/key%20a").query("uploadId=").header("Range").holds(&get));
        assert!(!Match::method("PUT").holds(&get));
        assert!(!Match::default().path("other").holds(&get));
        assert!(!Match::default().query("partNumber").holds(&get));
        assert!(!Match::default().header("if-match").holds(&get));
    }

    #[test]
    fn the_first_end_counts_and_the_rest_adds_up() {
        let rules = [
            Rule::new(Fault::Latency { fixed_ms: 2, jitter_ms: 0 }),
            Rule::new(Fault::Reset { point: Point::After }),
            Rule::new(Fault::LostAcknowledgement),
            Rule::new(Fault::Latency { fixed_ms: 3, jitter_ms: 0 }),
        ];
        let plan = Judge::new(Rules::new(0, rules)).plan(&request("GET", "/"));
        assert_eq!(plan.delay, Duration::from_millis(5));
        assert_eq!(plan.end, Some(End::Reset { point: Point::After }));
        assert_eq!(plan.struck, ["latency", "reset", "latency"]);
    }

    #[test]
    fn jitter_stays_in_its_bounds() {
        let mut judge = Judge::new(Rules::new(0, [Rule::new(Fault::Latency { fixed_ms: 10, jitter_ms: 20 })]));
        let delays: Vec<_> = (0..1000).map(|_| judge.plan(&request("GET", "/")).delay).collect();
        assert!(delays.iter().all(|delay| (10..30).contains(&delay.as_millis())));
        assert!(delays.iter().max() > Some(&Duration::from_millis(28)), "the whole range is used");
    }
}
