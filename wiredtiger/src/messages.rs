//! Messages into WiredTiger's own message system, by its levels. Nothing goes to stdout or stderr.
//!
//! Two things speak here: the entry points, through [`Messages::error`] and [`Messages::debug`], and everything beneath them, through
//! `tracing`: [`Messages::dispatch`] makes a dispatcher that the extension sets on every thread of its runtime and around every
//! entry point, so that what one connection causes is printed by that connection.

use std::ffi::{CString, c_int};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Level as TracingLevel, Metadata, Subscriber, span};

use crate::abi::Session;
use crate::abi::extension_api::ExtensionApi;

/// WiredTiger's verbosity levels (`WT_VERBOSE_ERROR` … `WT_VERBOSE_DEBUG_5`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(c_int);

impl Level {
    /// `WT_VERBOSE_ERROR`.
    pub const ERROR: Self = Self(-3);
    /// `WT_VERBOSE_WARNING`.
    pub const WARNING: Self = Self(-2);
    /// `WT_VERBOSE_NOTICE`.
    pub const NOTICE: Self = Self(-1);
    /// `WT_VERBOSE_INFO`.
    pub const INFO: Self = Self(0);
    /// `WT_VERBOSE_DEBUG_1`.
    pub const DEBUG_1: Self = Self(1);
    /// `WT_VERBOSE_DEBUG_5`.
    pub const DEBUG_5: Self = Self(5);

    /// The level of that number, if WiredTiger has one.
    pub fn new(level: i64) -> Option<Self> {
        let level = Self(c_int::try_from(level).ok()?);
        (Self::ERROR..=Self::DEBUG_5).contains(&level).then_some(level)
    }

    fn of_tracing(level: &TracingLevel) -> Self {
        match *level {
            TracingLevel::ERROR => Self::ERROR,
            TracingLevel::WARN => Self::WARNING,
            TracingLevel::INFO => Self::INFO,
            TracingLevel::DEBUG => Self::DEBUG_1,
            TracingLevel::TRACE => Self(3),
        }
    }
}

/// The extension API's printing functions, for one connection.
#[derive(Debug)]
pub(crate) struct Messages {
    api: *mut ExtensionApi,
    verbosity: Level,
    closed: AtomicBool,
}

// SAFETY: `err_printf` and `msg_printf` may be called from any thread (WiredTiger's own background threads and its C++ stores do); the
// pointer itself is never changed.
unsafe impl Send for Messages {}
// SAFETY: as above.
unsafe impl Sync for Messages {}

impl Messages {
    /// Messages through `api`, up to `verbosity`.
    ///
    /// # Safety
    /// `api` must be NULL or stay alive until [`Messages::close`].
    pub(crate) unsafe fn new(api: *mut ExtensionApi, verbosity: Level) -> Arc<Self> {
        Arc::new(Self { api, verbosity, closed: AtomicBool::new(false) })
    }

    /// Whether a message of that level would be printed.
    pub(crate) fn enabled(&self, level: Level) -> bool {
        level <= self.verbosity && !self.closed.load(Ordering::Acquire)
    }

    /// Prints `text` at `level`; below NOTICE it goes to the error stream.
    pub(crate) fn print(&self, session: *mut Session, level: Level, text: &str) {
        if !self.enabled(level) || self.api.is_null() {
            return;
        }
        // SAFETY: not NULL, and alive until `close`, after which `enabled` is false.
        let (err_printf, msg_printf) = unsafe { ((*self.api).err_printf, (*self.api).msg_printf) };
        let Some(print) = (if level < Level::NOTICE { err_printf } else { msg_printf }) else { return };
        let bytes: Vec<u8> = text.bytes().map(|byte| if byte == 0 { b' ' } else { byte }).collect();
        let Ok(text) = CString::new(bytes) else { return };
        // SAFETY: a printf-like function with a format that takes one string; the session is WiredTiger's own or NULL.
        unsafe { print(self.api, session, c"%s".as_ptr(), text.as_ptr()) };
    }

    /// Prints at ERROR.
    pub(crate) fn error(&self, session: *mut Session, text: &str) {
        self.print(session, Level::ERROR, text);
    }

    /// Says nothing from now on: the connection is about to go away.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// A `tracing` dispatcher that prints through this.
    pub(crate) fn dispatch(self: &Arc<Self>) -> tracing::Dispatch {
        tracing::Dispatch::new(Printer(Arc::clone(self)))
    }
}

/// The `tracing` subscriber behind [`Messages::dispatch`]: events only, spans are not kept.
struct Printer(Arc<Messages>);

impl Subscriber for Printer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("plastron") && self.0.enabled(Level::of_tracing(metadata.level()))
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.0.print(std::ptr::null_mut(), Level::of_tracing(event.metadata().level()), &line.finish());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// One event as a line: the message, then `key=value` pairs.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn finish(self) -> String {
        format!("plastron: {}{}", self.message, self.fields)
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let written = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
        // Writing to a String cannot fail; a Debug that says it did leaves a shorter line.
        let _ = written;
    }
}
