//! A checkpoint as the registry gives it, decoded.

use bytes::Bytes;
use plastron_registry::{ListedTurtle, Turtle, Version, Versioned};

use super::CheckpointFault;
use super::checkpoint_info::CheckpointInfo;
use super::volume::Volume;
use crate::page_log::LogState;

/// A checkpoint as the registry gives it, decoded.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) version: Version,
    pub(crate) content: Bytes,
    pub(crate) turtle: Turtle,
    pub(crate) state: LogState,
}

impl Published {
    /// What stands in `content`.
    ///
    /// # Errors
    /// `Corrupt`, or `Unsupported` for a later version.
    pub(crate) fn decode(version: Version, content: &Bytes) -> Result<Self, CheckpointFault> {
        let name = ListedTurtle::object_name(version.sequence);
        let turtle = Turtle::decode(content).map_err(CheckpointFault::format(name.as_str()))?;
        let state = LogState::decode(&turtle.log_state, &name)?;
        if state.last_lsn().get() > turtle.checkpoint_lsn {
            let (last, lsn) = (state.last_lsn(), turtle.checkpoint_lsn);
            let check = format!("the state of its page log ends at LSN {last}, and it is the checkpoint at {lsn}");
            return Err(CheckpointFault::Corrupt { object: name, check });
        }
        Ok(Self { version, content: content.clone(), turtle, state })
    }

    /// As [`Published::decode`].
    ///
    /// # Errors
    /// As [`Published::decode`].
    pub(crate) fn of(versioned: &Versioned) -> Result<Self, CheckpointFault> {
        Self::decode(versioned.version, &versioned.content)
    }

    /// The newest checkpoint; none if there is none.
    ///
    /// # Errors
    /// Those of the registry; as [`Published::decode`].
    pub(crate) async fn newest(volume: &Volume) -> Result<Option<Self>, CheckpointFault> {
        volume.registry.read().await?.as_ref().map(Self::of).transpose()
    }

    /// The epoch, as it stands in names and LSNs, of the leader that published it.
    pub(crate) fn log_epoch(&self) -> u64 {
        self.version.epoch.saturating_add(self.turtle.epoch_base())
    }

    pub(crate) fn info(&self) -> CheckpointInfo {
        CheckpointInfo::of(self.version, &self.turtle)
    }
}
