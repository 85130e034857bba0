//! One load of the extension into one connection: what all its stores share.

use std::any::Any;
use std::ffi::{CStr, c_int};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::abi::Session;
use crate::abi::flags::OpenFlags;
use crate::failure::Failure;
use crate::load_options::LoadOptions;
use crate::messages::{Level, Messages};
use crate::patience::Patience;
use crate::sigpipe;

/// How long the runtime may take to end its tasks when the last store is terminated; what is left then are requests nobody waits for.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// What the stores of one connection share: messages, runtime, home directory, options.
#[derive(Debug)]
pub(crate) struct Extension {
    messages: Arc<Messages>,
    dispatch: tracing::Dispatch,
    home: PathBuf,
    options: LoadOptions,
    flags: OpenFlags,
    patience: Patience,
    /// `None` only while it is being shut down.
    runtime: Mutex<Option<Runtime>>,
    handle: tokio::runtime::Handle,
}

impl Extension {
    /// Starts the runtime. `home` is the database's directory.
    pub(crate) fn start(
        messages: Arc<Messages>,
        home: PathBuf,
        options: LoadOptions,
        flags: OpenFlags,
    ) -> Result<Arc<Self>, Failure> {
        let dispatch = messages.dispatch();
        let on_thread = dispatch.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("plastron")
            .enable_all()
            .on_thread_start(move || {
                sigpipe::block();
                thread_local! {
                    static GUARD: std::cell::RefCell<Option<tracing::dispatcher::DefaultGuard>> =
                        const { std::cell::RefCell::new(None) };
                }
                let guard = tracing::dispatcher::set_default(&on_thread);
                GUARD.with(|slot| slot.replace(Some(guard)));
            })
            .build()
            .map_err(|error| {
                Failure::new(error.raw_os_error().unwrap_or(libc::EAGAIN), format!("cannot start threads: {error}"))
            })?;
        let handle = runtime.handle().clone();
        // The program may change its directory later.
        let home = std::path::absolute(&home).unwrap_or(home);
        let patience = Patience::new(options.retry_deadline);
        let runtime = Mutex::new(Some(runtime));
        Ok(Arc::new(Self { messages, dispatch, home, options, flags, patience, runtime, handle }))
    }

    /// The database's directory.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// The load-time options.
    pub(crate) fn options(&self) -> &LoadOptions {
        &self.options
    }

    /// The open flags of the WiredTiger that loaded us.
    pub(crate) fn flags(&self) -> OpenFlags {
        self.flags
    }

    /// Waits for `future` on this thread, which is WiredTiger's.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _blocked = sigpipe::Blocked::new();
        self.handle.block_on(future)
    }

    /// Does `work` on a bucket and waits for it on this thread, which is WiredTiger's, through transient trouble.
    pub(crate) fn wait<T, F>(&self, work: impl FnMut() -> F) -> plastron::Result<T>
    where
        F: Future<Output = plastron::Result<T>>,
    {
        self.block_on(self.patience.wait(work))
    }

    /// Runs the body of an entry point: messages of what it calls go to this connection, a panic is caught, and a failure is printed and
    /// becomes its `errno`.
    pub(crate) fn enter(
        &self,
        session: *mut Session,
        call: &'static str,
        body: impl FnOnce() -> Result<(), Failure>,
    ) -> c_int {
        let outcome = tracing::dispatcher::with_default(&self.dispatch, || {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(body))
        });
        let failure = match outcome {
            Ok(Ok(())) => return 0,
            Ok(Err(failure)) => failure,
            Err(panic) => {
                Failure::new(libc::EIO, format!("a defect in Plastron, please report it: {}", panic_text(&*panic)))
            }
        };
        self.messages.error(session, &format!("{call}: {failure}"));
        failure.errno
    }

    /// Prints at DEBUG_1.
    pub(crate) fn debug(&self, session: *mut Session, text: impl FnOnce() -> String) {
        if self.messages.enabled(Level::DEBUG_1) {
            self.messages.print(session, Level::DEBUG_1, &text());
        }
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        self.messages.close();
        let runtime = self.runtime.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_timeout(SHUTDOWN);
        }
    }
}

/// Runs the body of an entry point that has no extension yet, or got a bad pointer instead of one.
pub(crate) fn guard(body: impl FnOnce() -> Result<c_int, Failure>) -> c_int {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)) {
        Ok(Ok(errno)) => errno,
        Ok(Err(failure)) => failure.errno,
        Err(_) => libc::EIO,
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic")
}

/// The path `text` means for a database in `home`: absolute as it stands, else below it.
pub(crate) fn below(home: &Path, text: &str) -> PathBuf {
    home.join(text)
}

/// A path from WiredTiger.
///
/// # Safety
/// `text` must be NULL or NUL-terminated.
pub(crate) unsafe fn path_from(text: *const std::ffi::c_char) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    if text.is_null() {
        return PathBuf::from(".");
    }
    // SAFETY: not NULL, NUL-terminated by contract; copied before this returns.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_code() {
        // SAFETY: there is no API, so nothing is said.
        let messages = unsafe { Messages::new(std::ptr::null_mut(), Level::ERROR) };
        let (options, flags) = (LoadOptions::parse("").unwrap(), OpenFlags::of_version(12));
        let extension = Extension::start(messages, ".".into(), options, flags).unwrap();
        let session = std::ptr::null_mut();
        assert_eq!(extension.enter(session, "call", || panic!("{} of ours", "a defect")), libc::EIO);
        assert_eq!(extension.enter(session, "call", || std::panic::panic_any(7)), libc::EIO);
        assert_eq!(extension.enter(session, "call", || Err(Failure::invalid("no"))), libc::EINVAL);
        assert_eq!(extension.enter(session, "call", || Ok(())), 0);
    }

    #[test]
    fn a_connection_that_was_closed_does_not_end_the_program() {
        use std::io::{IoSlice, Write};
        use std::os::unix::net::UnixStream;

        fn write() {
            let (mut one, other) = UnixStream::pair().unwrap();
            drop(other);
            let error = one.write_vectored(&[IoSlice::new(b"a"), IoSlice::new(b"b")]).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        }

        // SAFETY: there is no API, so nothing is said.
        let messages = unsafe { Messages::new(std::ptr::null_mut(), Level::ERROR) };
        let (options, flags) = (LoadOptions::parse("").unwrap(), OpenFlags::of_version(11));
        let extension = Extension::start(messages, ".".into(), options, flags).unwrap();
        // SAFETY: as in a program in C; the tests of this program write to no other connections.
        let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        extension.block_on(async {
            write();
            tokio::spawn(async { write() }).await.unwrap();
            tokio::task::spawn_blocking(write).await.unwrap();
        });
        // One that is left over would end the program here.
        // SAFETY: as it was.
        unsafe { libc::signal(libc::SIGPIPE, before) };
    }
}
