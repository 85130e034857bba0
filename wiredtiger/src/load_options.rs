//! What stands in `config=(…)` when the extension is loaded.
//!
//! ```text
//! extensions=["/abs/libplastron_wiredtiger.so"=(config="(verbose=0,endpoint=\"http://127.0.0.1:9000\",cache=(size=20GB))")]
//! ```
//!
//! This string is ours, so an unknown key is an error; the configuration of each file system is not, see `file_system`.

use std::time::Duration;

use plastron::CacheOptions;
use plastron_config::{Config, Schema};
use plastron_sources::Provider;

use crate::failure::Failure;
use crate::messages::Level;

/// The settings of one load of the extension, in force for every store it registers.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Messages up to this level are printed. Default: `WT_VERBOSE_ERROR`.
    pub verbosity: Level,
    /// The service's URL, for compatible servers.
    pub endpoint: Option<String>,
    /// Address S3 buckets by path rather than by host name.
    pub path_style: Option<bool>,
    /// The region of S3 buckets whose string names none.
    pub region: Option<String>,
    /// The local cache of each cache directory; the directory itself is WiredTiger's `cache_directory`.
    pub cache: CacheOptions,
    /// How long transient trouble is waited out, since WiredTiger panics on its failure. Default 5 min.
    pub retry_deadline: Duration,
    /// Refuse to remove objects, as WiredTiger's C++ stores do.
    pub worm_strict: bool,
    /// The stores to register. Default: all that were built.
    pub stores: Vec<Provider>,
}

/// The stores that were built into this library.
pub(crate) const BUILT: &[Provider] = &[
    Provider::Dir,
    #[cfg(feature = "s3")]
    Provider::S3,
    #[cfg(feature = "azure")]
    Provider::Azure,
    #[cfg(feature = "gcp")]
    Provider::Gcp,
];

impl LoadOptions {
    /// Every key, with its default and one line of help.
    pub fn schema() -> Schema {
        Schema::new("extension")
            .about("What stands in `config=(…)` when the extension is loaded.")
            .number(
                "verbose",
                "messages up to this level are printed: -3 errors … 0 info … 5 debug; `(tiered=N)` is read too",
                "-3",
            )
            .range("-3", "5")
            .string("endpoint", "the service's URL, for compatible servers")
            .boolean(
                "path_style",
                "S3: `endpoint/bucket/key` rather than `bucket.endpoint/key`; default true with an endpoint",
                "false",
            )
            .string("region", "S3: the region of buckets whose string names none")
            .section(
                Schema::new("cache")
                    .about("The local cache of each cache directory.")
                    .size("size", "bytes on disk; 0 for none", "10GB")
                    .size("memory", "bytes in memory; 0 for none", "256MB")
                    .size("block_size", "bytes of one block, a power of two from 4KB to 16MB", "256KB")
                    .size(
                        "read_ahead",
                        "bytes that are fetched ahead of a sequential reader at the most; 0 for none",
                        "32MB",
                    ),
            )
            .section(Schema::new("retry").about("What is done about transient trouble.").duration(
                "deadline",
                "how long it is waited out",
                "5min",
            ))
            .boolean("worm_strict", "refuse to remove objects, as the C++ stores do", "false")
            .list("stores", "the stores to register: `dir_store`, `s3_store`, `azure_store`, `gcp_store`; default all")
    }

    /// Reads the load-time configuration; empty text gives the defaults.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let mut config = Config::parse(text)?;
        // The C++ stores read `verbose=[tiered:N]`.
        let tiered = config.number("verbose.tiered").ok().flatten();
        if tiered.is_some() {
            config.remove("verbose");
        }
        Self::schema().check(&config)?;
        let verbosity = match tiered.or(config.number("verbose")?) {
            None => Level::ERROR,
            Some(level) => Level::new(level)
                .ok_or_else(|| Failure::invalid(format!("verbose={level}: WiredTiger's levels are -3 to 5")))?,
        };
        Ok(Self {
            verbosity,
            endpoint: config.string("endpoint")?.filter(|text| !text.is_empty()),
            path_style: config.boolean("path_style")?,
            region: config.string("region")?.filter(|text| !text.is_empty()),
            cache: CacheOptions::from_config(&config.section("cache")?.cloned().unwrap_or_default())?,
            retry_deadline: config.duration("retry.deadline")?.unwrap_or(Duration::from_secs(300)),
            worm_strict: config.boolean("worm_strict")?.unwrap_or(false),
            stores: match config.list("stores")? {
                None => BUILT.to_vec(),
                Some(names) => names.iter().map(|name| store(name)).collect::<Result<_, _>>()?,
            },
        })
    }
}

fn store(name: &str) -> Result<Provider, Failure> {
    BUILT.iter().copied().find(|provider| provider.as_str() == name).ok_or_else(|| {
        let built: Vec<&str> = BUILT.iter().map(|provider| provider.as_str()).collect();
        Failure::invalid(format!("stores: no store {name:?} in this library; it was built with {}", built.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_of_the_schema_are_those_of_the_options() {
        let schema = LoadOptions::schema();
        schema.validate().unwrap();
        let written = LoadOptions::parse(&schema.defaults().unwrap().to_string()).unwrap();
        let none = LoadOptions::parse("").unwrap();
        assert_eq!((written.verbosity, none.verbosity), (Level::ERROR, Level::ERROR));
        assert_eq!(written.retry_deadline, none.retry_deadline);
        assert_eq!((written.cache.size, written.cache.memory), (none.cache.size, none.cache.memory));
        assert_eq!(
            (written.cache.block_size, written.cache.read_ahead),
            (none.cache.block_size, none.cache.read_ahead)
        );
        assert_eq!((written.worm_strict, none.worm_strict), (false, false));
    }

    #[test]
    fn every_key_is_read() {
        let text = "verbose=2,endpoint=\"http://h:1\",path_style=true,region=eu-1,cache=(size=1GB,memory=64MB,block_size=64KB,read_ahead=0),\
            retry=(deadline=7s),worm_strict=true,stores=[dir_store]";
        for text in [text.to_owned(), format!("({text})")] {
            let options = LoadOptions::parse(&text).unwrap();
            assert_eq!(Some(options.verbosity), Level::new(2));
            assert_eq!((options.endpoint.as_deref(), options.path_style), (Some("http://h:1"), Some(true)));
            assert_eq!(options.region.as_deref(), Some("eu-1"));
            assert_eq!((options.cache.size, options.cache.memory), (1 << 30, 64 << 20));
            assert_eq!((options.cache.block_size, options.cache.read_ahead), (64 << 10, 0));
            assert_eq!(options.retry_deadline, Duration::from_secs(7));
            assert!(options.worm_strict);
            assert_eq!(options.stores, [Provider::Dir]);
        }
    }

    #[test]
    fn verbosity_is_read_as_the_cpp_stores_read_it() {
        for (text, level) in [("verbose=[tiered:1]", 1), ("verbose=(tiered=-2)", -2), ("verbose=5", 5)] {
            assert_eq!(Some(LoadOptions::parse(text).unwrap().verbosity), Level::new(level), "{text}");
        }
        assert!(LoadOptions::parse("verbose=[tiered:6]").is_err());
        assert!(LoadOptions::parse("verbose=(other=1)").is_err());
    }

    #[test]
    fn the_page_on_wiredtiger_has_every_key() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/wiredtiger.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (before, rest) = page.split_once("checked by the same test -->\n").unwrap();
        let (_, after) = rest.split_once("<!-- end of schema -->").unwrap();
        let table = LoadOptions::schema().markdown();
        let wanted =
            format!("{before}checked by the same test -->\n{}\n<!-- end of schema -->{after}", table.trim_end());
        if std::env::var_os("PLASTRON_UPDATE_DOCS").is_some() {
            std::fs::write(path, wanted).unwrap();
        } else {
            assert_eq!(page, wanted, "the page is not the schema's; write it with PLASTRON_UPDATE_DOCS=1");
        }
    }
}
