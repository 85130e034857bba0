//! How much one address may ask for: a bucket of tokens for each, which fills with time.
//!
//! Bounded: of more addresses than that, those that have been quiet longest are forgotten, which is what a full bucket amounts to.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Addresses that are remembered at once.
const MOST_ADDRESSES: usize = 16_384;
/// How many seconds' worth may be asked for in one burst.
const BURST_SECONDS: f64 = 2.0;

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Duration,
}

/// The limit of each address.
#[derive(Debug)]
pub(super) struct RateLimit {
    per_second: f64,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

impl RateLimit {
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second.max(1)), buckets: Mutex::default() }
    }

    /// Whether `address` may ask once more, `now` being the clock's monotonic time.
    pub(super) fn allows(&self, address: IpAddr, now: Duration) -> bool {
        let most = self.per_second * BURST_SECONDS;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST_ADDRESSES && !buckets.contains_key(&address) {
            // Those that are full again say nothing; if none is, the oldest half goes.
            let full = Duration::from_secs_f64(BURST_SECONDS);
            buckets.retain(|_, bucket| now.saturating_sub(bucket.filled) < full);
            if buckets.len() >= MOST_ADDRESSES {
                let mut times: Vec<Duration> = buckets.values().map(|bucket| bucket.filled).collect();
                times.sort_unstable();
                let middle = times.get(times.len() / 2).copied().unwrap_or(now);
                buckets.retain(|_, bucket| bucket.filled > middle);
            }
        }
        let bucket = buckets.entry(address).or_insert(Bucket { tokens: most, filled: now });
        let since = now.saturating_sub(bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + since * self.per_second).min(most);
        bucket.filled = now.max(bucket.filled);
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_bucket_and_there_is_an_end_to_them() {
        let limit = RateLimit::new(10);
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        let at = |milliseconds: u64| Duration::from_millis(milliseconds);
        assert!((0..20).all(|_| limit.allows(address(1), at(0))));
        assert!(!limit.allows(address(1), at(0)) && limit.allows(address(2), at(0)));
        assert!(limit.allows(address(1), at(100)) && !limit.allows(address(1), at(100)));
        // Time that runs backwards gives nothing.
        assert!(!limit.allows(address(1), at(50)) && !limit.allows(address(1), at(100)));
        for number in 0..3 * MOST_ADDRESSES as u32 {
            assert!(limit.allows(address(number + 1_000), at(200)));
        }
        assert!(limit.buckets.lock().unwrap().len() <= MOST_ADDRESSES);
    }
}
