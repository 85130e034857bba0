//! One `fsync` for all who wait for it.
//!
//! Making a directory entry durable takes an `fsync` of the directory, which covers every entry made before it began. So
//! whoever needs one while another is running waits for it to end, and the next one serves all who gathered meanwhile: sixteen
//! parallel creators in one directory cost about two, not sixteen.
//!
//! Invariant: [`GroupSync::sync`] returns success only after a call of `fsync` that *began* after it was entered has succeeded.
//! A failed `fsync` may have dropped what it could not write and a later one would not tell, so one failure fails this object for good;
//! the owner opens the directory again.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

/// The queue of those who wait for one directory. Blocks its callers: for blocking threads only.
#[derive(Debug, Default)]
pub(super) struct GroupSync {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Calls so far; each call's number is its ticket.
    entered: u64,
    /// All tickets up to this one are served.
    served: u64,
    /// Whether somebody is in `fsync` now.
    running: bool,
    failed: Option<Errno>,
}

impl GroupSync {
    /// Returns once an `fsync` has succeeded that began after this call; runs it itself if nobody else does.
    ///
    /// # Errors
    /// Whatever `fsync` fails with, now or in an earlier call.
    pub(super) fn sync(&self, fsync: impl Fn() -> Result<(), Errno>) -> Result<(), Errno> {
        let mut state = self.lock();
        state.entered += 1;
        let ticket = state.entered;
        loop {
            if state.served >= ticket {
                return Ok(());
            }
            if let Some(errno) = state.failed {
                return Err(errno);
            }
            if state.running {
                state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.running = true;
            let covered = state.entered;
            drop(state);
            let result = fsync();
            state = self.lock();
            state.running = false;
            match result {
                Ok(()) => state.served = covered,
                Err(errno) => state.failed = Some(errno),
            }
            self.ended.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn each_caller_is_covered_by_a_call_that_began_later() {
        let group = GroupSync::default();
        let written = AtomicU64::new(0);
        let durable = AtomicU64::new(0);
        let calls = AtomicUsize::new(0);
        let fsync = || {
            let seen = written.load(Ordering::SeqCst);
            calls.fetch_add(1, Ordering::SeqCst);
            std::thread::yield_now();
            durable.fetch_max(seen, Ordering::SeqCst);
            Ok(())
        };
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let mine = written.fetch_add(1, Ordering::SeqCst) + 1;
                        group.sync(fsync).unwrap();
                        assert!(durable.load(Ordering::SeqCst) >= mine);
                    }
                });
            }
        });
        assert!(calls.load(Ordering::SeqCst) <= 8000);
    }

    #[test]
    fn waiters_share_one_call() {
        let group = GroupSync::default();
        let calls = AtomicUsize::new(0);
        let entered = || group.lock().entered;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                group.sync(|| {
                    calls.fetch_add(1, Ordering::SeqCst);
                    // The first call lasts until all others have gathered.
                    while entered() < 10 {
                        std::thread::yield_now();
                    }
                    Ok(())
                })
            });
            while entered() < 1 {
                std::thread::yield_now();
            }
            for _ in 0..9 {
                scope.spawn(|| {
                    group.sync(|| {
                        calls.fetch_add(1, Ordering::SeqCst);
                        Ok(())
                    })
                });
            }
        });
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_failure_is_final() {
        let group = GroupSync::default();
        assert_eq!(group.sync(|| Err(Errno::IO)), Err(Errno::IO));
        assert_eq!(group.sync(|| Ok(())), Err(Errno::IO));
    }
}
