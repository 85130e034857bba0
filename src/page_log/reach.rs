//! What states of a log reach: every object that has to be there to read all that they speak of.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::PageLogFault;
use super::codec::{LogState, RunRef};
use super::objects::LogObjects;
use super::page_log::PageLogParts;
use super::run::Run;

/// Runs whose tails are read at once: each may take tens of megabytes.
const AT_ONCE: usize = 2;

/// What some states of one log reach. The tails of runs are read once, however many states name them.
#[derive(Default)]
pub(crate) struct Reach {
    runs: HashSet<String>,
    names: BTreeMap<String, u64>,
}

impl Reach {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds what `state` reaches, of a log with these parts.
    ///
    /// # Errors
    /// `Corrupt`, `NotFound` for a run that is not what was written; those of the bucket. What was added before stays.
    pub(crate) async fn add(&mut self, state: &LogState, parts: &PageLogParts) -> Result<(), PageLogFault> {
        let objects: Arc<dyn LogObjects> = parts.objects(state.database);
        self.names.extend(state.segments.iter().map(|segment| (segment.object_name(), segment.size)));
        let new: Vec<RunRef> =
            state.runs.iter().filter(|run| !self.runs.contains(&run.object_name())).cloned().collect();
        let opened: Vec<Run> = stream::iter(new)
            .map(|run| {
                let objects = Arc::clone(&objects);
                async move { Run::open(run, &*objects, &mut 0).await }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        for run in opened {
            let name = run.reference().object_name();
            self.names.insert(name.clone(), run.reference().size);
            self.names.extend(run.segments().iter().map(|segment| (segment.object_name(), segment.size)));
            self.runs.insert(name);
        }
        Ok(())
    }

    /// Whether an object of that name is reached.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Every object that is reached, and its size in bytes.
    pub(crate) fn objects(&self) -> &BTreeMap<String, u64> {
        &self.names
    }
}
