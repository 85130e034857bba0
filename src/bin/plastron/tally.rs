//! Failures of a command over many files: each is said when it happens, the rest goes on, the exit code is the first one's.

use crate::failure::{Failure, Result};
use crate::output::Output;

/// How many files failed so far, and how the first did.
#[derive(Debug)]
pub(crate) struct Tally {
    files: usize,
    failed: usize,
    first: Option<Failure>,
}

impl Tally {
    /// For a command over `files` files.
    pub(crate) fn new(files: usize) -> Self {
        Self { files, failed: 0, first: None }
    }

    /// Counts a failure and says it.
    ///
    /// # Errors
    /// The failure itself, if it would hit the other files as well (no credentials, no network) or if there is no other file.
    pub(crate) fn failed(&mut self, output: &Output, failure: Failure) -> Result<()> {
        if self.files == 1 || !failure.is_about_one_file() {
            return Err(failure);
        }
        output.failure(&failure);
        self.failed += 1;
        self.first.get_or_insert(failure);
        Ok(())
    }

    /// Files that failed.
    pub(crate) fn count(&self) -> usize {
        self.failed
    }

    /// The end of the command.
    ///
    /// # Errors
    /// The first failure's kind and exit code, if there was one.
    pub(crate) fn finish(self, verb: &str) -> Result<()> {
        let Self { files, failed, first } = self;
        match first {
            None => Ok(()),
            Some(first) => {
                Err(first.retold(format!("{failed} of {files} files were not {verb}, for the reasons above")))
            }
        }
    }
}
