//! How to list.

/// How to list; all of it optional.
///
/// ```
/// use plastron_sources::ListOptions;
/// let second_page = ListOptions::default().start_after("logs/0999").limit(1000);
/// # let _ = second_page;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListOptions {
    /// List names that go on after the prefix with a `/` not one by one, but once for each beginning up to that `/`.
    pub delimiter: bool,
    /// Leave out everything up to and including this name (or shared prefix), bytewise. It need not exist.
    pub start_after: Option<String>,
    /// End after so many entries.
    pub limit: Option<usize>,
}

impl ListOptions {
    /// Rolls names up at the first `/` after the prefix.
    #[must_use]
    pub fn delimiter(mut self) -> Self {
        self.delimiter = true;
        self
    }

    /// Begins after `name`.
    #[must_use]
    pub fn start_after(mut self, name: impl Into<String>) -> Self {
        self.start_after = Some(name.into());
        self
    }

    /// Ends after `entries`.
    #[must_use]
    pub fn limit(mut self, entries: usize) -> Self {
        self.limit = Some(entries);
        self
    }
}
