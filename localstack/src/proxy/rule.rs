//! What to break, when, and how often.

use std::path::Path;

use http::HeaderMap;
use http::request::Parts;
use plastron_config::ErrorKind;
use serde::{Deserialize, Serialize};

use crate::error::{Context as _, Error, Result};

/// Something that goes wrong with one request. Offsets and sizes are bytes of the body as it is on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// The request waits before it is passed on: always `fixed_ms`, and up to `jitter_ms` more.
    Latency {
        /// Milliseconds.
        fixed_ms: u64,
        /// Milliseconds; uniformly distributed.
        #[serde(default)]
        jitter_ms: u64,
    },
    /// The client gets this status (429, 500, 503, …) with an error document as S3's.
    Status {
        /// The status code.
        code: u16,
        /// `Retry-After`, seconds.
        #[serde(default)]
        retry_after_s: Option<u64>,
        /// Whether the server has carried the request out.
        #[serde(default)]
        point: Point,
    },
    /// The client gets this status with this code in the error document: `ExpiredToken`, say.
    Refusal {
        /// The status code.
        status: u16,
        /// The provider's word for it: in S3's and GCS's `<Code>`, and in Azure's `x-ms-error-code`.
        code: String,
    },
    /// The client's connection is reset (RST).
    Reset {
        /// Whether the server has carried the request out.
        #[serde(default)]
        point: Point,
    },
    /// The server carries the request out; the client's connection is closed before the answer.
    LostAcknowledgement,
    /// The connection is closed after this much of the response's body.
    TruncateResponse {
        /// Bytes that still arrive.
        at: u64,
        /// Instead of closing: shorten `Content-Length` too, so that HTTP finds nothing wrong.
        #[serde(default)]
        silent: bool,
    },
    /// The server gets this much of the request's body; then both connections break.
    TruncateRequest {
        /// Bytes that still arrive.
        at: u64,
    },
    /// One bit of the response's body is flipped.
    CorruptResponse {
        /// Which byte; a random one of the body by default.
        #[serde(default)]
        at: Option<u64>,
    },
    /// One bit of the request's body is flipped.
    CorruptRequest {
        /// Which byte; a random one of the body by default.
        #[serde(default)]
        at: Option<u64>,
    },
    /// Nothing more comes after this much of the response's body, and the connection stays open.
    Hang {
        /// Bytes that still arrive. By default not even a status, and the server never sees the request.
        #[serde(default)]
        at: Option<u64>,
    },
    /// These headers of the request do not reach the server.
    StripRequestHeaders {
        /// Their names, in lower case.
        names: Vec<String>,
    },
    /// These headers of the response do not reach the client.
    StripResponseHeaders {
        /// Their names, in lower case.
        names: Vec<String>,
    },
    /// All bodies that this rule hits, up and down together, pass at no more than this rate.
    Bandwidth {
        /// Bytes a second.
        bytes_per_second: u64,
    },
}

impl Fault {
    /// The fault's name, as in JSON and in the counters.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Status { .. } => "status",
            Self::Refusal { .. } => "refusal",
            Self::Reset { .. } => "reset",
            Self::LostAcknowledgement => "lost_acknowledgement",
            Self::TruncateResponse { .. } => "truncate_response",
            Self::TruncateRequest { .. } => "truncate_request",
            Self::CorruptResponse { .. } => "corrupt_response",
            Self::CorruptRequest { .. } => "corrupt_request",
            Self::Hang { .. } => "hang",
            Self::StripRequestHeaders { .. } => "strip_request_headers",
            Self::StripResponseHeaders { .. } => "strip_response_headers",
            Self::Bandwidth { .. } => "bandwidth",
        }
    }

    /// Strips the headers that make a write or read conditional, at all three providers: a server that checks no signatures
    /// (moto, LocalStack, GCS) becomes one that ignores preconditions. Servers that do check refuse the request instead, since
    /// `object_store` signs these headers.
    pub fn strip_conditions() -> Self {
        let names = ["if-match", "if-none-match", "x-goog-if-generation-match", "x-amz-copy-source-if-match"];
        Self::StripRequestHeaders { names: names.map(str::to_owned).into() }
    }
}

/// Where on its way a request is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// Before the server has seen anything of it.
    #[default]
    Before,
    /// After the server has carried it out.
    After,
}

/// Which requests a rule is about: those for which all that is set holds. The default is every request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Match {
    /// The method, such as `GET`.
    pub method: Option<String>,
    /// Text that the path, as it is on the wire (percent-encoded), contains.
    pub path: Option<String>,
    /// Text that the query contains, such as `uploadId=` or `list-type=2`.
    pub query: Option<String>,
    /// A header that the request has, such as `range`.
    pub header: Option<String>,
}

impl Match {
    /// Requests of one method.
    pub fn method(method: &str) -> Self {
        Self { method: Some(method.to_owned()), ..Self::default() }
    }

    /// And only those whose path contains `text`.
    #[must_use]
    pub fn path(mut self, text: &str) -> Self {
        self.path = Some(text.to_owned());
        self
    }

    /// And only those whose query contains `text`.
    #[must_use]
    pub fn query(mut self, text: &str) -> Self {
        self.query = Some(text.to_owned());
        self
    }

    /// And only those that have this header.
    #[must_use]
    pub fn header(mut self, name: &str) -> Self {
        self.header = Some(name.to_owned());
        self
    }

    pub(super) fn holds(&self, request: &Parts) -> bool {
        let contains = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|wanted| text.contains(wanted));
        self.method.as_ref().is_none_or(|method| request.method == method.as_str())
            && contains(&self.path, request.uri.path())
            && contains(&self.query, request.uri.query().unwrap_or_default())
            && self.header.as_ref().is_none_or(|name| has_header(&request.headers, name))
    }
}

fn has_header(headers: &HeaderMap, name: &str) -> bool {
    headers.keys().any(|present| present.as_str().eq_ignore_ascii_case(name))
}

/// A fault, the requests it is for, and how many of them it strikes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rule {
    /// What happens.
    pub fault: Fault,
    /// To which requests.
    #[serde(default)]
    pub when: Match,
    /// To which share of them, 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// How many matching requests pass before the rule begins.
    #[serde(default)]
    pub skip: u64,
    /// How many it strikes before it ends; without end by default.
    #[serde(default)]
    pub times: Option<u64>,
}

const fn always() -> f64 {
    1.0
}

impl Rule {
    /// `fault` for every request.
    pub fn new(fault: Fault) -> Self {
        Self { fault, when: Match::default(), probability: always(), skip: 0, times: None }
    }

    /// Only for these requests.
    #[must_use]
    pub fn when(mut self, when: Match) -> Self {
        self.when = when;
        self
    }

    /// Only for this share of them, 0 to 1.
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    /// Only after this many matching requests have passed.
    #[must_use]
    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Only this many times.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }
}

/// All rules of a proxy, as a file holds them.
///
/// ```json
/// { "seed": 7, "rules": [
///     { "fault": { "latency": { "fixed_ms": 30, "jitter_ms": 5 } } },
///     { "fault": { "status": { "code": 503, "retry_after_s": 1 } }, "when": { "method": "PUT" }, "probability": 0.05 },
///     { "fault": "lost_acknowledgement", "when": { "query": "uploadId=" }, "times": 1 }
/// ] }
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Rules {
    /// Decides, with the order of requests, which are struck.
    pub seed: u64,
    /// Asked in this order for every request.
    pub rules: Vec<Rule>,
}

impl Rules {
    /// Rules with a seed.
    pub fn new(seed: u64, rules: impl IntoIterator<Item = Rule>) -> Self {
        Self { seed, rules: rules.into_iter().collect() }
    }

    /// Reads rules from JSON.
    ///
    /// # Errors
    /// `Invalid` with the place in the text.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text)
            .map_err(|error| Error::new(ErrorKind::Invalid, format!("these are no rules for the fault proxy: {error}")))
    }

    /// Reads rules from a JSON file. Blocks.
    ///
    /// # Errors
    /// `Unavailable` when the file cannot be read, `Invalid` when it does not hold rules.
    pub fn from_file(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).context(|| format!("read {}", path.display()))?;
        Self::from_json(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_as_json() {
        let text = r#"{ "seed": 7, "rules": [
            { "fault": { "latency": { "fixed_ms": 30, "jitter_ms": 5 } } },
            { "fault": { "status": { "code": 503, "retry_after_s": 1 } }, "when": { "method": "PUT" }, "probability": 0.05 },
            { "fault": { "reset": { "point": "after" } }, "skip": 3 },
            { "fault": "lost_acknowledgement", "when": { "query": "uploadId=" }, "times": 1 }
        ] }"#;
        let expected = Rules::new(
            7,
            [
                Rule::new(Fault::Latency { fixed_ms: 30, jitter_ms: 5 }),
                Rule::new(Fault::Status { code: 503, retry_after_s: Some(1), point: Point::Before })
                    .when(Match::method("PUT"))
                    .probability(0.05),
                Rule::new(Fault::Reset { point: Point::After }).skip(3),
                Rule::new(Fault::LostAcknowledgement).when(Match::default().query("uploadId=")).times(1),
            ],
        );
        let rules = Rules::from_json(text).unwrap();
        assert_eq!(rules, expected);
        assert_eq!(Rules::from_json(&serde_json::to_string(&rules).unwrap()).unwrap(), rules);
    }

    #[test]
    fn misspelt_rules_are_refused() {
        for text in [
            r#"{ "rules": [ { "fault": "explode" } ] }"#,
            r#"{ "rules": [ { "fault": "lost_acknowledgement", "probabilty": 1 } ] }"#,
            r#"{ "rules": [ { "fault": { "hang": { "after": 1 } } } ] }"#,
            r#"{ "rule": [] }"#,
        ] {
            assert_eq!(Rules::from_json(text).unwrap_err().kind(), ErrorKind::Invalid, "{text}");
        }
    }
}
