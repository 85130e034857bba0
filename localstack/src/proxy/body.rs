//! A body on its way through: counted, corrupted, cut, stopped or slowed.
//!
//! It holds one piece at a time, so what streams in streams out.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use plastron_sources::clock::{Clock as _, Sleep, SystemClock};

use super::ledger::Ledger;
use super::plan::{BodyPlan, Place};

/// Under a bandwidth limit pieces are at most this long, bytes, so that a slow body trickles rather than jumps.
const PACED_PIECE: usize = 16 << 10;

/// Time for what was sent before a cut to leave the proxy's buffers.
const FLUSH: Duration = Duration::from_millis(10);

/// Which way a body goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

/// Why a body ended early.
#[derive(Debug)]
pub(super) enum Broken {
    /// The other side.
    Source(hyper::Error),
    /// The plan.
    Cut,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => write!(f, "the body broke off: {error}"),
            Self::Cut => f.write_str("the fault proxy cut the body"),
        }
    }
}

impl std::error::Error for Broken {}

/// A body with a plan.
pub(super) struct FaultyBody {
    inner: Incoming,
    way: Way,
    ledger: Arc<Ledger>,
    corrupt: Option<u64>,
    end: Option<(u64, Ending)>,
    pacers: Vec<Arc<super::pacer::Pacer>>,
    /// Bytes that have left.
    passed: u64,
    /// What has come in and not left yet.
    held: Bytes,
    /// Whether `held` has its time reserved already.
    paced: bool,
    wait: Option<Sleep>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// As if it were complete.
    Silent,
    Cut,
    /// Waiting for the flush before the cut.
    Cutting,
    Hang,
}

impl FaultyBody {
    pub(super) fn new(inner: Incoming, way: Way, plan: BodyPlan, silent: bool, ledger: Arc<Ledger>) -> Self {
        let length = inner.size_hint().exact();
        let corrupt = match plan.corrupt {
            Some(Place::At(at)) => Some(at),
            Some(Place::Random(number)) => length.filter(|length| *length > 0).map(|length| number % length),
            None => None,
        };
        // A body that is shorter than the place of its end is not touched.
        let reached = |at: &u64| length.is_none_or(|length| *at < length);
        let cut = plan.truncate.filter(reached).map(|at| (at, if silent { Ending::Silent } else { Ending::Cut }));
        let hang = plan.hang.filter(reached).map(|at| (at, Ending::Hang));
        let end = cut.into_iter().chain(hang).min_by_key(|(at, _)| *at);
        Self {
            inner,
            way,
            ledger,
            corrupt,
            end,
            pacers: plan.pacers,
            passed: 0,
            held: Bytes::new(),
            paced: false,
            wait: None,
        }
    }

    /// The `Content-Length` that hides a silent truncation.
    pub(super) fn pretended_length(&self) -> Option<u64> {
        self.end.and_then(|(at, ending)| (ending == Ending::Silent).then_some(at))
    }

    /// What happens when the place of the end is reached.
    fn finish(&mut self, ending: Ending, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match ending {
            Ending::Silent => Poll::Ready(None),
            Ending::Cut => {
                self.ledger.fault(if self.way == Way::Up { "truncate_request" } else { "truncate_response" });
                self.end = Some((self.passed, Ending::Cutting));
                self.wait = Some(SystemClock.sleep(FLUSH));
                self.poll_end(cx)
            }
            Ending::Cutting => Poll::Ready(Some(Err(Broken::Cut))),
            Ending::Hang => {
                self.ledger.fault("hang");
                self.end = Some((self.passed, Ending::Hang));
                // Nobody will ever wake it: the client's patience or the end of the proxy ends it.
                self.wait = Some(Box::pin(std::future::pending()));
                self.poll_end(cx)
            }
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(cx));
            self.wait = None;
        }
        Poll::Ready(Some(Err(Broken::Cut)))
    }

    /// Takes from `held` what may pass in one piece.
    fn next_piece(&mut self) -> Bytes {
        let mut length = self.held.len();
        if !self.pacers.is_empty() {
            length = length.min(PACED_PIECE);
        }
        if let Some((at, _)) = self.end {
            length = length.min(usize::try_from(at - self.passed).unwrap_or(usize::MAX));
        }
        self.held.split_to(length)
    }

    fn corrupted(&mut self, piece: Bytes) -> Bytes {
        let Some(offset) = self.corrupt.and_then(|at| at.checked_sub(self.passed)) else { return piece };
        let Ok(offset) = usize::try_from(offset) else { return piece };
        if offset >= piece.len() {
            return piece;
        }
        let mut bytes = piece.to_vec();
        if let Some(byte) = bytes.get_mut(offset) {
            *byte ^= 1;
        }
        self.corrupt = None;
        self.ledger.fault(if self.way == Way::Up { "corrupt_request" } else { "corrupt_response" });
        bytes.into()
    }
}

impl Body for FaultyBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        if let Some(wait) = &mut this.wait {
            ready!(wait.as_mut().poll(cx));
            this.wait = None;
        }
        if let Some((at, ending)) = this.end
            && this.passed >= at
        {
            return this.finish(ending, cx);
        }
        while this.held.is_empty() {
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.held = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(Broken::Source(error)))),
                None => return Poll::Ready(None),
            }
        }
        if !this.pacers.is_empty() && !this.paced {
            let bytes = this.held.len().min(PACED_PIECE);
            let delay = this.pacers.iter().map(|pacer| pacer.reserve(bytes)).max().unwrap_or_default();
            this.paced = true;
            let mut wait = SystemClock.sleep(delay);
            if wait.as_mut().poll(cx).is_pending() {
                this.wait = Some(wait);
                return Poll::Pending;
            }
        }
        this.paced = false;
        let piece = this.next_piece();
        let piece = this.corrupted(piece);
        this.passed += piece.len() as u64;
        match this.way {
            Way::Up => this.ledger.bytes(piece.len() as u64, 0),
            Way::Down => this.ledger.bytes(0, piece.len() as u64),
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.end.is_none() && self.held.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.end {
            Some((at, Ending::Silent)) => SizeHint::with_exact(at.saturating_sub(self.passed)),
            _ => {
                let held = self.held.len() as u64;
                let inner = self.inner.size_hint();
                let mut hint = SizeHint::new();
                hint.set_lower(inner.lower() + held);
                if let Some(upper) = inner.upper() {
                    hint.set_upper(upper + held);
                }
                hint
            }
        }
    }
}
