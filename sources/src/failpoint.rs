//! Failpoints: named places just before and just after everything that is written, where a test lets its process die as if it were killed.
//!
//! Without the feature `failpoints` a failpoint is nothing: [`reach`] is empty, and gone when it is compiled. With it a process whose
//! environment has `PLASTRON_FAILPOINT=NAME:COUNT` ends by `abort` the COUNT-th time that it comes to that place: no destructor runs, nothing is
//! flushed, no other thread gets any further. The list is one for all crates, since this is the lowest that all of them stand on; a name that
//! nothing reaches is found by `tests/crashes`, which dies at every one of them. They are told of in `docs/src/operations/crash-points.md`.

macro_rules! failpoints {
    ($($variant:ident $name:literal $when:literal)+) => {
        /// A place at which a process may be made to die.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Failpoint {
            $(#[doc = $when] $variant,)+
        }

        impl Failpoint {
            /// All of them, in the order in which a leader comes to them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// What it is called.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Where it is.
            pub const fn when(self) -> &'static str {
                match self {
                    $(Self::$variant => $when,)+
                }
            }
        }
    };
}

failpoints! {
    TakeoverBefore "takeover-before" "everything was read and checked, and the registry is about to be asked for a new epoch"
    TakeoverAfter "takeover-after" "the epoch is this leader's, and its page log is not open yet"
    PutBefore "put-before" "a record has room, and no LSN yet"
    PutAfter "put-after" "a record has its LSN, and whoever put it does not know"
    SegmentBefore "segment-before" "a segment is encoded, and not in the bucket"
    SegmentAfter "segment-after" "a segment is in the bucket, and does not count as durable yet"
    RunBefore "index-run-before" "an index run is about to be begun"
    RunUnfinished "index-run-unfinished" "all of an index run was handed over, and its object has not appeared"
    RunAfter "index-run-after" "an index run is in the bucket, and in nobody's list yet"
    KeyBlobBefore "key-blob-before" "the key module is about to be asked for its blob"
    KeyBlobAfter "key-blob-after" "the key module has given a blob that has changed"
    KekPageBefore "kek-page-before" "the KEK page is made, and not in the page log"
    KekPageAfter "kek-page-after" "the KEK page is in the page log, and its object is not there"
    KekObjectBefore "kek-object-before" "the object of the KEK page is about to be created"
    KekObjectAfter "kek-object-after" "the object of the KEK page is there"
    KeyCompleteBefore "key-complete-before" "the KEK page is in the bucket, and the key module has not heard of it"
    KeyCompleteAfter "key-complete-after" "the key module was told that its KEK is in force"
    TurtlePageBefore "turtle-page-before" "the turtle page is made, and not in the page log"
    TurtlePageAfter "turtle-page-after" "the turtle page is in the page log, and not in the bucket"
    CommitBefore "commit-before" "everything is in the bucket, and the registry has not heard of the checkpoint"
    TurtleObjectBefore "turtle-object-before" "the turtle object is about to be created"
    TurtleObjectAfter "turtle-object-after" "the turtle object is there, and what is above it has not been looked at"
    CommitAfter "commit-after" "the registry has taken the checkpoint, and whoever asked for it does not know"
    PinWriteBefore "pin-write-before" "a pin is about to be written"
    PinWriteAfter "pin-write-after" "a pin is there, and whether what it holds still is has not been looked at"
    PinRemoveBefore "pin-remove-before" "a pin is about to be removed"
    PinRemoveAfter "pin-remove-after" "a pin is gone"
    GcTurtleBefore "gc-turtle-before" "a collection is about to remove a turtle object"
    GcTurtleAfter "gc-turtle-after" "a turtle object is gone, and what only it reached is still there"
    GcObjectBefore "gc-object-before" "a collection is about to remove a segment, index run, KEK page or pin"
    GcObjectAfter "gc-object-after" "one of the objects of a collection is gone, and others may not be"
}

impl std::fmt::Display for Failpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The environment variable that says where to die: `NAME:COUNT`.
pub const VARIABLE: &str = "PLASTRON_FAILPOINT";

/// Dies here, if that is what the environment says.
#[cfg(feature = "failpoints")]
pub fn reach(point: Failpoint) {
    armed::reach(point);
}

/// Nothing: the feature `failpoints` is off.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub const fn reach(_: Failpoint) {}

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{Failpoint, VARIABLE};

    /// Where this process dies, and how many times it comes there until it does.
    #[derive(Debug)]
    pub(super) struct Armed {
        pub(super) point: Failpoint,
        pub(super) left: AtomicU64,
    }

    pub(super) fn reach(point: Failpoint) {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        let armed = ARMED.get_or_init(|| std::env::var(VARIABLE).ok().map(|text| parse(&text)));
        if let Some(armed) = armed
            && armed.point == point
            && armed.left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            std::process::abort();
        }
    }

    /// What `text` says. A test that names what is not there must not pass for one that found nothing.
    pub(super) fn parse(text: &str) -> Armed {
        let found = text.split_once(':').and_then(|(name, count)| {
            let point = Failpoint::ALL.iter().find(|point| point.name() == name)?;
            let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
            Some(Armed { point: *point, left: AtomicU64::new(count) })
        });
        found.unwrap_or_else(|| {
            tracing::error!("{VARIABLE}={text}: there is no such failpoint; it must be NAME:COUNT");
            std::process::abort()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_names_and_no_two_are_the_same() {
        let names: BTreeSet<&str> = Failpoint::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Failpoint::ALL.len());
        let sound = |name: &&str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        assert!(names.iter().all(sound), "{names:?}");
    }

    #[cfg(feature = "failpoints")]
    #[test]
    fn what_the_environment_says_is_read() {
        let armed = armed::parse("gc-object-after:7");
        assert_eq!(armed.point, Failpoint::GcObjectAfter);
        assert_eq!(armed.left.into_inner(), 7);
    }
}
