//! Progress bars, on a terminal only.
//!
//! A bar follows the bytes that the bucket's own statistics count, a few times a second, so that it moves during one large
//! object as well as over many small ones and costs the transfer nothing.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use plastron::clock::{Clock, SystemClock};
use tokio::task::JoinHandle;

use crate::output::Output;

const TICK: Duration = Duration::from_millis(100);
const TEMPLATE: &str = "{msg:12} {wide_bar} {bytes:>11}/{total_bytes:<11} {bytes_per_sec:>13} {eta:>4}";

/// A bar that removes itself when dropped; nothing at all where there is no terminal.
#[derive(Debug)]
pub(crate) struct Progress(Option<Shown>);

#[derive(Debug)]
struct Shown {
    bars: MultiProgress,
    bar: ProgressBar,
    ticker: JoinHandle<()>,
}

impl Progress {
    /// Shows `label` and a bar up to `total` bytes, at what `moved` returns (bytes since some earlier moment).
    pub(crate) fn start(
        output: &Output,
        label: &'static str,
        total: u64,
        moved: Arc<dyn Fn() -> u64 + Send + Sync>,
    ) -> Self {
        let Some(bars) = output.bars() else { return Self(None) };
        let bar = bars.add(ProgressBar::new(total).with_message(label));
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        let first = moved();
        let watched = bar.clone();
        let ticker = tokio::spawn(async move {
            loop {
                // Repeated requests move more bytes than there are: the bar waits at its end for them.
                watched.set_position(moved().saturating_sub(first).min(total));
                SystemClock.sleep(TICK).await;
            }
        });
        Self(Some(Shown { bars: bars.clone(), bar, ticker }))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(shown) = &self.0 {
            shown.ticker.abort();
            shown.bar.finish_and_clear();
            shown.bars.remove(&shown.bar);
        }
    }
}
