//! Which row is being measured, on a terminal only.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::output::Output;

const TEMPLATE: &str = "{pos:>3}/{len} {wide_msg} {prefix}";

/// A line that removes itself when dropped; nothing at all where there is no terminal.
#[derive(Debug)]
pub(super) struct Meter(Option<(MultiProgress, ProgressBar)>);

impl Meter {
    /// Shows a line until it is dropped, if `output` shows any.
    pub(super) fn start(output: &Output, rows: usize) -> Self {
        Self(output.bars().map(|bars| {
            let bar = bars.add(ProgressBar::new(rows as u64));
            if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                bar.set_style(style);
            }
            (bars.clone(), bar)
        }))
    }

    /// Shows nothing.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// The next row begins.
    pub(super) fn row(&self, title: &str) {
        if let Some((_, bar)) = &self.0 {
            bar.inc(1);
            bar.set_prefix("");
            bar.set_message(title.to_owned());
        }
    }

    /// A pair of the row begins.
    pub(super) fn pair(&self, number: usize, most: usize) {
        if let Some((_, bar)) = &self.0 {
            bar.set_prefix(format!("pair {number} of at most {most}"));
            bar.tick();
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some((bars, bar)) = &self.0 {
            bar.finish_and_clear();
            bars.remove(bar);
        }
    }
}
