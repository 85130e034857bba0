//! Which options make sense.

use super::BucketOptions;
use crate::error::Fault;
use crate::source::Provider;

/// Smallest part: one checksum block.
const MIN_PART_BYTES: u64 = 256 << 10;

/// Smallest part of S3 and of Google's XML interface, but for the last.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const MIN_CLOUD_PART_BYTES: u64 = 5 << 20;

/// Largest part: the largest single PUT of S3.
const MAX_PART_BYTES: u64 = 5 << 30;

impl BucketOptions {
    /// Checks what can be checked without a request.
    ///
    /// # Errors
    /// [`Fault::Config`] with the setting, its value and what it may be.
    pub fn validate(&self) -> Result<(), Fault> {
        let invalid = |text: String| Err(Fault::Config(text));
        let least = match self.provider {
            Provider::S3 | Provider::Gcp => MIN_CLOUD_PART_BYTES,
            _ => MIN_PART_BYTES,
        };
        if self.part_size < least || self.part_size > MAX_PART_BYTES {
            return invalid(format!(
                "part_size={} is out of range: with {}, a part has {least} to {MAX_PART_BYTES} bytes",
                self.part_size, self.provider
            ));
        }
        if !(1..=1024).contains(&self.part_concurrency) {
            return invalid(format!("part_concurrency={} is out of range: 1 to 1024", self.part_concurrency));
        }
        if self.bucket.is_empty() && self.provider != Provider::Memory {
            return invalid(format!("{} needs a bucket; set bucket=", self.provider));
        }
        if self.retry.attempts == 0 {
            return invalid("retry=(attempts=0) is out of range: the first attempt counts, so 1 at least".to_owned());
        }
        for (name, value) in [
            ("retry=(deadline)", self.retry.deadline),
            ("retry=(max)", self.retry.max),
            ("timeout=(connect)", self.timeout.connect),
            ("timeout=(request)", self.timeout.request),
        ] {
            if value.is_zero() {
                return invalid(format!("{name} must not be zero"));
            }
        }
        if self.limits.requests == 0 {
            return invalid("limits=(requests=0) is out of range: 1 at least".to_owned());
        }
        if self.hedge.budget_percent > 100 {
            return invalid(format!("hedge=(budget_percent={}) is out of range: 0 to 100", self.hedge.budget_percent));
        }
        Ok(())
    }
}
