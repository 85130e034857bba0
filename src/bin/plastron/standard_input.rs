//! Standard input as a stream of pieces, read on a thread of its own with a bounded number waiting.

use std::io::{self, Read};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::failure::{Failure, Result};

/// Bytes of one piece.
const PIECE: usize = 1 << 20;

/// Pieces that wait to be stored.
const WAITING: usize = 4;

/// Starts reading; the channel closes at the end of input or after an error.
pub(crate) fn pieces() -> mpsc::Receiver<Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    // A plain thread: a read that never returns must not keep the runtime from ending.
    std::thread::spawn(move || {
        loop {
            let mut piece = Vec::new();
            let read = io::stdin().lock().take(PIECE as u64).read_to_end(&mut piece);
            let piece = match read {
                Ok(0) => return,
                Ok(_) => Ok(Bytes::from(piece)),
                Err(error) => Err(Failure::other(format!("cannot read standard input: {error}"))),
            };
            if sender.blocking_send(piece).is_err() {
                return;
            }
        }
    });
    receiver
}
