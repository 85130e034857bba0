//! `--verbose`: what happens, on standard error, through `tracing`.

use std::io;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// Starts saying what happens. Once: Plastron's own steps; twice: its requests too; three times: everything, with what the libraries
/// beneath it say. Secrets are never in it: they are not in what Plastron logs, and of other libraries only warnings are shown
/// below the third level. Those of the AWS SDK are not shown at all: it repeats what servers answer, and they may repeat what
/// they were asked; Plastron says the same itself, without the secrets.
pub(crate) fn start(level: u8) {
    let (own, others) = match level {
        0 => return,
        1 => (LevelFilter::INFO, LevelFilter::WARN),
        2 => (LevelFilter::DEBUG, LevelFilter::WARN),
        _ => (LevelFilter::TRACE, LevelFilter::INFO),
    };
    let filter = Targets::new().with_default(others).with_target("plastron", own).with_target("aws_", LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(lines).with(filter).init();
}
