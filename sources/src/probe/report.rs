//! The table of what holds.

use std::fmt;
use std::sync::Arc;

use super::checks::Checks;
use super::{ProbeCheck, ProbeOutcome, ProbeRow};
use crate::bucket::{OpenBucket, open_source, prove_bucket};
use crate::error::{Error, Fault};
use crate::name::Names;
use crate::options::BucketOptions;
use crate::source::Provider;
use crate::stats::Stats;

/// What a store was found to do; `Display` prints the table.
///
/// ```
/// # use plastron_sources::{BucketOptions, ProbeReport, Provider};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let report = ProbeReport::of(BucketOptions::new(Provider::Memory, "")).await;
/// assert!(report.holds());
/// println!("{report}");
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeReport {
    /// Where the bucket is, without secrets.
    pub address: String,
    /// Which provider it is.
    pub provider: Provider,
    /// One row for each [`ProbeCheck`], in their order.
    pub rows: Vec<ProbeRow>,
}

impl ProbeReport {
    /// Probes the bucket that `options` name. Unlike [`crate::Bucket::open`] this never fails: what fails is a row.
    pub async fn of(options: BucketOptions) -> Self {
        let provider = options.provider;
        let opened = async {
            let failed = |fault| Error::new("probe", provider.as_str(), fault);
            options.validate().map_err(failed)?;
            let names = Names::new(&options.prefix, provider).map_err(failed)?;
            let stats = Arc::new(Stats::new(provider));
            let source = open_source(&options, &stats).await?;
            Ok::<_, Error>(OpenBucket::new(source, options, names, stats))
        };
        match opened.await {
            Ok(bucket) => Self::of_bucket(&bucket).await,
            Err(error) => {
                let mut report = Self { address: error.target().to_owned(), provider, rows: Vec::new() };
                report.opening(Err(error.fault().clone()));
                report.skip_rest("the bucket could not be opened");
                report
            }
        }
    }

    /// Probes an opened bucket.
    pub(crate) async fn of_bucket(bucket: &OpenBucket) -> Self {
        let mut report =
            Self { address: bucket.source.address.clone(), provider: bucket.source.provider, rows: Vec::new() };
        if !report.opening(prove_bucket(bucket).await) {
            report.skip_rest("the bucket could not be opened");
        } else if bucket.options.readonly {
            report.skip_rest("the bucket is opened with readonly=true");
        } else {
            let mut checks = Checks::new(bucket);
            Box::pin(checks.run(&mut report)).await;
        }
        report
    }

    /// Whether everything holds; skipped checks don't.
    pub fn holds(&self) -> bool {
        self.rows.len() == ProbeCheck::ALL.len() && self.rows.iter().all(|row| row.outcome == ProbeOutcome::Ok)
    }

    /// The row of `check`.
    pub fn row(&self, check: ProbeCheck) -> Option<&ProbeRow> {
        self.rows.iter().find(|row| row.check == check)
    }

    /// What one list request says about credentials and existence.
    fn opening(&mut self, listed: Result<(), Fault>) -> bool {
        let opened = listed.is_ok();
        match listed {
            Ok(()) => {
                self.add(ProbeCheck::Credentials, Ok("accepted".to_owned()));
                self.add(ProbeCheck::Existence, Ok("it answers a list request".to_owned()));
            }
            Err(fault @ Fault::NoSuchBucket) => {
                self.add(ProbeCheck::Credentials, Ok("accepted".to_owned()));
                self.add(ProbeCheck::Existence, Err(fault));
            }
            Err(fault) => self.add(ProbeCheck::Credentials, Err(fault)),
        }
        opened
    }

    pub(super) fn add(&mut self, check: ProbeCheck, result: Result<String, Fault>) {
        let (outcome, why) = match result {
            Ok(why) => (ProbeOutcome::Ok, why),
            Err(fault) => (ProbeOutcome::Failed, Error::new("probe", check.as_str(), fault).fault().to_string()),
        };
        self.rows.push(ProbeRow { check, outcome, why });
    }

    pub(super) fn skip_rest(&mut self, why: &str) {
        for check in ProbeCheck::ALL {
            if self.row(check).is_none() {
                self.rows.push(ProbeRow { check, outcome: ProbeOutcome::Skipped, why: why.to_owned() });
            }
        }
    }
}

impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.address)?;
        let width = ProbeCheck::ALL.iter().map(|check| check.as_str().len()).max().unwrap_or_default();
        for row in &self.rows {
            writeln!(f, "  {:width$}  {:7}  {}", row.check, row.outcome, row.why)?;
        }
        Ok(())
    }
}
