//! What asks a replica, and checks what it says.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use plastron_keyserver::client::{Client, ClientOptions, MemoryFile};
use plastron_keyserver::identity::Credential;
use plastron_keyserver::proto::{Entry, MAX_TOKEN_BYTES, Profile, Quorum, Registration, SignedEntry, Update};
use plastron_keyserver::{AuthorizationPolicy, Digest, Error, ErrorKind, Result, SigningKey, Verified};
use plastron_sources::clock::{Clock as _, SystemClock};
use serde_json::json;

use crate::arguments::{Change, History, Lookup, Register, Status, Wanted};
use crate::{Answer, files, key_file};

pub(crate) fn client(directory: &Path, at: Option<&str>) -> Result<Client> {
    let clock = Arc::new(SystemClock);
    Client::open(ClientOptions {
        realm: files::realm(directory)?,
        replicas: files::replicas(directory, at)?,
        memory: Some(MemoryFile::new(&directory.join("memory"))),
        clock,
    })
}

fn quorum(wanted: Wanted) -> Quorum {
    match wanted {
        Wanted::Replicas => Quorum::Replicas,
        Wanted::Verifiers => Quorum::Verifiers,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn profile(keys: &[String]) -> Result<Profile> {
    let mut map = BTreeMap::new();
    for key in keys {
        let invalid =
            || Error::Invalid { what: "key", why: format!("'{key}' is not APPLICATION=HEX or APPLICATION=@FILE") };
        let (application, value) = key.split_once('=').ok_or_else(invalid)?;
        let bytes = match value.strip_prefix('@') {
            Some(path) => files::read("public key", Path::new(path))?,
            None if value.len() % 2 == 0 && value.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
                let pairs = value.as_bytes().chunks(2);
                pairs
                    .map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).map_err(|_| invalid()))
                    .collect::<Result<_>>()?
            }
            None => return Err(invalid()),
        };
        if map.insert(application.to_owned(), Bytes::from(bytes)).is_some() {
            return Err(Error::Invalid { what: "key", why: format!("'{application}' is given twice") });
        }
    }
    Profile::new(&*key_file::random::<32>()?, map)
}

/// How long a replica that is coming up, and signatures that are on their way, are waited for before a change.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// What `name` has; waits up to `patience` for a replica that does not answer yet, for signatures that are on their way, and for what this
/// client has seen already.
pub(crate) async fn look_up(
    client: &Client,
    name: &str,
    epoch: u64,
    quorum: Quorum,
    patience: Duration,
) -> Result<Verified> {
    let start = SystemClock.monotonic();
    loop {
        // Whoever was held up so long looks once more.
        let is_last = SystemClock.monotonic() - start >= patience;
        let error = match client.lookup(name, epoch, quorum.clone()).await {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        let passing = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unavailable)
            || matches!(error, Error::Unverified(plastron_keyserver::Unverified::Older { .. }));
        if !passing || is_last {
            return Err(error);
        }
        SystemClock.sleep(PAUSE).await;
    }
}

/// Why a name may be had.
enum Proof {
    /// Operators, or its owner, have signed.
    Signed,
    Token(Bytes),
    Certificate(Credential),
}

async fn submit(client: &Client, update: Update, proof: Proof) -> Result<Answer> {
    let (name, version) = (update.name.clone(), update.signed.entry.version);
    let epoch = match proof {
        Proof::Signed => client.update(&update).await?,
        Proof::Token(token) => client.register(&Registration { update: update.clone(), token }).await?,
        Proof::Certificate(credential) => {
            client.register_certified(&credential.certify(&client.realm().id(), update.clone())?).await?
        }
    };
    // That it was taken is not proof that it is there.
    let start = SystemClock.monotonic();
    let now = loop {
        let now = look_up(client, &name, 0, Quorum::Replicas, PATIENCE).await?;
        // Another replica may have been asked, which is a little behind.
        if now.head.epoch >= epoch || SystemClock.monotonic() - start >= PATIENCE {
            break now;
        }
        SystemClock.sleep(PAUSE).await;
    };
    let there = now.found.as_ref().is_some_and(|(entry, _)| *entry == update.signed.entry);
    if !there {
        let why =
            format!("{name} was taken with epoch {epoch}, and a lookup shows something else; look at its history");
        return Err(Error::NotFound { what: "update", why });
    }
    Ok(Answer {
        text: format!("{name} has version {version} with epoch {epoch}"),
        json: json!({ "name": name, "version": version, "epoch": epoch }),
    })
}

/// The token that the command prints for that entry.
async fn token(command: &str, nonce: &Digest) -> Result<Bytes> {
    let failed = |why: String| Error::Invalid { what: "token command", why };
    let (command, nonce) = (command.to_owned(), nonce.to_string());
    let run = move || std::process::Command::new("sh").arg("-c").arg(command).env("NONCE", nonce).output();
    let output = tokio::task::spawn_blocking(run).await.map_err(|_| Error::Stopped("the runtime"))?;
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() || output.stdout.len() > MAX_TOKEN_BYTES {
        return Err(failed(format!("it ended with {} and printed {} bytes", output.status, output.stdout.len())));
    }
    Ok(Bytes::copy_from_slice(output.stdout.trim_ascii()))
}

pub(crate) async fn register(directory: &Path, register: &Register) -> Result<Answer> {
    let change = &register.change;
    let client = client(directory, change.at.as_deref())?;
    let now = look_up(&client, &change.name, 0, Quorum::Replicas, PATIENCE).await?;
    if now.found.is_some() {
        let why = format!("{} is registered already; use update", change.name);
        return Err(Error::Invalid { what: "name", why });
    }
    let credential = match (&register.certificate, &register.certificate_key) {
        (Some(certificate), Some(key)) => Some(Credential::open(certificate, key)?),
        _ => None,
    };
    let path = files::owner(directory, &change.name);
    if !path.exists() {
        key_file::create(&path, key_file::SIGNING, &*key_file::random::<32>()?)?;
    }
    let owner = key_file::signing(&path)?;
    let (profile, realm) = (profile(&change.keys)?, client.realm().id());
    let policy = AuthorizationPolicy::threshold(1, vec![owner.public()])?;
    let entry =
        Entry { index: now.index, version: 0, policy, commitment: profile.commitment(), previous: Digest::NONE };
    if let Some(command) = &register.token_command {
        let token = token(command, &entry.hash(&realm)).await?;
        let update = Update { name: change.name.clone(), signed: entry.signed(&realm, [&owner]), profile };
        return submit(&client, update, Proof::Token(token)).await;
    }
    if let Some(credential) = credential {
        let update = Update { name: change.name.clone(), signed: entry.signed(&realm, [&owner]), profile };
        return submit(&client, update, Proof::Certificate(credential)).await;
    }
    let operator = key_file::signing(&directory.join("operator.key"))?;
    let admission = [(operator.public(), entry.admit(&realm, &operator))].into();
    let signed = SignedEntry { admission, ..entry.signed(&realm, [&owner]) };
    submit(&client, Update { name: change.name.clone(), signed, profile }, Proof::Signed).await
}

pub(crate) async fn update(directory: &Path, change: &Change) -> Result<Answer> {
    let client = client(directory, change.at.as_deref())?;
    let now = look_up(&client, &change.name, 0, Quorum::Replicas, PATIENCE).await?;
    let missing = || Error::NotFound { what: "name", why: format!("{} is not registered; use register", change.name) };
    let (last, _) = now.found.ok_or_else(missing)?;
    let owner: SigningKey = key_file::signing(&files::owner(directory, &change.name))?;
    let (profile, realm) = (profile(&change.keys)?, client.realm().id());
    let version = last.version.checked_add(1).ok_or_else(missing)?;
    let entry = Entry { version, commitment: profile.commitment(), previous: last.hash(&realm), ..last };
    let update = Update { name: change.name.clone(), signed: entry.signed(&realm, [&owner]), profile };
    submit(&client, update, Proof::Signed).await
}

fn found(name: &str, verified: &Verified) -> Answer {
    let epoch = verified.head.epoch;
    let Some((entry, profile)) = &verified.found else {
        return Answer {
            text: format!("{name} is not registered, which epoch {epoch} proves"),
            json: json!({ "name": name, "epoch": epoch, "found": null }),
        };
    };
    let keys: BTreeMap<&String, String> =
        profile.keys().iter().map(|(application, key)| (application, hex(key))).collect();
    let mut text = format!("{name} has version {}, which epoch {epoch} proves", entry.version);
    keys.iter().for_each(|(application, key)| text.push_str(&format!("\n{application}={key}")));
    Answer { text, json: json!({ "name": name, "epoch": epoch, "found": { "version": entry.version, "keys": keys } }) }
}

pub(crate) async fn lookup(directory: &Path, lookup: &Lookup) -> Result<Answer> {
    let client = client(directory, lookup.at.as_deref())?;
    let patience = Duration::from_secs(lookup.wait_s);
    let verified = look_up(&client, &lookup.name, lookup.epoch, quorum(lookup.quorum), patience).await?;
    Ok(found(&lookup.name, &verified))
}

pub(crate) async fn history(directory: &Path, history: &History) -> Result<Answer> {
    let client = client(directory, history.at.as_deref())?;
    let shown = client.history(&history.name, quorum(history.quorum)).await?;
    let owner = key_file::signing(&files::owner(directory, &history.name)).ok().map(|key| key.public());
    let unexpected: Vec<u64> = match owner {
        Some(key) => shown.unexpected(None, &[key]).iter().map(|item| item.signed.entry.version).collect(),
        None => Vec::new(),
    };
    let mut lines =
        vec![format!("{}: {} entries, proved by epoch {}", history.name, shown.items.len(), shown.now.head.epoch)];
    for item in &shown.items {
        let version = item.signed.entry.version;
        let mark = if unexpected.contains(&version) { " — NOT SIGNED BY THE OWNER'S KEY HERE" } else { "" };
        lines.push(format!("epoch {} version {version}{mark}", item.epoch));
    }
    let items = shown.items.iter().map(|item| json!({ "epoch": item.epoch, "version": item.signed.entry.version }));
    let items: Vec<serde_json::Value> = items.collect();
    Ok(Answer {
        text: lines.join("\n"),
        json: json!({ "name": history.name, "epoch": shown.now.head.epoch, "entries": items, "unexpected": unexpected }),
    })
}

pub(crate) async fn status(directory: &Path, status: &Status) -> Result<Answer> {
    let addresses = files::addresses(directory, status.at.as_deref())?;
    let address = addresses.into_iter().next().unwrap_or_default();
    let replica = files::replica(directory, &address)?;
    let text = replica.status().await?;
    let json = serde_json::from_str(&text).map_err(|error| Error::Request {
        operation: "status",
        address,
        why: error.to_string(),
    })?;
    Ok(Answer { text, json })
}
