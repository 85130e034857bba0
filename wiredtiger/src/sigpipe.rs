//! `SIGPIPE` stays away from the program that loaded us.
//!
//! Where a program leaves that signal as it is, which C programs do, writing to a connection that the other side has closed ends the
//! process. The standard library asks for no signal in plain writes to a socket, but not in vectored ones (`writev`), which are what
//! an HTTP client makes. The program's own setting is not ours to change; so the signal is blocked on the threads that may write to
//! a socket: on ours always, on WiredTiger's while they wait for us. The write then fails with `EPIPE`, and is tried again like any other.

use std::marker::PhantomData;

/// Blocks the signal on this thread for as long as it lives.
pub(crate) fn block() {
    std::mem::forget(Blocked::new());
}

/// The signal blocked on this thread; when this is dropped, what came meanwhile is forgotten and all is as it was.
#[derive(Debug)]
pub(crate) struct Blocked {
    /// The signals that were blocked before, if this one was not among them.
    before: Option<libc::sigset_t>,
    /// It is about one thread.
    _not_send: PhantomData<*mut ()>,
}

impl Blocked {
    /// Blocks it.
    pub(crate) fn new() -> Self {
        let pipe = pipe();
        // SAFETY: a set of signals is plain data, valid when zeroed, and is written here or not used.
        let mut before: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: both sets are alive during the calls.
        let changed = unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const pipe, &raw mut before) == 0
                && libc::sigismember(&raw const before, libc::SIGPIPE) == 0
        };
        Self { before: changed.then_some(before), _not_send: PhantomData }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        let Some(before) = &self.before else { return };
        let (pipe, at_once) = (pipe(), libc::timespec { tv_sec: 0, tv_nsec: 0 });
        // SAFETY: the sets and the time are alive during the calls; nothing is asked about the signal that is taken.
        unsafe {
            libc::sigtimedwait(&raw const pipe, std::ptr::null_mut(), &raw const at_once);
            libc::pthread_sigmask(libc::SIG_SETMASK, before, std::ptr::null_mut());
        }
    }
}

/// The set of this signal alone.
fn pipe() -> libc::sigset_t {
    // SAFETY: plain data, valid when zeroed; both functions only write to it.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGPIPE);
        set
    }
}
