//! Making an instance a member that lost its disk.
//!
//! The value is fetched from a majority of the others, under a new epoch, and written with a new list of members to a majority that belongs to
//! both lists, and to every newcomer. The new epoch is what makes it safe: a write that counted the old disk's acknowledgement, and has no majority without it, can't
//! be finished any more. Leaders are not disturbed: they take over again by themselves.

use super::gather::gather;
use super::instance::Instance;
use super::propose::{Outcome, propose};
use super::register::{Quorum, too_few, value};
use super::votes::Verdict;
use crate::checkpoint_store::{Content, Write};
use crate::error::{Fault, Result};
use crate::value::{Epoch, InstanceId, Members, Stamp};

impl<I: Instance> Quorum<I> {
    /// Makes members of all instances, and gives those that were none. All of them must answer, since otherwise nobody could say which of those that
    /// are missing was replaced.
    ///
    /// # Errors
    /// `Unavailable` if not all answer, or fewer than a majority of the old members; `Invalid` if nothing was ever written.
    pub async fn reseed(&self) -> Result<Vec<InstanceId>> {
        self.reseed_all().await.map_err(|fault| self.error("reseed", fault))
    }

    async fn reseed_all(&self) -> Result<Vec<InstanceId>, Fault> {
        let mut above = Epoch::NONE;
        let mut last = "others took over again and again".to_owned();
        for attempt in 0..self.options.attempts {
            self.pause(attempt).await;
            let present = self.everybody().await?;
            let Some(ballot) = self.take_over(&mut above).await? else { continue };
            let Some(old) = ballot.stamp.map(|_| &ballot.members) else {
                return Err(Fault::Invalid("nothing was ever written, so there is nothing to reseed".to_owned()));
            };
            let new = Members::new(present.iter().copied());
            let new = new.ok_or_else(|| Fault::Invalid("two of the URLs lead to the same instance".to_owned()))?;
            let newcomers: Vec<_> = new.ids().iter().copied().filter(|id| !old.contains(*id)).collect();
            if newcomers.is_empty() {
                return Ok(newcomers);
            }
            let both = Members::new(new.ids().iter().copied().filter(|id| old.contains(*id))).unwrap_or_default();
            let content = match &ballot.content {
                Content::Nothing => Content::Deleted,
                content => content.clone(),
            };
            let stamp = Stamp { epoch: ballot.epoch, count: 1 };
            let write = Write { bytes: value(&content).cloned(), stamp: Some(stamp), members: new };
            match propose(&self.lanes, self.path(), write, &both, &newcomers).await? {
                Outcome::Done => return Ok(newcomers),
                Outcome::Overtaken(epoch) => above = above.max(epoch),
                Outcome::NotDone(what) | Outcome::Unknown(what) => last = what,
            }
        }
        Err(Fault::Unavailable(format!("{last}; try again, which is safe")))
    }

    /// The identities of all instances.
    async fn everybody(&self) -> Result<Vec<InstanceId>, Fault> {
        let mut ids = Vec::new();
        for lane in &self.lanes {
            let found = lane.run(lane.instance.look(None)).await.map_err(|error| {
                Fault::Unavailable(format!("{}: {error}; all instances must answer", lane.instance.name()))
            })?;
            ids.push(found.id);
        }
        Ok(ids)
    }

    /// What each instance says, for people.
    pub async fn status(&self) -> Vec<(String, std::result::Result<super::View, String>)> {
        let calls = self.lanes.iter().map(|lane| async move {
            let found = lane.run(lane.instance.look(None)).await;
            (lane.instance.name(), found.map_err(|error| error.to_string()))
        });
        futures::future::join_all(calls).await
    }

    /// Whether all instances are members and have the same.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn is_whole(&self) -> Result<bool> {
        let all = self.lanes.len();
        let whole = |verdict: &Verdict| matches!(verdict, Verdict::Highest { holders, .. } if *holders == all);
        let gathered = gather(&self.lanes, None, whole).await.map_err(|fault| self.error("read", fault))?;
        match &gathered.verdict {
            Verdict::Open => Err(self.error("read", too_few(&gathered))),
            verdict => Ok(whole(verdict)),
        }
    }
}
