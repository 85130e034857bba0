//! What people get wrong, and exactly what they are told: through the front door, before and after a store is open.
//!
//! Every row is an input, the kind of its error and the whole message. A message says what was attempted, where the mistake
//! is and what to write instead; a change of one shows up here, to be read once more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expects by failing"
)]

mod names;
mod ranges;
mod settings;
mod strings;

use plastron::{Error, ErrorKind};

/// An input, and what comes of it.
type Row<'a> = (&'a str, ErrorKind, &'a str);

/// Collects what is not as expected, so that one run shows all of it.
#[derive(Default)]
struct Table {
    rows: usize,
    wrong: String,
}

impl Table {
    /// Compares; `hidden` is a path of this run that messages show, and rows as `{}`.
    fn row<T>(&mut self, row: Row<'_>, result: Result<T, impl Into<Error>>, hidden: &str) {
        self.rows += 1;
        let (input, kind, message) = row;
        let found = match result.map_err(Into::into) {
            Ok(_) => "no error".to_owned(),
            Err(error) => {
                let said = error.to_string();
                let shown = if hidden.is_empty() { said } else { said.replace(hidden, "{}") };
                if (error.kind(), shown.as_str()) == (kind, message) {
                    return;
                }
                format!("{:?}, {shown:?}", error.kind())
            }
        };
        self.wrong += &format!("\n({input:?}, {found}),");
    }

    /// Fails with everything that was wrong.
    fn finish(self, least: usize) {
        assert!(self.wrong.is_empty(), "{}", self.wrong);
        assert!(self.rows >= least, "{} rows", self.rows);
    }
}
