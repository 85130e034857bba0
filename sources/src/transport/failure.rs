//! A failure that another attempt may mend, and what it becomes if none does.

use std::error::Error;
use std::time::Duration;

use http::Uri;
use object_store::client::{HttpError, HttpErrorKind};

use super::scrub::Carried;
use crate::error::Fault;
use crate::stats::{Outcome, RequestKind};

/// A failed attempt.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) cause: Cause,
    /// What happened, scrubbed.
    pub(super) text: String,
    /// The pause the provider asks for.
    pub(super) retry_after: Option<Duration>,
}

/// What kind of failure it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// No connection: nothing was sent.
    Connect {
        /// Host and port.
        endpoint: String,
    },
    /// The connection broke, or the answer was cut off.
    Broken,
    /// No complete answer in time.
    TimedOut,
    /// The provider answered that it can't just now.
    Busy {
        /// HTTP status.
        status: u16,
        /// The provider's code.
        code: String,
        /// Whether it asks to slow down.
        throttled: bool,
    },
    /// The provider got, or has stored, other bytes than were sent.
    Damaged {
        /// Bytes of the body.
        length: u64,
    },
}

impl Failure {
    /// A failure to send a request or to read its answer.
    pub(super) fn of_connection(error: &HttpError, uri: &Uri, carried: &Carried) -> Self {
        let cause = match error.kind() {
            HttpErrorKind::Connect => Cause::Connect { endpoint: endpoint(uri) },
            HttpErrorKind::Timeout => Cause::TimedOut,
            _ => Cause::Broken,
        };
        Self { cause, text: carried.scrub(&innermost(error)), retry_after: None }
    }

    /// An answer that can't be used.
    pub(super) fn broken(text: String) -> Self {
        Self { cause: Cause::Broken, text, retry_after: None }
    }

    /// No answer within `allowed`.
    pub(super) fn timed_out(allowed: Duration) -> Self {
        Self { cause: Cause::TimedOut, text: format!("no complete answer within {allowed:?}"), retry_after: None }
    }

    /// What such an attempt is counted as.
    pub(super) fn outcome(&self) -> Outcome {
        match self.cause {
            Cause::TimedOut => Outcome::TimedOut,
            Cause::Connect { .. } | Cause::Broken | Cause::Damaged { .. } => Outcome::Broken,
            Cause::Busy { throttled: true, .. } => Outcome::Throttled,
            Cause::Busy { throttled: false, .. } => Outcome::Failed,
        }
    }

    /// The fault to report after `attempts` of them in `elapsed`, of which this was the last.
    pub(super) fn into_fault(self, kind: RequestKind, spent: Spent) -> Fault {
        let Spent { attempts, elapsed, deadline, out_of_time } = spent;
        match self.cause {
            Cause::Connect { endpoint } if kind == RequestKind::Token => Fault::NoCredentials {
                reason: format!("{endpoint}, which should give them out, cannot be reached: {}", self.text),
            },
            Cause::Connect { endpoint } => Fault::Unreachable { endpoint, reason: self.text },
            Cause::Damaged { length } => Fault::Corrupt {
                what: "an upload on its way to the provider".to_owned(),
                start: 0,
                end: length,
                check: self.text,
            },
            Cause::Busy { status, code, .. } if !out_of_time => {
                Fault::Busy { status, code, message: format!("{} (after {attempts} attempts)", self.text) }
            }
            Cause::Busy { status, code, .. } => {
                let last = format!("{status} {code}: {}", self.text);
                Fault::Deadline { attempts, elapsed, deadline, last }
            }
            Cause::Broken | Cause::TimedOut => Fault::Deadline { attempts, elapsed, deadline, last: self.text },
        }
    }
}

/// What a request has cost when it is given up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    /// Attempts made.
    pub(super) attempts: u32,
    /// Time since the first.
    pub(super) elapsed: Duration,
    /// Time allowed.
    pub(super) deadline: Duration,
    /// Whether time ran out, and not attempts.
    pub(super) out_of_time: bool,
}

/// Host and port, which is what a person checks first.
fn endpoint(uri: &Uri) -> String {
    let host = uri.host().unwrap_or("the endpoint");
    match uri.port_u16() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// The innermost causes say most: `Connection refused (os error 111)`, `failed to lookup address information`. The two innermost are
/// kept, since a TLS library's last word alone may say little.
fn innermost(error: &HttpError) -> String {
    let mut texts = Vec::new();
    // The outermost one is `object_store`'s wrapping.
    let mut cause = error.source();
    while let Some(found) = cause {
        texts.push(found.to_string());
        cause = found.source();
    }
    texts.dedup();
    let mut kept: Vec<String> = texts.into_iter().rev().take(2).collect();
    if let [inner, outer] = kept.as_slice()
        && outer.contains(inner.as_str())
    {
        kept.remove(0);
    }
    kept.reverse();
    kept.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    fn failure(kind: HttpErrorKind) -> Failure {
        let inner = Layer { text: "Connection refused (os error 111)", source: None };
        let outer = Layer { text: "tcp connect error", source: Some(Box::new(inner)) };
        let error = HttpError::new(kind, outer);
        Failure::of_connection(&error, &Uri::from_static("http://127.0.0.1:9/b/k?sig=hush"), &Carried::default())
    }

    fn spent(out_of_time: bool) -> Spent {
        Spent { attempts: 3, elapsed: Duration::from_secs(7), deadline: Duration::from_secs(60), out_of_time }
    }

    #[test]
    fn connections_that_fail() {
        let refused = failure(HttpErrorKind::Connect);
        assert_eq!(refused.text, "tcp connect error: Connection refused (os error 111)");
        assert_eq!(
            refused.clone().into_fault(RequestKind::Get, spent(false)).to_string(),
            "cannot reach 127.0.0.1:9: tcp connect error: Connection refused (os error 111); check the endpoint, the network and the proxy settings"
        );
        assert!(matches!(refused.into_fault(RequestKind::Token, spent(false)), Fault::NoCredentials { .. }));
        assert_eq!(failure(HttpErrorKind::Timeout).outcome(), Outcome::TimedOut);
        let broken = failure(HttpErrorKind::Interrupted).into_fault(RequestKind::Get, spent(false));
        assert!(matches!(broken, Fault::Deadline { attempts: 3, .. }));
    }

    #[test]
    fn a_library_that_quotes_the_request_is_scrubbed() {
        let inner = Layer { text: "error sending request for url (http://h/c/b?sv=1&sig=hush): reset", source: None };
        let error = HttpError::new(HttpErrorKind::Interrupted, inner);
        let failure = Failure::of_connection(&error, &Uri::from_static("http://h/c/b?sig=hush"), &Carried::default());
        assert_eq!(failure.text, "error sending request for url (http://h/c/b): reset");
    }

    #[test]
    fn busy_providers() {
        let cause = Cause::Busy { status: 503, code: "SlowDown".to_owned(), throttled: true };
        let busy = Failure { cause, text: "reduce your request rate".to_owned(), retry_after: None };
        assert_eq!(busy.outcome(), Outcome::Throttled);
        assert_eq!(
            busy.clone().into_fault(RequestKind::Put, spent(false)).to_string(),
            "the provider answers 503 SlowDown: reduce your request rate (after 3 attempts)"
        );
        assert_eq!(
            busy.into_fault(RequestKind::Put, spent(true)).to_string(),
            "gave up after 3 attempts in 7s (deadline 60s); the last answer: 503 SlowDown: reduce your request rate"
        );
    }
}
