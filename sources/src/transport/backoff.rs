//! How long to wait before a request is sent again.
//!
//! Exponential back-off with full jitter: the n-th pause is drawn evenly from nothing to `initial · 2^n`, at most `max`. Full
//! jitter spreads clients that failed together best (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
//! Where the provider names a time itself, the request is not sent earlier.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;

use super::http_date;
use crate::clock::Entropy;
use crate::options::RetryOptions;

/// The pause after the `failures`-th failure in a row (from 1).
pub(super) fn pause(options: &RetryOptions, failures: u32, entropy: &dyn Entropy) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let ceiling = options.initial.saturating_mul(1 << doublings).min(options.max);
    let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(scale(entropy.next_u64(), nanos))
}

/// A number from 0 to `limit`, for a `random` one of the whole range.
fn scale(random: u64, limit: u64) -> u64 {
    ((u128::from(random) * (u128::from(limit) + 1)) >> 64) as u64
}

/// What `Retry-After` (or Azure's and others' `x-ms-retry-after-ms`) asks for, from `now` on.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(millis) = text("x-ms-retry-after-ms").and_then(|text| text.trim().parse().ok()) {
        return Some(Duration::from_millis(millis));
    }
    let value = text(RETRY_AFTER.as_str())?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    // A moment that has passed already asks for nothing more.
    http_date::parse(value).map(|moment| moment.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug)]
    struct Fixed(u64);

    impl Entropy for Fixed {
        fn next_u64(&self) -> u64 {
            self.0
        }
    }

    fn options(initial: u64, max: u64) -> RetryOptions {
        RetryOptions {
            initial: Duration::from_millis(initial),
            max: Duration::from_millis(max),
            ..RetryOptions::default()
        }
    }

    proptest! {
        #[test]
        fn a_pause_is_between_nothing_and_its_ceiling(initial in 0_u64..10_000, max in 0_u64..100_000, failures in 0_u32..100, random: u64) {
            let found = pause(&options(initial, max), failures, &Fixed(random));
            let ceiling = (u128::from(initial) << failures.saturating_sub(1).min(60)).min(u128::from(max));
            prop_assert!(found.as_millis() <= ceiling);
        }
    }

    #[test]
    fn the_whole_span_is_used() {
        assert_eq!(pause(&options(50, 5_000), 3, &Fixed(0)), Duration::ZERO);
        assert_eq!(pause(&options(50, 5_000), 3, &Fixed(u64::MAX)), Duration::from_millis(200));
        assert_eq!(pause(&options(50, 5_000), 30, &Fixed(u64::MAX)), Duration::from_secs(5));
    }

    #[test]
    fn retry_after_in_its_forms() {
        let now = http_date::parse("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let after = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, http::HeaderValue::from_static(value));
            retry_after(&headers, now)
        };
        assert_eq!(after("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(after("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(after("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(after("retry-after", "soon"), None);
        assert_eq!(after("x-ms-retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
