//! Looking up who may read: list and nodes at one epoch, each with its proof.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plastron_sources::clock::Clock;
use tokio::task::JoinSet;

use super::members::{Member, Members};
use super::names::{node_name, readers_name};
use super::node_public::NodePublic;
use super::proof::{EpochProof, NameProof};
use super::readers::Readers;
use crate::client::Client;
use crate::proto::Quorum;
use crate::{Error, Result};

/// Lookups at once.
const AT_ONCE: usize = 8;

/// Who may read, with all that proves it.
#[derive(Debug, Clone)]
pub(super) struct Looked {
    pub(super) members: Members,
    pub(super) epoch: EpochProof,
    pub(super) readers: NameProof,
    /// The readers that can be wrapped to.
    pub(super) nodes: BTreeMap<String, (NodePublic, NameProof)>,
    /// Those that cannot, and why.
    pub(super) without: Vec<(String, String)>,
}

/// Looks, on a thread and runtime of its own, so that it can be called from anywhere.
pub(super) fn look(
    client: &Arc<Client>,
    cluster: &str,
    quorum: &Quorum,
    clock: &Arc<dyn Clock>,
    deadline: Duration,
) -> Result<Looked> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|source| Error::Storage { operation: "starting a runtime", source: Box::new(source) })?;
        runtime.block_on(async {
            tokio::select! {
                looked = ask(client, cluster, quorum) => looked,
                () = clock.sleep(deadline) => {
                    let why = format!("there was no answer within {} s", deadline.as_secs());
                    Err(Error::Request { operation: "looking up the readers", address: "the keyserver".to_owned(), why })
                }
            }
        })
    };
    std::thread::scope(|scope| scope.spawn(run).join()).unwrap_or(Err(Error::Stopped("looking up the readers")))
}

async fn ask(client: &Arc<Client>, cluster: &str, quorum: &Quorum) -> Result<Looked> {
    let name = readers_name(cluster);
    // The newest, which is fresh and not older than what this client has seen …
    let newest = client.lookup(&name, 0, quorum.clone()).await?;
    // … and of that very epoch everything else, proved from the realm's file on.
    let at = newest.head.epoch;
    let (list, answer) = client.prove(&name, at, quorum.clone()).await?;
    let (epoch, readers) = NameProof::of(answer);
    let missing = || Error::NotFound {
        what: "list of readers",
        why: format!("{name} is not registered; set it with plastron-keyserver readers"),
    };
    let readers = readers.ok_or_else(missing)?;
    if list.head != newest.head {
        return Err(crate::Unverified::Fork { epoch: at }.into());
    }
    let mut waiting = Readers::of(&readers.profile)?.ids().to_vec().into_iter();
    let mut asking = JoinSet::new();
    let (mut nodes, mut without) = (BTreeMap::new(), Vec::new());
    loop {
        while asking.len() < AT_ONCE {
            let Some(id) = waiting.next() else { break };
            let (client, quorum, name) = (Arc::clone(client), quorum.clone(), node_name(cluster, &id));
            asking.spawn(async move { (id, client.prove(&name, at, quorum).await) });
        }
        let Some(done) = asking.join_next().await else { break };
        let (id, proved) = done.map_err(|_| Error::Stopped("a lookup"))?;
        let (verified, answer) = proved?;
        if verified.head != newest.head {
            return Err(crate::Unverified::Fork { epoch: at }.into());
        }
        match NameProof::of(answer).1 {
            None => without.push((id, "it is not registered".to_owned())),
            Some(proof) => match NodePublic::of(&proof.profile) {
                Ok(public) => drop(nodes.insert(id, (public, proof))),
                Err(error) => without.push((id, error.to_string())),
            },
        }
    }
    let member = |(id, (public, proof)): (&String, &(NodePublic, NameProof))| {
        (id.clone(), Member { version: proof.entry.version, key: public.key_hash() })
    };
    let members = Members {
        epoch: at,
        head: newest.head.digest(),
        version: readers.entry.version,
        nodes: nodes.iter().map(member).collect(),
    };
    Ok(Looked { members, epoch, readers, nodes, without })
}
