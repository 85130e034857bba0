//! What operators do to a realm that runs.

use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;

use plastron_keyserver::identity::{authority_certificate, keys_of_jwks};
use plastron_keyserver::kv::{FjallDatabase, Kv as _};
use plastron_keyserver::log::EtcdLog;
use plastron_keyserver::machine::{MachineOptions, import_snapshot, read_snapshot, snapshot_epoch, write_snapshot};
use plastron_keyserver::policy::Expression;
use plastron_keyserver::proto::{
    Authorities, AuthoritiesChange, Authority, Issuer, Issuers, IssuersChange, Message as _, PolicyChange, Quorum,
    RealmPolicy,
};
use plastron_keyserver::vrf::VrfSecret;
use plastron_keyserver::{AuthorizationPolicy, Error, PublicKey, Result};

use crate::arguments::{self, Join, Policy, Retire, Snapshot};
use crate::asking::{PATIENCE, client, look_up};
use crate::configuration::LogPlace;
use crate::{Answer, configuration, files, key_file, making};

/// Memory for the database of a replica that does not run.
const CACHE_BYTES: u64 = 64 << 20;

pub(crate) async fn issuer(directory: &Path, issuer: &arguments::Issuer) -> Result<Answer> {
    let realm = files::realm(directory)?;
    let operator = key_file::signing(&directory.join("operator.key"))?;
    // What this operator has signed, and not what a replica says: who signs a list must know it.
    let path = directory.join("issuers");
    let mut issuers: Issuers = files::list(&path)?;
    issuers.issuers.retain(|one| one.issuer != issuer.issuer || one.audience != issuer.audience);
    if let Some(file) = &issuer.jwks {
        let text = files::read("JWKS", file)?;
        let keys = keys_of_jwks(&String::from_utf8_lossy(&text))?;
        let (prefix, audience) = (issuer.prefix.clone(), issuer.audience.clone());
        issuers.issuers.push(Issuer { issuer: issuer.issuer.clone(), audience, prefix, keys });
    }
    issuers.generation += 1;
    let bytes = issuers.to_bounded_bytes()?;
    Issuers::from_bytes(&bytes)?;
    let (generation, count) = (issuers.generation, issuers.issuers.len());
    let change = IssuersChange::signed(issuers, &realm.id(), [&operator]);
    let address = files::addresses(directory, issuer.at.as_deref())?.into_iter().next().unwrap_or_default();
    files::replica(directory, &address)?.change_issuers(&change).await?;
    files::replace("the list of issuers", &path, &bytes)?;
    Ok(Answer {
        text: format!("{count} issuers are believed, by generation {generation} of their list"),
        json: serde_json::json!({ "issuers": count, "generation": generation }),
    })
}

pub(crate) async fn authority(directory: &Path, authority: &arguments::Authority) -> Result<Answer> {
    let realm = files::realm(directory)?;
    let operator = key_file::signing(&directory.join("operator.key"))?;
    let path = directory.join("authorities");
    let mut list: Authorities = files::list(&path)?;
    list.authorities.retain(|one| one.label != authority.label);
    if let Some(file) = &authority.certificate {
        let certificate = authority_certificate(file)?;
        let (label, prefix) = (authority.label.clone(), authority.prefix.clone());
        list.authorities.push(Authority { label, prefix, certificate });
    }
    list.generation += 1;
    let bytes = list.to_bounded_bytes()?;
    Authorities::from_bytes(&bytes)?;
    let (generation, count) = (list.generation, list.authorities.len());
    let change = AuthoritiesChange::signed(list, &realm.id(), [&operator]);
    let address = files::addresses(directory, authority.at.as_deref())?.into_iter().next().unwrap_or_default();
    files::replica(directory, &address)?.change_authorities(&change).await?;
    files::replace("the list of authorities", &path, &bytes)?;
    Ok(Answer {
        text: format!("certificates of {count} authorities are taken, by generation {generation} of their list"),
        json: serde_json::json!({ "authorities": count, "generation": generation }),
    })
}

fn changed(keys: &[PublicKey], add: &[PublicKey], remove: &[PublicKey]) -> Result<Vec<PublicKey>> {
    if let Some(missing) = remove.iter().find(|key| !keys.contains(key)) {
        let why = format!("{missing} is to be removed, and is not in it");
        return Err(Error::Invalid { what: "realm policy", why });
    }
    Ok(keys.iter().chain(add).filter(|key| !remove.contains(key)).copied().collect())
}

/// The same threshold over other keys.
fn with(policy: &AuthorizationPolicy, add: &[PublicKey], remove: &[PublicKey]) -> Result<AuthorizationPolicy> {
    if add.is_empty() && remove.is_empty() {
        return Ok(policy.clone());
    }
    let threshold = match policy.quorum() {
        Expression::Key(_) => 1,
        Expression::Threshold { threshold, of } if of.iter().all(|part| matches!(part, Expression::Key(_))) => {
            *threshold
        }
        Expression::Threshold { .. } => {
            let why = "its quorum is not a threshold over keys, which is all that this command changes".to_owned();
            return Err(Error::Invalid { what: "realm policy", why });
        }
    };
    AuthorizationPolicy::threshold(threshold, changed(policy.keys(), add, remove)?)
}

pub(crate) async fn policy(directory: &Path, policy: &Policy) -> Result<Answer> {
    let client = client(directory, policy.at.as_deref())?;
    let operator = key_file::signing(&directory.join("operator.key"))?;
    // Any lookup proves which policy is in force.
    look_up(&client, "plastron/policy", 0, Quorum::Replicas, PATIENCE).await?;
    let now = client.memory().await.policy;
    let replicas = changed(now.replicas.keys(), &policy.add_replica, &policy.remove_replica)?;
    let verifiers = match &now.verifiers {
        Some(verifiers) => Some(with(verifiers, &policy.add_verifier, &policy.remove_verifier)?),
        None if policy.add_verifier.is_empty() => None,
        None => Some(AuthorizationPolicy::threshold(1, policy.add_verifier.clone())?),
    };
    let next = RealmPolicy {
        generation: now.generation + 1,
        replicas: AuthorizationPolicy::majority(replicas)?,
        verifiers,
        operators: with(&now.operators, &policy.add_operator, &policy.remove_operator)?,
    };
    next.check()?;
    let generation = next.generation;
    let change = PolicyChange::signed(next, &client.realm().id(), [&operator]);
    let mut last = Error::Stopped("the replicas");
    for replica in files::replicas(directory, policy.at.as_deref())? {
        match replica.change_policy(&change).await {
            Ok(()) => {
                return Ok(Answer {
                    text: format!("generation {generation} of the realm policy is announced"),
                    json: serde_json::json!({ "generation": generation }),
                });
            }
            Err(error) if !error.is_retryable() => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

pub(crate) fn snapshot(directory: &Path, snapshot: &Snapshot) -> Result<Answer> {
    let folder = directory.join(&snapshot.replica).join("database");
    if !folder.exists() {
        let why = format!("{} is not there; name the folder of a replica that has run", folder.display());
        return Err(Error::NotFound { what: "database", why });
    }
    let database = FjallDatabase::open(&folder, CACHE_BYTES)?;
    let kv = database.kv("state")?;
    files::create(&snapshot.file, &[], true)?;
    let file = std::fs::OpenOptions::new().write(true).open(&snapshot.file).map_err(files::failed("writing a file"))?;
    let mut out = BufWriter::new(file);
    let pairs = write_snapshot(&*kv.snapshot()?, &mut out)?;
    out.flush().map_err(files::failed("writing a file"))?;
    out.get_ref().sync_all().map_err(files::failed("writing a file"))?;
    Ok(Answer {
        text: format!("{} holds {pairs} values, names and profiles among them; keep it safe", snapshot.file.display()),
        json: serde_json::json!({ "file": snapshot.file, "values": pairs }),
    })
}

pub(crate) async fn join(directory: &Path, join: &Join) -> Result<Answer> {
    let (folder, like) = (directory.join(&join.replica), directory.join(&join.like));
    let secret = key_file::read(&like.join("index.key"), key_file::INDEX)?;
    let text = configuration::like(&like, &join.replica, join.address)?;
    // Before anything is made: what does not hold makes nothing.
    let taken = match &join.snapshot {
        None => None,
        Some(file) => {
            let input = std::fs::File::open(file).map_err(files::failed("opening the snapshot"))?;
            let pairs = read_snapshot(&mut BufReader::new(input))?;
            let client = client(directory, join.at.as_deref())?;
            let epoch = snapshot_epoch(&pairs)?;
            let head = look_up(&client, "plastron/policy", epoch, Quorum::Replicas, PATIENCE).await?.head;
            Some((pairs, head))
        }
    };
    std::fs::create_dir_all(&folder).map_err(files::failed("making the replica's folder"))?;
    let key = making::signing(&folder.join("signing.key"))?.public();
    key_file::create(&folder.join("index.key"), key_file::INDEX, &secret)?;
    if let Some((pairs, head)) = taken {
        let realm = files::realm(directory)?;
        let secret = VrfSecret::from_bytes(&secret)?;
        let options = MachineOptions { realm, secret, retained_epochs: 1, cache_bytes: CACHE_BYTES };
        let database = FjallDatabase::open(&folder.join("database"), CACHE_BYTES)?;
        import_snapshot(&options, &database.kv("state")?, pairs, &head)?;
    }
    files::create(&folder.join("configuration"), text.as_bytes(), false)?;
    Ok(Answer {
        text: format!(
            "{} is made; let operators add its key {key}, by: plastron-keyserver policy --add-replica {key}",
            join.replica
        ),
        json: serde_json::json!({ "replica": join.replica, "key": key.to_string() }),
    })
}

pub(crate) async fn retire(directory: &Path, retire: &Retire) -> Result<Answer> {
    let LogPlace::Etcd(options) = configuration::read(&directory.join(&retire.like))?.log else {
        let why = format!("that of {} is local, and waits for nobody", retire.like);
        return Err(Error::Invalid { what: "log", why });
    };
    if options.members.contains(&retire.replica) {
        let why =
            format!("{} is a member by the configuration of {}; take it out there first", retire.replica, retire.like);
        return Err(Error::Invalid { what: "replica", why });
    }
    EtcdLog::open(*options)?.retire(&retire.replica).await?;
    Ok(Answer {
        text: format!("the log no longer waits for {}", retire.replica),
        json: serde_json::json!({ "retired": retire.replica }),
    })
}
