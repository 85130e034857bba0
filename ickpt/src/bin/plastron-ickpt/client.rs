//! The other commands: a quorum client each.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use plastron_ickpt::quorum::{HttpInstance, HttpInstanceOptions, Quorum, QuorumOptions, Swap};
use plastron_ickpt::{
    Error, Fault, HttpClient, HttpClientOptions, MAX_VALUE_BYTES, Origin, Result, StorageUrl,
    client_config_with_identity,
};

use crate::arguments::{Delete, Get, Group, Put, Reseed, Status};

/// Times that `put` and `delete` start again because somebody else wrote.
const MAX_SWAPS: u32 = 16;

fn invalid(what: impl Into<String>) -> Error {
    Error::new("read", "command line", Fault::Invalid(what.into()))
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let target = path.display().to_string();
    move |error| Error::new("read or write", target.clone(), Fault::Io(error))
}

fn open(group: &Group) -> Result<Quorum<HttpInstance>> {
    let token = match &group.token_file {
        Some(path) => std::fs::read_to_string(path).map_err(io(path))?,
        None => std::env::var("ICKPT_TOKEN")
            .map_err(|_| invalid("there is no token; set ICKPT_TOKEN, or give --token-file"))?,
    };
    let token = token.lines().next().unwrap_or_default().trim().to_owned();
    let url = StorageUrl::parse(&group.storage_url)
        .map_err(|what| invalid(format!("the storage URL can't be used: {what}")))?;
    let identity = group.cert.as_deref().zip(group.key.as_deref());
    let client =
        HttpClient::new(HttpClientOptions::to_instances(client_config_with_identity(group.ca.as_deref(), identity)?));
    let target = url.to_string();
    let options = HttpInstanceOptions::new(url, token, client);
    let instance = |text: &String| {
        let origin =
            Origin::parse(text).map_err(|what| invalid(format!("the instance '{text}' can't be used: {what}")))?;
        Ok(HttpInstance::new(origin, options.clone()))
    };
    let instances = group.urls.iter().map(instance).collect::<Result<Vec<_>>>()?;
    let mut options = QuorumOptions::default();
    options.call_timeout = group.timeout;
    Quorum::new(instances, target, options)
}

pub(crate) fn print(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| Error::new("write", "standard output", Fault::Io(error)))
}

pub(crate) async fn get(get: Get) -> Result<()> {
    let found = open(&get.group)?.read().await?;
    let missing = || Error::new("get", get.group.storage_url.clone(), Fault::Io(std::io::ErrorKind::NotFound.into()));
    let found = found.ok_or_else(missing)?;
    match &get.out {
        None => print(&found),
        Some(path) => std::fs::write(path, &found).map_err(io(path)),
    }
}

/// How long an instance that was not needed is waited for.
const SETTLE: Duration = Duration::from_secs(2);

/// Sets or deletes it, whatever is there.
async fn set(group: &Group, new: Option<Bytes>) -> Result<()> {
    let quorum = open(group)?;
    let mut current = quorum.read().await?;
    for _ in 0..MAX_SWAPS {
        match quorum.swap(current.as_ref(), new.clone()).await? {
            Swap::Done => {
                quorum.settle(SETTLE).await;
                return Ok(());
            }
            Swap::Differs(found) | Swap::Overwritten(found) => current = found,
        }
    }
    let what = "others write all the time; find out who they are";
    Err(Error::new("put", group.storage_url.clone(), Fault::Conflict(what.to_owned())))
}

pub(crate) async fn put(put: Put) -> Result<()> {
    let mut bytes = Vec::new();
    let limit = MAX_VALUE_BYTES as u64 + 1;
    let read = if put.file == Path::new("-") {
        std::io::stdin().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(&put.file).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(io(&put.file))?;
    set(&put.group, Some(bytes.into())).await
}

pub(crate) async fn delete(delete: Delete) -> Result<()> {
    set(&delete.group, None).await
}

pub(crate) async fn status(status: Status) -> Result<()> {
    let quorum = open(&status.group)?;
    let mut text = String::new();
    for (name, found) in quorum.status().await {
        let line = match found {
            Ok(view) => {
                let version = view.stamp.map_or_else(|| "-".to_owned(), |stamp| stamp.to_string());
                let member =
                    if view.members.is_empty() || view.members.contains(view.id) { "" } else { " not a member" };
                format!("{name} instance {} version {version} promised {}{member}\n", view.id, view.promised)
            }
            Err(error) => format!("{name} unavailable: {error}\n"),
        };
        text.push_str(&line);
    }
    let whole = quorum.is_whole().await;
    let verdict = match &whole {
        Ok(true) => "all instances are members and have the same",
        Ok(false) => "a majority answers; not all have the same, or nothing was ever written",
        Err(_) => "there is no majority",
    };
    print(format!("{text}{verdict}\n").as_bytes())?;
    whole.map(drop)
}

pub(crate) async fn reseed(reseed: Reseed) -> Result<()> {
    let newcomers = open(&reseed.group)?.reseed().await?;
    let text = match newcomers.is_empty() {
        true => "all instances were members already\n".to_owned(),
        false => newcomers.iter().map(|id| format!("{id} is a member now\n")).collect(),
    };
    print(text.as_bytes())
}
