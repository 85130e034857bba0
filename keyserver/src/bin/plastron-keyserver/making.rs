//! What needs nobody else: making a realm, and checking evidence.

use std::net::SocketAddr;
use std::path::Path;

use plastron_keyserver::proto::{Evidence, Message as _, Realm, RealmPolicy};
use plastron_keyserver::vrf::VrfSecret;
use plastron_keyserver::{AuthorizationPolicy, Error, Result, SigningKey, check_evidence};
use plastron_sources::clock::{Clock as _, SystemClock};

use crate::arguments::{Audit, Init, LogName};
use crate::{Answer, configuration, files, key_file};

pub(crate) fn signing(path: &Path) -> Result<SigningKey> {
    let seed = key_file::random::<32>()?;
    key_file::create(path, key_file::SIGNING, &seed)?;
    Ok(SigningKey::from_bytes(&seed))
}

/// Where the replicas will listen.
fn addresses(init: &Init) -> Result<Vec<SocketAddr>> {
    let count = usize::from(init.replicas);
    match init.addresses[..] {
        [first] => {
            let port = |at: usize| first.port().checked_add(u16::try_from(at).unwrap_or(u16::MAX));
            let addresses = (0..count).map(|at| Some(SocketAddr::new(first.ip(), port(at)?)));
            let invalid = || Error::Invalid { what: "address", why: format!("behind {first} are too few ports") };
            addresses.collect::<Option<_>>().ok_or_else(invalid)
        }
        ref all if all.len() == count => Ok(all.to_vec()),
        ref all => {
            let why = format!("{} are given for {count} replicas; give one, or one for each", all.len());
            Err(Error::Invalid { what: "address", why })
        }
    }
}

pub(crate) fn init(directory: &Path, init: &Init) -> Result<Answer> {
    let invalid = |why: &str| Error::Invalid { what: "log", why: why.to_owned() };
    match init.log {
        LogName::Local if init.replicas > 1 => {
            return Err(invalid("several replicas need one that they share; say --log etcd --endpoint URL"));
        }
        LogName::Etcd if init.endpoints.is_empty() => {
            return Err(invalid("where is etcd? Say --endpoint http://127.0.0.1:2379, once for each node"));
        }
        LogName::Local | LogName::Etcd => {}
    }
    let addresses = addresses(init)?;
    let members: Vec<String> = match init.replicas {
        1 => vec!["replica".to_owned()],
        count => (1..=count).map(|number| format!("replica-{number}")).collect(),
    };
    for part in members.iter().map(String::as_str).chain(["verifier", "owners"]) {
        std::fs::create_dir_all(directory.join(part)).map_err(files::failed("making the realm's directory"))?;
    }
    let one = |key: &SigningKey| AuthorizationPolicy::threshold(1, vec![key.public()]);
    let operator = signing(&directory.join("operator.key"))?;
    let verifier = signing(&directory.join("verifier/signing.key"))?;
    let secret = VrfSecret::from_random(&*key_file::random::<64>()?)?;
    let mut operators = vec![operator.public()];
    if init.identity_tokens {
        operators.push(secret.registrar().public());
    }
    let mut replicas = Vec::new();
    for member in &members {
        let folder = directory.join(member);
        replicas.push(signing(&folder.join("signing.key"))?.public());
        key_file::create(&folder.join("index.key"), key_file::INDEX, &secret.to_bytes())?;
    }
    let created = SystemClock.wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let realm = Realm {
        name: init.name.clone(),
        nonce: *key_file::random::<32>()?,
        index_key: secret.public(),
        created_ms: u64::try_from(created.as_millis()).unwrap_or(u64::MAX),
        shortest_epoch_ms: 1,
        lifetime_ms: init.lifetime_s.saturating_mul(1_000),
        policy: RealmPolicy {
            generation: 0,
            replicas: AuthorizationPolicy::majority(replicas)?,
            verifiers: Some(one(&verifier)?),
            operators: AuthorizationPolicy::threshold(1, operators)?,
        },
    };
    // The same way it will be read, so that nothing is made that is not.
    let bytes = realm.to_bounded_bytes()?;
    Realm::from_bytes(&bytes)?;
    let (id, at) = (realm.id(), directory.display());
    let prefix = init.prefix.clone().unwrap_or_else(|| format!("plastron-keyserver/{id}"));
    for (member, address) in members.iter().zip(&addresses) {
        let log = (init.log == LogName::Etcd).then_some((&init.endpoints[..], &prefix[..], &members[..]));
        let text = configuration::write(member, *address, log)?;
        files::create(&directory.join(member).join("configuration"), text.as_bytes(), false)?;
    }
    let lines: String = addresses.iter().map(|address| format!("{address}\n")).collect();
    files::create(&directory.join("address"), lines.as_bytes(), false)?;
    files::create(&directory.join("realm"), &bytes, false)?;
    let next = match &members[..] {
        [_] => format!("plastron-keyserver serve --directory {at}"),
        [first, ..] => format!("plastron-keyserver serve --directory {at} --replica {first}, and so on"),
        [] => String::new(),
    };
    Ok(Answer {
        text: format!("realm {id} is in {at}; next: {next}"),
        json: serde_json::json!({ "realm": id.to_string(), "directory": directory, "replicas": members }),
    })
}

pub(crate) fn audit(directory: &Path, audit: &Audit) -> Result<Answer> {
    let realm = files::realm(directory)?;
    let evidence = Evidence::from_bytes(&files::read("evidence", &audit.file)?)?;
    let proven = check_evidence(&realm, &evidence)?;
    Ok(Answer {
        text: format!("it is proved that {proven}"),
        json: serde_json::json!({ "realm": realm.id().to_string(), "proven": proven.to_string() }),
    })
}
