//! What operators do: give the names of a cluster their keys. Every such name is owned by the realm's operators, under their quorum.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::names::readers_name;
use super::node_public::NodePublic;
use super::readers::Readers;
use super::{check_id, node_name};
use crate::client::Client;
use crate::proto::{Entry, Message as _, Profile, Quorum, SignedEntry, Update};
use crate::{Digest, Error, Result, SigningKey};

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// The epoch that it came with.
    pub epoch: u64,
}

/// Operators at a realm, with their keys at hand.
#[derive(Debug)]
pub struct Operators<'a> {
    /// Reaches the realm.
    pub client: &'a Client,
    /// As many as their policy demands.
    pub keys: &'a [SigningKey],
}

impl Operators<'_> {
    /// Registers a node with these keys, or gives it others. `nonce` is random, and new each time.
    ///
    /// # Errors
    /// `Invalid` for ids that are none; `Refused` if the operators are too few; those of the client.
    pub async fn register(&self, cluster: &str, id: &str, public: &NodePublic, nonce: &[u8; 32]) -> Result<Published> {
        check_id("cluster", cluster)?;
        check_id("node", id)?;
        self.publish(node_name(cluster, id), public.to_keys(), nonce).await
    }

    /// Says who may read.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub async fn list(&self, cluster: &str, readers: &Readers, nonce: &[u8; 32]) -> Result<Published> {
        check_id("cluster", cluster)?;
        let keys = BTreeMap::from([(Readers::APPLICATION.to_owned(), Bytes::from(readers.to_bytes()))]);
        self.publish(readers_name(cluster), keys, nonce).await
    }

    async fn publish(&self, name: String, keys: BTreeMap<String, Bytes>, nonce: &[u8; 32]) -> Result<Published> {
        let now = self.client.lookup(&name, 0, Quorum::Replicas).await?;
        let realm = self.client.realm().id();
        let profile = Profile::new(nonce, keys)?;
        let (version, previous) = match &now.found {
            None => (0, Digest::NONE),
            Some((before, _)) => (before.version.saturating_add(1), before.hash(&realm)),
        };
        let policy = now.memory.policy.operators.clone();
        let entry = Entry { index: now.index, version, policy, commitment: profile.commitment(), previous };
        let admit = |key: &SigningKey| (key.public(), entry.admit(&realm, key));
        let admission = if now.found.is_none() { self.keys.iter().map(admit).collect() } else { BTreeMap::new() };
        let signed = SignedEntry { admission, ..entry.signed(&realm, self.keys) };
        let epoch = self.client.update(&Update { name: name.clone(), signed: signed.clone(), profile }).await?;
        // That it was taken is no proof that it is there.
        let then = self.client.lookup(&name, 0, Quorum::Replicas).await?;
        if then.found.is_none_or(|(entry, _)| entry != signed.entry) {
            let why =
                format!("{name} was taken with epoch {epoch}, and a lookup shows something else; look at its history");
            return Err(Error::NotFound { what: "change", why });
        }
        Ok(Published { name, version, epoch })
    }
}

/// Who may read, and at which epoch; none if nobody ever said.
///
/// # Errors
/// Those of the client; `Corrupt` for a profile without a list.
pub async fn read_list(client: &Client, cluster: &str, quorum: Quorum) -> Result<(u64, Option<(u64, Readers)>)> {
    check_id("cluster", cluster)?;
    let now = client.lookup(&readers_name(cluster), 0, quorum).await?;
    let found = now.found.map(|(entry, profile)| Ok::<_, Error>((entry.version, Readers::of(&profile)?)));
    Ok((now.head.epoch, found.transpose()?))
}
