//! Whether one write may follow another.
//!
//! | committed | new | |
//! | --- | --- | --- |
//! | stamped | without a stamp | `Unversioned` |
//! | any | epoch below the promise (that of a write without a stamp is none) | `Fenced` |
//! | stamped | higher stamp | goes |
//! | stamped | the same stamp and the very same write | goes: a repetition |
//! | stamped | lower stamp, or the same and another write | `Older` |
//! | not stamped | stamped | goes |
//! | ProxyFS's form | ProxyFS's form, lower | `Older` |
//! | anything else | anything else | goes |
//!
//! A deletion without a stamp forgets ProxyFS's order: the volume is made anew.

use super::check_point::CheckPoint;
use super::stamp::{Epoch, Stamp};
use crate::refusal::{Reason, Refusal};

/// What counts of a write: its stamp, and its bytes, none for a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held<'a> {
    /// Version; none for a write that has none.
    pub stamp: Option<Stamp>,
    /// Bytes; none for a deletion.
    pub bytes: Option<&'a [u8]>,
}

/// Whether `new` may be written over `committed` (none if nothing ever was) where `promised` was promised.
///
/// # Errors
/// [`Reason::Fenced`], [`Reason::Older`], [`Reason::Unversioned`].
pub fn admit(promised: Epoch, committed: Option<Held<'_>>, new: Held<'_>) -> Result<(), Refusal> {
    if new.stamp.is_none() && committed.is_some_and(|committed| committed.stamp.is_some()) {
        let message = "what is committed has a version, and this has none; write with X-Ickpt-Version";
        return Err(Refusal::new(Reason::Unversioned, message));
    }
    let epoch = new.stamp.map_or(Epoch::NONE, |stamp| stamp.epoch);
    if epoch < promised {
        let message = "somebody took over with a higher epoch; take over again, on top of what is there";
        return Err(Refusal::new(Reason::Fenced, message));
    }
    let Some(committed) = committed else { return Ok(()) };
    let older = |what: &str| Err(Refusal::new(Reason::Older, format!("{what}; read it, and write on top of that")));
    match (committed.stamp, new.stamp) {
        (Some(old), Some(stamp)) if stamp < old => older("what is committed has a higher version"),
        (Some(old), Some(stamp)) if stamp == old && committed.bytes != new.bytes => {
            older("something else is committed under this version")
        }
        (Some(_), _) | (None, Some(_)) => Ok(()),
        (None, None) => match (committed.bytes.and_then(CheckPoint::parse), new.bytes.and_then(CheckPoint::parse)) {
            (Some(old), Some(new)) if new.order() < old.order() => {
                older("what is committed has a higher ReservedToNonce or SuperBlockObjectNumber")
            }
            _ => Ok(()),
        },
    }
}

#[cfg(test)]
mod test {
    use super::*;

    const A: &[u8] = b"a";
    const LOW: &[u8] = b"0000000000000003 00000000000000A1 0000000000001000 0000000000000010";
    const SAME_NONCE_LOWER: &[u8] = b"0000000000000003 00000000000000A0 0000000000001000 0000000000000010";
    const HIGH: &[u8] = b"0000000000000003 0000000000000001 0000000000001000 0000000000000011";

    fn held(stamp: Option<(u128, u64)>, bytes: Option<&[u8]>) -> Held<'_> {
        Held { stamp: stamp.map(|(epoch, count)| Stamp { epoch: Epoch(epoch), count }), bytes }
    }

    fn verdict(promised: u128, old: Option<Held<'_>>, new: Held<'_>) -> Option<Reason> {
        admit(Epoch(promised), old, new).err().map(|refusal| refusal.reason())
    }

    #[test]
    fn every_row() {
        let s = |epoch, count| Some((epoch, count));
        for (promised, old, new, expected) in [
            (0, None, held(None, Some(A)), None),
            (5, None, held(None, Some(A)), Some(Reason::Fenced)),
            (5, None, held(s(4, 9), Some(A)), Some(Reason::Fenced)),
            (5, None, held(s(5, 0), Some(A)), None),
            (0, Some(held(s(2, 2), Some(A))), held(s(2, 3), Some(b"b")), None),
            (0, Some(held(s(2, 2), Some(A))), held(s(3, 0), None), None),
            (0, Some(held(s(2, 2), Some(A))), held(s(2, 2), Some(A)), None),
            (0, Some(held(s(2, 2), Some(A))), held(s(2, 2), Some(b"b")), Some(Reason::Older)),
            (0, Some(held(s(2, 2), Some(A))), held(s(2, 2), None), Some(Reason::Older)),
            (0, Some(held(s(2, 2), Some(A))), held(s(1, 9), Some(A)), Some(Reason::Older)),
            (0, Some(held(s(2, 2), Some(A))), held(None, Some(A)), Some(Reason::Unversioned)),
            (0, Some(held(s(2, 2), None)), held(None, Some(A)), Some(Reason::Unversioned)),
            (0, Some(held(None, Some(HIGH))), held(s(1, 1), Some(LOW)), None),
            (0, Some(held(None, Some(HIGH))), held(None, Some(LOW)), Some(Reason::Older)),
            (0, Some(held(None, Some(LOW))), held(None, Some(SAME_NONCE_LOWER)), Some(Reason::Older)),
            (0, Some(held(None, Some(LOW))), held(None, Some(HIGH)), None),
            (0, Some(held(None, Some(LOW))), held(None, Some(LOW)), None),
            (0, Some(held(None, Some(HIGH))), held(None, Some(A)), None),
            (0, Some(held(None, Some(HIGH))), held(None, None), None),
            (0, Some(held(None, None)), held(None, Some(LOW)), None),
            (0, Some(held(None, Some(A))), held(None, Some(b"b")), None),
        ] {
            assert_eq!(verdict(promised, old, new), expected, "{promised} {old:?} {new:?}");
        }
    }
}
