//! The printer: text that parses back to an equal configuration, and the same with secrets hidden.
//!
//! It writes no blanks, dotted keys as nested sections, and quotes where the text had them or where they are needed.

use std::borrow::Cow;
use std::fmt;

use crate::config::{Config, Entry};
use crate::lexical;
use crate::secrecy::{self, MASK};
use crate::value::{Bracket, Node, Value};

impl Config {
    /// The configuration as text with the values of secret keys replaced by `[secret]`: for logs and eyes, not for parsing.
    ///
    /// ```
    /// # use plastron_config::Config;
    /// let config = Config::parse(r#"bucket=b,auth_token="AK;SK""#)?;
    /// assert_eq!(config.redacted().to_string(), "bucket=b,auth_token=[secret]");
    /// # Ok::<(), plastron_config::Error>(())
    /// ```
    pub fn redacted(&self) -> impl fmt::Display {
        struct Redacted(String);
        impl fmt::Display for Redacted {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        let mut out = String::new();
        write_config(&mut out, self, None, true);
        Redacted(out)
    }
}

/// Text that parses back to an equal configuration, with its secrets.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        write_config(&mut out, self, None, false);
        f.write_str(&out)
    }
}

/// Writes the entries of `config`, which stand in `bracket`, or on their own.
fn write_config(out: &mut String, config: &Config, bracket: Option<Bracket>, redact: bool) {
    let settings = bracket.is_none() || config.has_settings();
    for (index, Entry { key, value }) in config.entries.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        match &key.node {
            Node::Text { text, quoted } if !(redact && key.secret) => {
                let misread = settings
                    && (lexical::is_numeric(text) || (bracket != Some(Bracket::Square) && lexical::is_dotted(text)));
                let text = shown(text, redact);
                if *quoted || misread || !lexical::is_bare_key(&text) {
                    lexical::quote_into(out, &text);
                } else {
                    out.push_str(&text);
                }
            }
            _ => write_value(out, key, redact),
        }
        if !is_flag(value) {
            out.push('=');
            write_value(out, value, redact);
        }
    }
}

fn is_flag(value: &Value) -> bool {
    matches!(value.node, Node::Flag)
}

/// The text, or what may be shown of it.
fn shown(text: &str, redact: bool) -> Cow<'_, str> {
    if redact { secrecy::masked(text) } else { Cow::Borrowed(text) }
}

fn write_value(out: &mut String, value: &Value, redact: bool) {
    match &value.node {
        Node::Flag | Node::Empty => {}
        _ if redact && value.secret => out.push_str(MASK),
        Node::Text { text, quoted } => {
            let text = shown(text, redact);
            if *quoted || !lexical::is_bare_value(&text) {
                lexical::quote_into(out, &text);
            } else {
                out.push_str(&text);
            }
        }
        Node::Group { bracket, config } => {
            out.push(bracket.open());
            write_config(out, config, Some(*bracket), redact);
            out.push(bracket.close());
        }
    }
}
