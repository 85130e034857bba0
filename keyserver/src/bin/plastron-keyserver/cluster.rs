//! The nodes of a cluster: their keys, and who of them may read.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use plastron_keys::SystemKeyRandom;
use plastron_keyserver::client::Client;
use plastron_keyserver::key_module::{
    Kem, NodeKey, NodePublic, Operators, Published, Readers, read_list, readers_name,
};
use plastron_keyserver::proto::Quorum;
use plastron_keyserver::{Error, Result, SigningKey};
use plastron_sources::clock::{Clock as _, SystemClock};
use serde_json::json;

use crate::arguments::{self, MakeNodeKey, Operated, RegisterNode, Revoke, WantedKem};
use crate::asking::{PAUSE, client, look_up};
use crate::{Answer, files, key_file};

pub(crate) fn node_key(make: &MakeNodeKey) -> Result<Answer> {
    let kem = match make.kem {
        WantedKem::X25519 => Kem::X25519,
        WantedKem::XWing => Kem::XWing,
    };
    let key = NodeKey::generate(kem, &SystemKeyRandom::default())?;
    key.create(&make.path)?;
    let public = key.public();
    Ok(Answer {
        text: public.to_string(),
        json: json!({ "key_file": make.path, "public": public.to_string(), "key": public.key_hash().to_string() }),
    })
}

/// A client, once a replica answers, and the operators' keys.
async fn operate(directory: &Path, cluster: &str, operated: &Operated) -> Result<(Client, Vec<SigningKey>)> {
    let client = client(directory, operated.at.as_deref())?;
    look_up(&client, &readers_name(cluster), 0, Quorum::Replicas, Duration::from_secs(operated.wait_s)).await?;
    let keys = match operated.operators.as_slice() {
        [] => vec![key_file::signing(&directory.join("operator.key"))?],
        some => some.iter().map(|path| key_file::signing(path)).collect::<Result<_>>()?,
    };
    Ok((client, keys))
}

fn published(published: &Published) -> String {
    format!("{} has version {} with epoch {}", published.name, published.version, published.epoch)
}

pub(crate) async fn register(directory: &Path, register: &RegisterNode) -> Result<Answer> {
    let text = files::read("node's public keys", &register.public)?;
    let public: NodePublic = String::from_utf8_lossy(&text).parse()?;
    let (client, keys) = operate(directory, &register.cluster, &register.operated).await?;
    let operators = Operators { client: &client, keys: &keys };
    let done = operators.register(&register.cluster, &register.id, &public, &*key_file::random::<32>()?).await?;
    Ok(Answer {
        text: published(&done),
        json: json!({ "name": done.name, "version": done.version, "epoch": done.epoch, "key": public.key_hash().to_string() }),
    })
}

pub(crate) async fn readers(directory: &Path, readers: &arguments::Readers) -> Result<Answer> {
    if readers.add.is_empty() && readers.remove.is_empty() {
        return show(directory, readers).await;
    }
    change(directory, &readers.cluster, &readers.add, &readers.remove, &readers.operated).await
}

pub(crate) async fn revoke(directory: &Path, revoke: &Revoke) -> Result<Answer> {
    change(directory, &revoke.cluster, &[], std::slice::from_ref(&revoke.id), &revoke.operated).await
}

async fn show(directory: &Path, readers: &arguments::Readers) -> Result<Answer> {
    let client = client(directory, readers.operated.at.as_deref())?;
    let patience = Duration::from_secs(readers.operated.wait_s);
    look_up(&client, &readers_name(&readers.cluster), 0, Quorum::Verifiers, patience).await?;
    let (epoch, list) = read_list(&client, &readers.cluster, Quorum::Verifiers).await?;
    let name = readers_name(&readers.cluster);
    let Some((version, list)) = list else {
        let text = format!("{name} is not registered, which epoch {epoch} proves; set it with --add");
        return Ok(Answer { text, json: json!({ "name": name, "epoch": epoch, "readers": null }) });
    };
    let mut text = format!("{name} has version {version}, which epoch {epoch} proves");
    list.ids().iter().for_each(|id| text.push_str(&format!("\n{id}")));
    Ok(Answer { text, json: json!({ "name": name, "epoch": epoch, "version": version, "readers": list.ids() }) })
}

async fn change(
    directory: &Path,
    cluster: &str,
    add: &[String],
    remove: &[String],
    operated: &Operated,
) -> Result<Answer> {
    let (client, keys) = operate(directory, cluster, operated).await?;
    let (_, before) = read_list(&client, cluster, Quorum::Replicas).await?;
    let before: BTreeSet<String> = before.iter().flat_map(|(_, list)| list.ids().iter().cloned()).collect();
    if let Some(stranger) = remove.iter().find(|id| !before.contains(*id)) {
        let why = format!("'{stranger}' is not on the list of cluster {cluster}: nothing was changed");
        return Err(Error::NotFound { what: "reader", why });
    }
    let mut ids: BTreeSet<String> = before.iter().cloned().chain(add.iter().cloned()).collect();
    ids.retain(|id| !remove.contains(id));
    let list = Readers::new(ids)?;
    let operators = Operators { client: &client, keys: &keys };
    let done = operators.list(cluster, &list, &*key_file::random::<32>()?).await?;
    let ratified = wait_for_verifiers(&client, cluster, done.version, Duration::from_secs(operated.wait_s)).await;
    let by =
        if ratified { "" } else { "; NOT YET RATIFIED by the verifiers, so that leaders do not see it: do they run?" };
    let text = format!("{}; readers: {}{by}", published(&done), list.ids().join(", "));
    let json = json!({
        "name": done.name, "version": done.version, "epoch": done.epoch, "readers": list.ids(), "ratified": ratified,
    });
    Ok(Answer { text, json })
}

/// Whether the verifiers have signed the list of that version, too, within a while: leaders look at what they have signed.
async fn wait_for_verifiers(client: &Client, cluster: &str, version: u64, patience: Duration) -> bool {
    let start = SystemClock.monotonic();
    loop {
        if let Ok((_, Some((seen, _)))) = read_list(client, cluster, Quorum::Verifiers).await
            && seen >= version
        {
            return true;
        }
        if SystemClock.monotonic() - start >= patience {
            return false;
        }
        SystemClock.sleep(PAUSE).await;
    }
}
