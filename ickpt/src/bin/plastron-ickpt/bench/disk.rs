//! What the disk alone allows: so many waits for it a second, one after the other.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use plastron_ickpt::Result;
use plastron_sources::clock::{Clock as _, SystemClock};

use super::trouble;

/// Bytes of one write, a page of the database.
const PAGE_BYTES: usize = 4096;
/// Pages that are written in turn.
const PAGES: u64 = 64;

/// Rounds per second of so many `waits`, each of which is a page written and synced.
pub(crate) async fn rounds(folder: &Path, waits: u32, length: Duration) -> Result<f64> {
    let path = folder.join("disk");
    let measured = tokio::task::spawn_blocking(move || -> std::io::Result<f64> {
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
        let page = [7; PAGE_BYTES];
        for number in 0..PAGES {
            file.write_all_at(&page, number * PAGE_BYTES as u64)?;
        }
        file.sync_all()?;
        let begin = SystemClock.monotonic();
        let (mut rounds, mut number) = (0_u32, 0);
        loop {
            for _ in 0..waits {
                number = (number + 1) % PAGES;
                file.write_all_at(&page, number * PAGE_BYTES as u64)?;
                file.sync_data()?;
            }
            rounds += 1;
            let took = SystemClock.monotonic().saturating_sub(begin);
            if took >= length {
                return Ok(f64::from(rounds) / took.as_secs_f64());
            }
        }
    });
    measured.await.map_err(trouble)?.map_err(trouble)
}
