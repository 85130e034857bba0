//! The reference table that documentation is made of.

use std::fmt::Write as _;

use crate::schema::definition::Schema;
use crate::schema::key::{Key, KeyType};

impl Schema {
    /// A Markdown table of all keys, those of sections by their paths: key, value, default, meaning.
    ///
    /// ```
    /// # use plastron_config::Schema;
    /// let schema = Schema::new("cache").size("size", "Space on disk.", "10GB").range("1MB", "");
    /// assert_eq!(
    ///     schema.markdown(),
    ///     "| Key | Value | Default | Meaning |\n\
    ///      | --- | --- | --- | --- |\n\
    ///      | `size` | size, at least 1MB | `10GB` | Space on disk. |\n"
    /// );
    /// ```
    pub fn markdown(&self) -> String {
        let mut out = String::from("| Key | Value | Default | Meaning |\n| --- | --- | --- | --- |\n");
        for (path, key) in self.paths() {
            let default = match (key.default(), key.is_required()) {
                (_, true) => "required".to_owned(),
                (Some(default), _) => format!("`{default}`"),
                (None, _) => "–".to_owned(),
            };
            // Writing to a String can't fail.
            let _ = writeln!(out, "| `{path}` | {} | {} | {} |", values(key), cell(&default), cell(key.help()));
        }
        out
    }
}

/// What the key takes.
fn values(key: &Key) -> String {
    match (key.key_type(), key.range_text()) {
        (KeyType::Choice(choices), _) => {
            let choices: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
            choices.join(", ")
        }
        (kind, Some(range)) => format!("{}, {range}", kind.name()),
        (kind, None) => kind.name().to_owned(),
    }
}

/// Text that can stand in a cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
