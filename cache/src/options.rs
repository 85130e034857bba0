//! How large a cache is, and where: the builder behind the `cache=(…)` section of a store string.

use std::path::PathBuf;
use std::sync::Arc;

use plastron_config::{Config, Schema};
use plastron_sources::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use plastron_sources::{Error, Fault};

use crate::geometry::{Geometry, MAX_BLOCK_BYTES, MIN_BLOCK_BYTES};

/// Blocks that `memory` must hold unless it is 0: fewer would be all in flight at once.
const FEWEST_BLOCKS: u64 = 4;

/// Which blocks are written to disk. Blocks read as an index always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Admission {
    /// Every block.
    Always,
    /// Every block while there is room; when another would have to go for it, a block brought by a sequential reader only if it
    /// was asked for before.
    #[default]
    ScanResistant,
    /// Only blocks that were asked for before.
    SecondHit,
}

impl Admission {
    const ALL: [(&'static str, Self); 3] =
        [("always", Self::Always), ("scan_resistant", Self::ScanResistant), ("second_hit", Self::SecondHit)];
}

/// Everything a cache is made from. Made by [`CacheOptions::new`] and changed field by field, or read from a configuration string
/// by [`CacheOptions::from_config`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CacheOptions {
    /// Where blocks are kept on disk: created with mode 0700 if it is missing; may be shared by processes of one machine. `None`: in
    /// memory only.
    pub directory: Option<PathBuf>,
    /// Bytes of files in the directory, each counted with its length rounded up to 4 KiB. Default 10 GiB.
    pub size: u64,
    /// Bytes of blocks in memory, 0 for none, else four blocks at least. What is in flight comes on top, at most five eighths of
    /// this and not less than 20 MiB. Default 256 MiB.
    pub memory: u64,
    /// Bytes of blocks in memory that were read as an index, on top of `memory`. `None`: an eighth of `memory`, 64 MiB at the most.
    pub index_memory: Option<u64>,
    /// Bytes of one block: a power of two from 4 KiB to 16 MiB. Default 256 KiB, which is also what a bucket downloads at least.
    pub block_size: u64,
    /// The largest read-ahead window of one sequential reader, bytes; 0 for none. Default 32 MiB.
    pub read_ahead: u64,
    /// Bytes that stay free on the directory's file system. `None`: 1 GiB, or a twentieth of a smaller one.
    pub min_free: Option<u64>,
    /// Which blocks are written to disk.
    pub admission: Admission,
    /// Time, for tests and simulations.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for tests and simulations.
    pub entropy: Arc<dyn Entropy>,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl CacheOptions {
    /// The defaults: 256 MiB of memory and no disk.
    pub fn new() -> Self {
        Self {
            directory: None,
            size: 10 << 30,
            memory: 256 << 20,
            index_memory: None,
            block_size: 256 << 10,
            read_ahead: 32 << 20,
            min_free: None,
            admission: Admission::default(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::default()),
        }
    }

    /// What a `cache=(…)` section may hold.
    pub fn schema() -> Schema {
        Schema::new("cache")
            .about("The local cache of blocks of objects, in memory and on disk.")
            .string("directory", "Where blocks are kept on disk; without it the cache is in memory only. May be shared by processes.")
            .size("size", "Bytes of files in the directory.", "10GB")
            .size("memory", "Bytes of blocks in memory; 0 for none.", "256MB")
            .size("index_memory", "Bytes of blocks in memory that were read as an index, on top of memory. Default: an eighth of memory, at most 64MB.", "")
            .size("block_size", "Bytes of one block, a power of two.", "256KB")
            .range("4KB", "16MB")
            .check_with(|value| {
                let size = Config::parse(&format!("size={}", value.text().unwrap_or_default())).and_then(|c| c.size("size"));
                let right = matches!(size, Ok(Some(bytes)) if bytes.is_power_of_two());
                if right { Ok(()) } else { Err("must be a power of two, such as 64KB or 256KB".to_owned()) }
            })
            .size("read_ahead", "Largest read-ahead window of one sequential reader; 0 for none.", "32MB")
            .range("", "4GB")
            .size("min_free", "Bytes that stay free on the directory's file system. Default: 1GB, or a twentieth of a smaller one.", "")
            .choice(
                "admission",
                "Which blocks are written to disk: all; all unless another has to go for what a sequential reader brought; or only those asked for before.",
                &["always", "scan_resistant", "second_hit"],
                "scan_resistant",
            )
    }

    /// The options in `section`: what stands in the brackets of `cache=(…)`. It is checked against [`CacheOptions::schema`] here.
    ///
    /// # Errors
    /// The first mistake in the text.
    pub fn from_config(section: &Config) -> plastron_config::Result<Self> {
        Self::schema().check(section)?;
        let mut options = Self::new();
        options.directory = section.string("directory")?.filter(|path| !path.is_empty()).map(PathBuf::from);
        for (name, value) in [
            ("size", &mut options.size),
            ("memory", &mut options.memory),
            ("block_size", &mut options.block_size),
            ("read_ahead", &mut options.read_ahead),
        ] {
            if let Some(set) = section.size(name)? {
                *value = set;
            }
        }
        options.index_memory = section.size("index_memory")?;
        options.min_free = section.size("min_free")?;
        let words = Admission::ALL.map(|(word, _)| word);
        if let Some(word) = section.choice("admission", &words)? {
            let chosen = Admission::ALL.iter().find(|(name, _)| *name == word);
            options.admission = chosen.map_or(options.admission, |(_, admission)| *admission);
        }
        Ok(options)
    }

    /// Bytes of the pool for indexes.
    pub(crate) fn index_bytes(&self) -> u64 {
        self.index_memory.unwrap_or((self.memory / 8).min(64 << 20))
    }

    /// The block arithmetic, if the options are consistent.
    pub(crate) fn geometry(&self) -> Result<Geometry, Error> {
        let wrong = |what: String| Error::new("open", "the cache", Fault::Config(what));
        let geometry = Geometry::new(self.block_size).ok_or_else(|| {
            wrong(format!(
                "cache.block_size must be a power of two from {MIN_BLOCK_BYTES} to {MAX_BLOCK_BYTES} bytes, not {}",
                self.block_size
            ))
        })?;
        let least = FEWEST_BLOCKS * self.block_size;
        if self.memory > 0 && self.memory < least {
            return Err(wrong(format!(
                "cache.memory must be 0 or hold {FEWEST_BLOCKS} blocks, {least} bytes, not {}; raise it or lower cache.block_size",
                self.memory
            )));
        }
        Ok(geometry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<CacheOptions, String> {
        let config = Config::parse(text).map_err(|error| error.to_string())?;
        CacheOptions::from_config(&config).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_of_schema_and_builder_agree() {
        let schema = CacheOptions::schema();
        schema.validate().unwrap();
        let from_schema = CacheOptions::from_config(&schema.defaults().unwrap()).unwrap();
        assert_eq!(format!("{:?}", without_clock(from_schema)), format!("{:?}", without_clock(CacheOptions::new())));
    }

    fn without_clock(options: CacheOptions) -> impl std::fmt::Debug {
        let CacheOptions { directory, size, memory, index_memory, block_size, read_ahead, min_free, admission, .. } =
            options;
        ((directory, size, memory, index_memory), (block_size, read_ahead, min_free, admission))
    }

    #[test]
    fn every_key_is_read() {
        let options = parse(
            "directory=/c,size=1GB,memory=64MB,index_memory=1MB,block_size=64KB,read_ahead=0,min_free=2GB,admission=second_hit",
        )
        .unwrap();
        assert_eq!(options.directory, Some("/c".into()));
        assert_eq!((options.size, options.memory, options.index_memory), (1 << 30, 64 << 20, Some(1 << 20)));
        assert_eq!((options.block_size, options.read_ahead, options.min_free), (64 << 10, 0, Some(2 << 30)));
        assert_eq!(options.admission, Admission::SecondHit);
        assert_eq!(CacheOptions::schema().keys().count(), 8);
        for (word, admission) in Admission::ALL {
            assert_eq!(parse(&format!("admission={word}")).unwrap().admission, admission);
        }
        assert_eq!(options.index_bytes(), 1 << 20);
        assert_eq!(parse("memory=64MB").unwrap().index_bytes(), 8 << 20);
    }

    #[test]
    fn mistakes_are_told() {
        for (text, message) in [
            ("blocksize=4KB", "did you mean 'block_size'"),
            ("block_size=5000", "power of two"),
            ("block_size=2KB", "block_size"),
            ("block_size=32MB", "block_size"),
            ("read_ahead=5GB", "read_ahead"),
            ("admission=sometimes", "admission"),
            ("memory=lots", "memory"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
        let mut options = CacheOptions::new();
        options.memory = 1 << 20;
        let error = options.geometry().map(|_| ()).and_then(|()| {
            options.memory = (1 << 20) - 1;
            options.geometry().map(|_| ())
        });
        let text = error.unwrap_err().to_string();
        assert_eq!(
            text,
            "open the cache: cache.memory must be 0 or hold 4 blocks, 1048576 bytes, not 1048575; raise it or lower cache.block_size"
        );
        options.block_size = 3;
        assert!(options.geometry().is_err());
    }
}
