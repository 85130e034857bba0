//! What the command says: results on standard output, everything else on standard error.
//!
//! Standard output holds results and nothing else, so that it can be piped: text for people, or with `--json` one object a
//! line. Errors, notes, statistics and progress go to standard error. Writing waits on a thread for blocking calls, so that a
//! slow reader of a pipe never stops the runtime.

use std::io::{self, IsTerminal, Write};

use indicatif::MultiProgress;
use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::{Failure, Result};

/// The two standard streams, and the progress bars drawn over one of them.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    json: bool,
    bars: Option<MultiProgress>,
}

impl Output {
    /// Text or JSON; bars only for people who watch a terminal and have not asked for a log on it.
    pub(crate) fn new(json: bool, verbose: bool) -> Self {
        let bars = (!json && !verbose && io::stderr().is_terminal()).then(MultiProgress::new);
        Self { json, bars }
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Where bars are drawn, if they are.
    pub(crate) fn bars(&self) -> Option<&MultiProgress> {
        self.bars.as_ref()
    }

    /// Writes bytes to standard output as they are.
    pub(crate) async fn bytes(&self, bytes: impl AsRef<[u8]> + Send + 'static) -> Result<()> {
        let bars = self.bars.clone();
        let written = tokio::task::spawn_blocking(move || {
            let write = || {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes.as_ref())?;
                stdout.flush()
            };
            match bars {
                Some(bars) => bars.suspend(write),
                None => write(),
            }
        });
        written.await?.map_err(|error| Failure::output(&error))
    }

    /// One result: `text` for people (line feeds included), or `record` as a line of JSON.
    pub(crate) async fn result<T: Serialize>(&self, record: &T, text: impl FnOnce() -> String) -> Result<()> {
        self.bytes(if self.json { json_line(record)? } else { text() }).await
    }

    /// A note for people on standard error, such as a file that is left out; a JSON object there with `--json`.
    pub(crate) fn note(&self, message: &str) {
        if self.json {
            self.complain(&json!({ "note": message }).to_string());
        } else {
            self.complain(message);
        }
    }

    /// A failure, on one line.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            let error = json!({
                "kind": failure.kind(),
                "exit_code": failure.exit().code(),
                "message": failure.message(),
            });
            self.complain(&json!({ "error": error }).to_string());
        } else {
            self.complain(&format!("plastron: {}", failure.message().replace('\n', " ")));
        }
    }

    /// Statistics: a table, or one JSON object.
    pub(crate) fn statistics(&self, record: &Value, table: &str) {
        if self.json {
            self.complain(&json!({ "stats": record }).to_string());
        } else {
            self.complain(table.trim_end());
        }
    }

    fn complain(&self, line: &str) {
        let write = || {
            // Nobody is left to tell if standard error itself is closed.
            let _ = writeln!(io::stderr().lock(), "{line}");
        };
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

/// `record` as one line of JSON.
pub(crate) fn json_line<T: Serialize>(record: &T) -> Result<String> {
    let mut line =
        serde_json::to_string(record).map_err(|error| Failure::other(format!("cannot print as JSON: {error}")))?;
    line.push('\n');
    Ok(line)
}
