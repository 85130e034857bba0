//! The registry that is the bucket itself.
//!
//! # How it fences
//! Turtle objects are numbered without gaps, and number *n* + 1 is created if it is absent: that is the compare-and-swap. Whoever takes
//! over publishes *n* + 1 with a higher epoch, so an earlier leader finds its next number taken.
//!
//! Turtles that nobody needs are removed, though, and a leader that slept for long enough may find its number free again (SlateDB lost
//! writes to this, issues 352 and 1622). So **after every create, and before anything is acknowledged, the numbers above are
//! listed**. Removal never touches the newest turtle; hence, if a number was ever taken and removed, there is a higher one, now and for
//! ever. Conversely, a number that was created with none above it was never taken before, and is the newest.
//!
//! What a create left behind that came too late is an *orphan*. It is removed only where it is proved to be one, since a successor may
//! as well have built on it before the list was made: every turtle says which one it follows, by checksum, and with which number its epoch
//! began.
//!
//! # What it costs
//! A commit is one create and one list, in sequence; reading is one list and one get, and another list
//! where listings have no entity tags; a poll without news is one list.

mod objects;
mod registry;
mod settle;
mod turtles;

#[cfg(test)]
mod behaviour_test;
#[cfg(test)]
mod simulation_test;
#[cfg(test)]
mod testing;

pub use objects::ListedTurtle;
pub use registry::BucketRegistry;
