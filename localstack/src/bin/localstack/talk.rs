//! Words to the person at the terminal, on standard error, and results on standard output.

use std::io::Write as _;

/// A line on standard error: progress and trouble.
pub(crate) fn say(text: &str) {
    // Nobody to talk to is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A line on standard output: what was asked for.
pub(crate) fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
