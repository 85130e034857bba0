//! Options from a configuration string, and the schema of its keys.

use std::sync::LazyLock;

use plastron_config::{Config, Schema};

use super::{BucketOptions, ChecksumPolicy, ProbeMode};
use crate::error::{Error, Fault, Result};
use crate::secret::Secret;
use crate::source::Provider;

/// What `source` may be, and what it means.
const SOURCES: [(&str, Provider); 13] = [
    ("dir_store", Provider::Dir),
    ("memory_store", Provider::Memory),
    ("s3_store", Provider::S3),
    ("azure_store", Provider::Azure),
    ("gcp_store", Provider::Gcp),
    ("dir", Provider::Dir),
    ("memory", Provider::Memory),
    ("s3", Provider::S3),
    ("azure", Provider::Azure),
    ("az", Provider::Azure),
    ("gcp", Provider::Gcp),
    ("gs", Provider::Gcp),
    ("gcs", Provider::Gcp),
];

const SOURCE_NAMES: [&str; SOURCES.len()] = {
    let mut names = [""; SOURCES.len()];
    let mut at = 0;
    while at < SOURCES.len() {
        #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks it")]
        {
            names[at] = SOURCES[at].0;
        }
        at += 1;
    }
    names
};

const PROBE_MODES: [&str; 3] = ["start", "first_write", "off"];
const CHECKSUM_POLICIES: [&str; 2] = ["available", "required"];

impl BucketOptions {
    /// The keys of a configuration string that are a bucket's, with their help and defaults. Whoever has keys of its own in the same
    /// string, such as `cache=(…)`, adds them to it.
    pub fn schema() -> Schema {
        Schema::new("store")
            .about("A bucket and how it is treated.")
            .choice("source", "Which provider.", &SOURCE_NAMES, "")
            .required()
            .string(
                "bucket",
                "The bucket: a directory, a bucket's name (for S3 also name;region), or a container. memory_store needs none.",
            )
            .string("bucket_prefix", "Put in front of every object name, as it stands: db1/ or db1_.")
            .secret(
                "auth_token",
                "Credentials. S3: access key;secret key[;session token]. Azure: a connection string. GCP: the path of a service-account \
                 file. Empty: the provider's chain of environment, files and machine identity.",
            )
            .string("endpoint", "The service's URL, for S3- and GCS-compatible servers and for Azure without a connection string.")
            .string("region", "The region, for S3; wins over the one in bucket.")
            .boolean(
                "path_style",
                "S3: ask for endpoint/bucket/key rather than bucket.endpoint/key. Default: true with an endpoint.",
                "",
            )
            .boolean("readonly", "Never write: every put and delete is refused.", "false")
            .size("part_size", "Size of one part of a large upload or download. S3 and GCP need 5MB at least.", "8MB")
            .range("256KB", "5GB")
            .number("part_concurrency", "Parts of one object in flight at once.", "8")
            .range("1", "1024")
            .choice(
                "probe",
                "When to prove that the store honours conditional creates, on which every guarantee stands.",
                &PROBE_MODES,
                "start",
            )
            .choice(
                "checksums",
                "Whether to read objects that carry no checksums of Plastron's: available reads and counts them, required refuses.",
                &CHECKSUM_POLICIES,
                "available",
            )
            .section(
                Schema::new("retry")
                    .about("Retries of one request, with exponential back-off and full jitter.")
                    .duration("deadline", "Total time for one request with all its attempts.", "60s")
                    .range("1ms", "1h")
                    .number("attempts", "Attempts at the most, the first one included.", "12")
                    .range("1", "1000")
                    .duration("initial", "The first pause.", "50ms")
                    .range("", "1h")
                    .duration("max", "The longest pause; a longer Retry-After is honoured up to the deadline.", "5s")
                    .range("1ms", "1h"),
            )
            .section(
                Schema::new("timeout")
                    .about("Time-outs of one attempt.")
                    .duration("connect", "To connect.", "5s")
                    .range("1ms", "1h")
                    .duration("request", "For the whole attempt, from connecting to the last byte.", "30s")
                    .range("1ms", "1h"),
            )
            .section(
                Schema::new("limits")
                    .about("Bounds on everything that one opened bucket does at once.")
                    .number("requests", "Requests in flight.", "128")
                    .range("1", "100000")
                    .size("bandwidth", "Bytes a second, up and down together; 0 for no limit.", "0"),
            )
            .section(
                Schema::new("hedge")
                    .about("A second, identical request for a read that is slower than most; writes are never hedged.")
                    .boolean("enabled", "Whether to hedge at all.", "true")
                    .number("budget_percent", "Per cent of reads that may be hedged at the most.", "5")
                    .range("0", "100")
                    .duration("floor", "Never hedge earlier than this.", "20ms")
                    .range("", "1h"),
            )
    }

    /// Reads the bucket's keys out of `config`; other keys are left to whoever knows them. What is not set keeps its default.
    ///
    /// # Errors
    /// `Invalid` for a source that is missing or unknown, and for a value of the wrong type or out of range.
    pub fn from_config(config: &Config) -> Result<Self> {
        read(config).map_err(wrong)
    }

    /// Reads a URL short form or a configuration string that is about a bucket alone; unknown keys are refused.
    ///
    /// ```
    /// use plastron_sources::{BucketOptions, Provider};
    ///
    /// let options = BucketOptions::parse("source=s3_store,bucket=\"pages;ap-southeast-2\",bucket_prefix=db1/,part_size=16MB")?;
    /// assert_eq!((options.provider, options.part_size), (Provider::S3, 16 << 20));
    /// assert!(BucketOptions::parse("s3://pages/db1?part_sice=16MB").is_err());
    /// # Ok::<(), plastron_sources::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`BucketOptions::from_config`], and `Invalid` for text that cannot be parsed or has keys that are not a bucket's.
    pub fn parse(text: &str) -> Result<Self> {
        static SCHEMA: LazyLock<Schema> = LazyLock::new(BucketOptions::schema);
        let config = Config::parse_store(text).map_err(wrong_text)?;
        SCHEMA.check(&config).map_err(wrong_text)?;
        Self::from_config(&config)
    }
}

fn read(config: &Config) -> Result<BucketOptions, Fault> {
    let Some(name) = config.choice("source", &SOURCE_NAMES)? else {
        return Err(Fault::Config(
            "source is missing; set source=dir_store, s3_store, azure_store or gcp_store".to_owned(),
        ));
    };
    let provider = SOURCES.iter().find(|(source, _)| *source == name).map_or(Provider::Dir, |(_, provider)| *provider);
    let mut options = BucketOptions::new(provider, config.string("bucket")?.unwrap_or_default());
    set(&mut options.prefix, config.string("bucket_prefix")?);
    set(&mut options.auth_token, config.string("auth_token")?.map(Secret::new));
    options.endpoint = config.string("endpoint")?.filter(|endpoint| !endpoint.is_empty());
    options.region = config.string("region")?.filter(|region| !region.is_empty());
    options.path_style = config.boolean("path_style")?;
    set(&mut options.readonly, config.boolean("readonly")?);
    set(&mut options.part_size, config.size("part_size")?);
    set(&mut options.part_concurrency, whole(config, "part_concurrency")?);
    let probe = config.choice("probe", &PROBE_MODES)?.map(|mode| match mode {
        "first_write" => ProbeMode::FirstWrite,
        "off" => ProbeMode::Off,
        _ => ProbeMode::Start,
    });
    set(&mut options.probe, probe);
    let checksums = config.choice("checksums", &CHECKSUM_POLICIES)?.map(|policy| match policy {
        "required" => ChecksumPolicy::Required,
        _ => ChecksumPolicy::Available,
    });
    set(&mut options.checksums, checksums);
    set(&mut options.retry.deadline, config.duration("retry.deadline")?);
    set(&mut options.retry.attempts, whole(config, "retry.attempts")?);
    set(&mut options.retry.initial, config.duration("retry.initial")?);
    set(&mut options.retry.max, config.duration("retry.max")?);
    set(&mut options.timeout.connect, config.duration("timeout.connect")?);
    set(&mut options.timeout.request, config.duration("timeout.request")?);
    set(&mut options.limits.requests, whole(config, "limits.requests")?);
    set(&mut options.limits.bandwidth, config.size("limits.bandwidth")?);
    set(&mut options.hedge.enabled, config.boolean("hedge.enabled")?);
    set(&mut options.hedge.budget_percent, whole(config, "hedge.budget_percent")?);
    set(&mut options.hedge.floor, config.duration("hedge.floor")?);
    options.validate()?;
    Ok(options)
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// A whole number that fits `T`.
fn whole<T: TryFrom<i64>>(config: &Config, path: &str) -> Result<Option<T>, Fault> {
    match config.number(path)? {
        None => Ok(None),
        Some(number) => match T::try_from(number) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Fault::Config(format!("{path}={number} is out of range"))),
        },
    }
}

fn wrong(fault: Fault) -> Error {
    Error::new("open", "configuration", fault)
}

fn wrong_text(error: plastron_config::Error) -> Error {
    wrong(error.into())
}

impl From<plastron_config::Error> for Fault {
    fn from(error: plastron_config::Error) -> Self {
        Self::Config(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_schema_is_sound_and_its_defaults_are_the_options_defaults() {
        BucketOptions::schema().validate().unwrap();
        let mut config = BucketOptions::schema().defaults().unwrap();
        config.merge(Config::parse("source=dir_store,bucket=b").unwrap());
        let read = BucketOptions::from_config(&config).unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", with_clocks_of(&read, BucketOptions::new(Provider::Dir, "b"))));
    }

    /// Clocks print differently for each instance.
    fn with_clocks_of(other: &BucketOptions, mut options: BucketOptions) -> BucketOptions {
        options.clock = other.clock.clone();
        options.entropy = other.entropy.clone();
        options
    }

    #[test]
    fn every_key_reaches_its_field() {
        let options = BucketOptions::parse(
            "source=s3,bucket=\"b;r1\",bucket_prefix=p_,auth_token=\"AK;SK\",endpoint=\"http://127.0.0.1:1\",region=r2,path_style=false,readonly,\
             part_size=6MB,part_concurrency=3,probe=off,checksums=required,retry=(deadline=1min,attempts=2,initial=1ms,max=2ms),\
             timeout=(connect=3s,request=4s),limits=(requests=7,bandwidth=1MB),hedge=(enabled=false,budget_percent=9,floor=8ms)",
        )
        .unwrap();
        assert_eq!((options.provider, options.bucket.as_str(), options.prefix.as_str()), (Provider::S3, "b;r1", "p_"));
        assert_eq!(options.auth_token.expose(), "AK;SK");
        assert_eq!((options.endpoint.as_deref(), options.region.as_deref()), (Some("http://127.0.0.1:1"), Some("r2")));
        assert_eq!((options.path_style, options.readonly), (Some(false), true));
        assert_eq!((options.part_size, options.part_concurrency), (6 << 20, 3));
        assert_eq!((options.probe, options.checksums), (ProbeMode::Off, ChecksumPolicy::Required));
        assert_eq!((options.retry.deadline, options.retry.attempts), (Duration::from_secs(60), 2));
        assert_eq!((options.retry.initial, options.retry.max), (Duration::from_millis(1), Duration::from_millis(2)));
        assert_eq!(
            (options.timeout.connect, options.timeout.request),
            (Duration::from_secs(3), Duration::from_secs(4))
        );
        assert_eq!((options.limits.requests, options.limits.bandwidth), (7, 1 << 20));
        assert_eq!((options.hedge.enabled, options.hedge.budget_percent), (false, 9));
        assert_eq!(options.hedge.floor, Duration::from_millis(8));
    }

    #[test]
    fn every_name_of_a_source_is_understood() {
        for (name, provider) in SOURCES {
            assert_eq!(BucketOptions::parse(&format!("source={name},bucket=b")).unwrap().provider, provider);
        }
        assert_eq!(BucketOptions::parse("memory://").unwrap().provider, Provider::Memory);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, words) in [
            ("bucket=b", "source is missing"),
            ("source=s4,bucket=b", "s3"),
            ("source=s3", "needs a bucket"),
            ("source=dir,bucket=b,part_size=1KB", "part_size"),
            ("source=s3,bucket=b,part_size=1MB", "5242880"),
            ("source=s3,bucket=b,part_size=6GB", "part_size"),
            ("source=s3,bucket=b,part_concurrency=0", "part_concurrency"),
            ("source=s3,bucket=b,part_concurrency=many", "part_concurrency"),
            ("source=s3,bucket=b,probe=never", "probe"),
            ("source=s3,bucket=b,checksums=no", "checksums"),
            ("source=s3,bucket=b,readonly=maybe", "readonly"),
            ("source=s3,bucket=b,retry=(attempts=0)", "attempts"),
            ("source=s3,bucket=b,retry=(deadline=0)", "deadline"),
            ("source=s3,bucket=b,retry=(tries=3)", "retry"),
            ("source=s3,bucket=b,timeout=5", "timeout"),
            ("source=s3,bucket=b,limits=(requests=0)", "requests"),
            ("source=s3,bucket=b,hedge=(budget_percent=101)", "budget_percent"),
            ("source=s3,bucket=b,bukket_prefix=x", "bucket_prefix"),
            ("source=s3,bucket=b,auth_token=(x", "not closed"),
        ] {
            let error = BucketOptions::parse(text).unwrap_err();
            assert_eq!(error.kind(), plastron_config::ErrorKind::Invalid, "{text}");
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
        let error =
            BucketOptions::parse("source=s3,bucket=b,auth_token=\"AK;PLANTED\",part_size=PLANTED1").unwrap_err();
        assert!(!error.to_string().contains("AK;PLANTED"), "{error}");
    }
}
