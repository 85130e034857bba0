//! How a page log works: the builder behind the `page_log=(…)` section of a store string.

use std::sync::Arc;
use std::time::Duration;

use plastron_config::{Config, Schema};
use plastron_sources::clock::{Clock, SystemClock};

use super::PageLogFault;

/// Smallest segment that may be asked for: an object much smaller costs more to request than to store.
const MIN_SEGMENT_BYTES: u64 = 4 << 10;

/// Everything a page log is opened with besides what it is made of. Made by [`PageLogOptions::new`] and changed field by field, or read
/// from a configuration string by [`PageLogOptions::from_config`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PageLogOptions {
    /// Bytes of payloads at which a segment is sealed. Default 16 MiB.
    pub segment_size: u64,
    /// The age at which a segment is sealed that nobody waits for. Default 30 s.
    pub segment_age: Duration,
    /// The age at which a segment is sealed that somebody waits for in `flush`: flushes that come meanwhile share it. Default 1 s.
    pub flush_age: Duration,
    /// Bytes of records that are not in the bucket yet, their encoded copies on the way included. A put that would exceed it waits.
    /// Default 256 MiB.
    pub memory: u64,
    /// Segments that are uploaded at once. Default 4.
    pub uploads: usize,
    /// How long an upload is tried again while the store is unavailable, beyond the bucket's own retries, before the log is given
    /// up. Default 5 minutes.
    pub upload_deadline: Duration,
    /// The zstd level that payloads are compressed with; none for no compression, the default.
    pub compression: Option<i32>,
    /// Bytes of records, decoded, that are kept for readers. Default 64 MiB.
    pub record_memory: u64,
    /// Bytes of index blocks and filters of runs that are kept. Default 64 MiB. The directories of runs, and the indexes of segments that
    /// are in none yet, are in memory besides; merging keeps them few.
    pub index_memory: u64,
    /// Bytes of one block of an index run. Default 16 KiB.
    pub index_block_size: u64,
    /// Segments that wait for an index run before one is made of them. Default 4: each takes a request to open.
    pub run_segments: usize,
    /// Whether index runs are made in the background. Default true.
    pub background: bool,
    /// Bytes of the victim cache; 0 for none. Default 0.
    pub victim_cache: u64,
    /// How long `get` waits for an LSN that can't be read here yet. Default 5 s.
    pub read_wait: Duration,
    /// Whether segments enter the block cache as they are written. Default true.
    pub write_through: bool,
    /// Time, for tests and simulations.
    pub clock: Arc<dyn Clock>,
}

impl Default for PageLogOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl PageLogOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            segment_size: 16 << 20,
            segment_age: Duration::from_secs(30),
            flush_age: Duration::from_secs(1),
            memory: 256 << 20,
            uploads: 8,
            upload_deadline: Duration::from_secs(300),
            compression: None,
            record_memory: 64 << 20,
            index_memory: 64 << 20,
            index_block_size: 16 << 10,
            run_segments: 4,
            background: true,
            victim_cache: 0,
            read_wait: Duration::from_secs(5),
            write_through: true,
            clock: Arc::new(SystemClock),
        }
    }

    /// What a `page_log=(…)` section may hold.
    pub fn schema() -> Schema {
        Schema::new("page_log")
            .about("The page log: how page writes are gathered, written and found again.")
            .size("segment_size", "Bytes of page writes in one object.", "16MB")
            .range("4KB", "1GB")
            .duration("segment_age", "The age at which an object is written that nobody waits for.", "30s")
            .duration("flush_age", "The age at which an object is written that a flush waits for.", "1s")
            .size("memory", "Bytes of page writes that are not in the bucket yet; past it, writers wait.", "256MB")
            .number("uploads", "Objects that are written at once.", "8")
            .range("1", "64")
            .duration(
                "upload_deadline",
                "How long a write is tried again while the store is unavailable before the log gives up.",
                "5min",
            )
            .choice("compression", "How page writes are compressed.", &["none", "zstd"], "none")
            .number("compression_level", "The level of zstd.", "1")
            .range("1", "19")
            .size("record_memory", "Bytes of decoded page writes that are kept for readers.", "64MB")
            .size("index_memory", "Bytes of index blocks and filters of runs that are kept.", "64MB")
            .size("index_block_size", "Bytes of one block of an index run.", "16KB")
            .range("1KB", "1MB")
            .number("run_segments", "Segments that wait before their indexes are merged.", "4")
            .range("1", "1000")
            .boolean("background", "Whether indexes are merged in the background.", "true")
            .size("victim_cache", "Bytes of pages that the engine evicted and may want back; 0 for none.", "0")
            .duration("read_wait", "How long a read waits for what cannot be read here yet.", "5s")
            .boolean("write_through", "Whether what is written enters the block cache.", "true")
    }

    /// The options in `section`: what stands in the brackets of `page_log=(…)`. It is checked against [`PageLogOptions::schema`] here.
    ///
    /// # Errors
    /// The first mistake in the text.
    pub fn from_config(section: &Config) -> plastron_config::Result<Self> {
        Self::schema().check(section)?;
        let mut options = Self::new();
        for (name, value) in [
            ("segment_size", &mut options.segment_size),
            ("memory", &mut options.memory),
            ("record_memory", &mut options.record_memory),
            ("index_memory", &mut options.index_memory),
            ("index_block_size", &mut options.index_block_size),
            ("victim_cache", &mut options.victim_cache),
        ] {
            *value = section.size(name)?.unwrap_or(*value);
        }
        for (name, value) in [
            ("segment_age", &mut options.segment_age),
            ("flush_age", &mut options.flush_age),
            ("upload_deadline", &mut options.upload_deadline),
            ("read_wait", &mut options.read_wait),
        ] {
            *value = section.duration(name)?.unwrap_or(*value);
        }
        for (name, value) in [("uploads", &mut options.uploads), ("run_segments", &mut options.run_segments)] {
            *value = section.number(name)?.and_then(|number| usize::try_from(number).ok()).unwrap_or(*value);
        }
        for (name, value) in [("background", &mut options.background), ("write_through", &mut options.write_through)] {
            *value = section.boolean(name)?.unwrap_or(*value);
        }
        if section.choice("compression", &["none", "zstd"])? == Some("zstd") {
            let level = section.number("compression_level")?.unwrap_or(1);
            options.compression = Some(i32::try_from(level).unwrap_or(1));
        }
        Ok(options)
    }

    /// Checks what the options have to do with each other.
    ///
    /// # Errors
    /// [`PageLogFault::Options`].
    pub fn validate(&self) -> Result<(), PageLogFault> {
        let wrong = |what: String| Err(PageLogFault::Options(what));
        if self.segment_size < MIN_SEGMENT_BYTES {
            return wrong(format!(
                "page_log.segment_size must be {MIN_SEGMENT_BYTES} bytes at least, not {}",
                self.segment_size
            ));
        }
        if self.memory < 2 * self.segment_size {
            return wrong(format!(
                "page_log.memory must hold two segments, {} bytes, not {}; raise it or lower page_log.segment_size",
                2 * self.segment_size,
                self.memory
            ));
        }
        if self.uploads == 0 || self.run_segments == 0 || self.index_block_size < 256 {
            return wrong(
                "page_log.uploads and run_segments must be 1 at least, index_block_size 256 bytes".to_owned(),
            );
        }
        Ok(())
    }

    /// Segments uploaded at once, as far as half of the memory holds their encoded copies.
    pub(crate) fn uploads_at_once(&self) -> usize {
        self.uploads.min(self.encoded_at_once())
    }

    /// Segments of which there are encoded copies at once: those that are uploaded, and the one that is encoded as it fills.
    pub(crate) fn encoded_at_once(&self) -> usize {
        let fit = usize::try_from(self.memory / 2 / self.segment_size.max(1)).unwrap_or(usize::MAX);
        self.uploads.saturating_add(1).min(fit).max(1)
    }

    /// Bytes of payloads that are encoded at once while a segment fills: few enough that whoever waits for its end waits for little.
    pub(crate) fn chunk(&self) -> u64 {
        (self.segment_size / 16).max(1)
    }

    /// Bytes of records that may wait: what the encoded copies leave.
    pub(crate) fn budget(&self) -> u64 {
        self.memory - self.segment_size * self.encoded_at_once() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_of_schema_and_builder_agree() {
        let schema = PageLogOptions::schema();
        schema.validate().unwrap();
        let from_schema = PageLogOptions::from_config(&schema.defaults().unwrap()).unwrap();
        assert_eq!(format!("{from_schema:?}"), format!("{:?}", PageLogOptions::new()));
        PageLogOptions::new().validate().unwrap();
    }

    #[test]
    fn every_key_is_read() {
        let text = "segment_size=1MB,segment_age=2s,flush_age=3s,memory=8MB,uploads=5,upload_deadline=6s,compression=zstd,\
                    compression_level=7,record_memory=8MB,index_memory=9MB,index_block_size=2KB,run_segments=11,background=false,\
                    victim_cache=12MB,read_wait=13s,write_through=false";
        let options = PageLogOptions::from_config(&Config::parse(text).unwrap()).unwrap();
        let seconds = Duration::from_secs;
        assert_eq!((options.segment_size, options.segment_age, options.flush_age), (1 << 20, seconds(2), seconds(3)));
        assert_eq!((options.memory, options.uploads, options.upload_deadline), (8 << 20, 5, seconds(6)));
        assert_eq!((options.compression, options.record_memory, options.index_memory), (Some(7), 8 << 20, 9 << 20));
        assert_eq!((options.index_block_size, options.run_segments, options.background), (2 << 10, 11, false));
        assert_eq!((options.victim_cache, options.read_wait, options.write_through), (12 << 20, seconds(13), false));
        assert_eq!(PageLogOptions::schema().keys().count(), 16);
        assert_eq!((options.uploads_at_once(), options.budget()), (4, 4 << 20));
    }

    #[test]
    fn mistakes_are_told() {
        for (text, message) in [
            ("segmentsize=4KB", "did you mean 'segment_size'"),
            ("segment_size=1KB", "segment_size"),
            ("compression=lz4", "compression"),
            ("uploads=0", "uploads"),
        ] {
            let error = PageLogOptions::from_config(&Config::parse(text).unwrap()).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
        let mut options = PageLogOptions::new();
        options.memory = options.segment_size;
        assert!(options.validate().unwrap_err().to_string().contains("page_log.memory"));
    }
}
