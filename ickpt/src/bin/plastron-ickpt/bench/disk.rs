//! What the disk alone allows: so many waits for it a second, one after the other.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use plastron_ickpt::Result;
use plastron_sources::clock::{Clock as _, SystemClock};

use super::trouble;

/// Bytes of one write, a block of the journal.
const BLOCK_BYTES: usize = 4096;
/// Blocks that are written in turn; all were written before, as those of the journal.
const BLOCKS: u64 = 64;

/// Blocks written and synced per second.
pub(crate) async fn rounds(folder: &Path, length: Duration) -> Result<f64> {
    let path = folder.join("disk");
    let measured = tokio::task::spawn_blocking(move || -> std::io::Result<f64> {
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
        let block = [7; BLOCK_BYTES];
        for number in 0..BLOCKS {
            file.write_all_at(&block, number * BLOCK_BYTES as u64)?;
        }
        file.sync_all()?;
        let begin = SystemClock.monotonic();
        let (mut rounds, mut number) = (0_u32, 0);
        loop {
            number = (number + 1) % BLOCKS;
            file.write_all_at(&block, number * BLOCK_BYTES as u64)?;
            file.sync_data()?;
            rounds += 1;
            let took = SystemClock.monotonic().saturating_sub(begin);
            if took >= length {
                return Ok(f64::from(rounds) / took.as_secs_f64());
            }
        }
    });
    measured.await.map_err(trouble)?.map_err(trouble)
}
