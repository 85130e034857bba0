//! What is counted, as Prometheus reads it. No label holds a URL or a token.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

/// Calls by method and status. Both are bounded sets: unknown methods are counted as `other`.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    calls: Mutex<BTreeMap<(&'static str, u16), u64>>,
}

impl Metrics {
    pub(super) fn call(&self, method: &http::Method, status: u16) {
        let method = match method.as_str() {
            "DELETE" => "DELETE",
            "GET" => "GET",
            "HEAD" => "HEAD",
            "POST" => "POST",
            "PUT" => "PUT",
            _ => "other",
        };
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner).entry((method, status)).or_default() += 1;
    }

    /// The page. `others` are name, sort, help and value.
    pub(super) fn page(&self, others: &[(&str, &str, &str, u64)]) -> String {
        let mut page =
            String::from("# HELP ickpt_calls_total Calls that were answered.\n# TYPE ickpt_calls_total counter\n");
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        for ((method, status), count) in calls.iter() {
            // Writing to a string cannot fail.
            let _ = writeln!(page, "ickpt_calls_total{{method=\"{method}\",status=\"{status}\"}} {count}");
        }
        for (name, sort, help, value) in others {
            let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {sort}\n{name} {value}");
        }
        page
    }
}
