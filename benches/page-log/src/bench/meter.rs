//! Which row is being measured, on standard error.

/// A line for each row.
#[derive(Debug)]
pub(super) struct Meter;

impl Meter {
    /// The next row begins.
    pub(super) fn row(&self, title: &str) {
        eprintln!("{title}");
    }

    /// A pair of the row begins.
    pub(super) fn pair(&self, number: usize, most: usize) {
        eprintln!("  pair {number} of {most}");
    }

    /// Shows nothing.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self
    }
}
