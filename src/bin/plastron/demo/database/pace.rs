//! Waiting for Enter before each act.

use std::io::BufRead;

use tokio::sync::mpsc;

use crate::context::Context;

/// Lines that were read and not waited for yet.
const LINES: usize = 16;

/// Waits for a line of standard input before each act, or for nothing.
pub(super) struct Pace(Option<mpsc::Receiver<()>>);

impl Pace {
    pub(super) fn new(step: bool) -> Self {
        Self(step.then(|| {
            let (sender, receiver) = mpsc::channel(LINES);
            // A plain thread: a read that never returns must not keep the runtime from ending.
            std::thread::spawn(move || {
                for line in std::io::stdin().lock().lines() {
                    if line.is_err() || sender.blocking_send(()).is_err() {
                        return;
                    }
                }
            });
            receiver
        }))
    }

    /// Says on a terminal what happens now, and to whoever steps through it.
    pub(super) async fn act(&mut self, context: &Context, what: &str) {
        if self.0.is_some() || context.output.bars().is_some() {
            context.output.note(what);
        }
        self.step().await;
    }

    /// Waits for a line. At the end of the input there is nothing to wait for any more.
    async fn step(&mut self) {
        if let Some(lines) = &mut self.0
            && lines.recv().await.is_none()
        {
            self.0 = None;
        }
    }
}
