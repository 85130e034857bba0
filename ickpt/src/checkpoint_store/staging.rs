//! All that is staged, bounded by number and by bytes.
//!
//! What is staged is not evicted for somebody else: where there is no room after the expired ones are gone, a newcomer is refused. Of
//! ended ones a bounded number is remembered, so that a late POST is told why.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::transaction::{Slot, Staged};
use crate::refusal::{Reason, Refusal};

/// Bytes of all staged values.
const MAX_STAGED_BYTES: usize = 64 << 20;
/// Ended ones that are remembered.
const MAX_ENDED: usize = 4096;

#[derive(Debug)]
pub(super) struct Staging {
    slots: HashMap<Vec<u8>, Slot>,
    /// By age; may name some that were replaced since.
    by_age: VecDeque<(Duration, Vec<u8>)>,
    ended: VecDeque<Vec<u8>>,
    live: usize,
    bytes: usize,
    max_entries: usize,
    timeout: Duration,
}

fn weight(slot: &Slot) -> Option<usize> {
    match slot {
        Slot::Live(staged) => Some(staged.path.len() + staged.write.bytes.as_ref().map_or(0, bytes::Bytes::len)),
        _ => None,
    }
}

impl Staging {
    pub(super) fn new(max_entries: usize, timeout: Duration) -> Self {
        let (slots, by_age, ended) = (HashMap::new(), VecDeque::new(), VecDeque::new());
        Self { slots, by_age, ended, live: 0, bytes: 0, max_entries, timeout }
    }

    /// Staged at present.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Lets `act` see and change the slot of `key`.
    pub(super) fn with<T>(&mut self, key: &[u8], act: impl FnOnce(&mut Slot) -> T) -> T {
        let mut slot = self.slots.remove(key).unwrap_or_default();
        let before = weight(&slot);
        let result = act(&mut slot);
        self.account(before, weight(&slot));
        match &slot {
            Slot::Empty => {}
            Slot::Ended { .. } => {
                if before.is_some() {
                    self.ended.push_back(key.to_vec());
                }
                self.slots.insert(key.to_vec(), slot);
            }
            Slot::Live(Staged { at, .. }) => {
                self.by_age.push_back((*at, key.to_vec()));
                self.slots.insert(key.to_vec(), slot);
            }
        }
        self.forget();
        result
    }

    /// Makes room for one more of `bytes`.
    ///
    /// # Errors
    /// [`Reason::Overloaded`].
    pub(super) fn make_room(&mut self, key: &[u8], bytes: usize, now: Duration) -> Result<(), Refusal> {
        if self.slots.get(key).is_some_and(|slot| weight(slot).is_some()) {
            return Ok(());
        }
        while let Some((at, key)) = self.by_age.pop_front_if(|(at, _)| now.saturating_sub(*at) > self.timeout) {
            if matches!(self.slots.get(&key), Some(Slot::Live(staged)) if staged.at == at) {
                self.with(&key, |slot| slot.end(Reason::Expired));
            }
        }
        if self.live >= self.max_entries || self.bytes + bytes > MAX_STAGED_BYTES {
            let message = "too much is staged at this time; try again when TransactionTimeout has passed";
            return Err(Refusal::new(Reason::Overloaded, message));
        }
        Ok(())
    }

    fn account(&mut self, before: Option<usize>, after: Option<usize>) {
        if let Some(bytes) = before {
            self.live = self.live.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        if let Some(bytes) = after {
            self.live += 1;
            self.bytes += bytes;
        }
    }

    /// Keeps the queues as short as what they are about.
    fn forget(&mut self) {
        while self.ended.len() > MAX_ENDED {
            let Some(key) = self.ended.pop_front() else { break };
            if matches!(self.slots.get(&key), Some(Slot::Ended { .. })) {
                self.slots.remove(&key);
            }
        }
        if self.by_age.len() > 4 * self.max_entries + 1024 {
            let slots = &self.slots;
            let current =
                |at: Duration, key: &[u8]| matches!(slots.get(key), Some(Slot::Live(staged)) if staged.at == at);
            self.by_age.retain(|(at, key)| current(*at, key));
            self.by_age.make_contiguous().sort();
            let mut all: Vec<_> = self.by_age.drain(..).collect();
            all.dedup();
            self.by_age = all.into();
        }
    }
}

#[cfg(test)]
mod test {
    use super::super::transaction::Write;
    use super::*;
    use crate::value::Members;
    use bytes::Bytes;

    fn put(staging: &mut Staging, key: &[u8], at: u64) -> Result<(), Refusal> {
        let at = Duration::from_secs(at);
        staging.make_room(key, 1, at)?;
        let write = Write { bytes: Some(Bytes::from_static(b"x")), stamp: None, members: Members::default() };
        staging.with(key, |slot| *slot = Slot::Live(Staged { path: Bytes::from_static(b"/"), write, at }));
        Ok(())
    }

    #[test]
    fn there_is_room_for_so_many_until_they_expire() {
        let mut staging = Staging::new(3, Duration::from_secs(10));
        for key in [b"a", b"b", b"c"] {
            put(&mut staging, key, 0).unwrap();
        }
        assert_eq!(put(&mut staging, b"d", 10).unwrap_err().reason(), Reason::Overloaded);
        put(&mut staging, b"a", 10).expect("one's own place is free");
        assert_eq!(staging.live(), 3);
        put(&mut staging, b"d", 11).unwrap();
        assert_eq!(staging.live(), 2, "b and c have expired");
        staging.with(b"b", |slot| assert!(matches!(slot, Slot::Ended { reason: Reason::Expired, .. })));
        staging.with(b"a", |slot| assert!(matches!(slot, Slot::Live(_)), "its later PUT counts"));
    }

    #[test]
    fn queues_stay_short() {
        let mut staging = Staging::new(2, Duration::from_secs(1_000_000));
        for at in 0..20_000 {
            put(&mut staging, b"a", at).unwrap();
        }
        assert!(staging.by_age.len() < 1100, "{}", staging.by_age.len());
        for number in 0..20_000_u32 {
            staging.with(b"a", |slot| slot.end(Reason::Discarded));
            staging.with(&number.to_le_bytes(), |slot| *slot = Slot::Empty);
            put(&mut staging, b"a", 1).unwrap();
        }
        assert!(staging.ended.len() <= MAX_ENDED && staging.slots.len() <= 1);
        assert_eq!((staging.live, staging.bytes), (1, 2));
    }
}
