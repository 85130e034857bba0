//! What needs nobody else: making a realm, and checking evidence.

use std::path::Path;

use plastron_keyserver::proto::{Evidence, Message as _, Realm, RealmPolicy};
use plastron_keyserver::vrf::VrfSecret;
use plastron_keyserver::{AuthorizationPolicy, Result, SigningKey, check_evidence};
use plastron_sources::clock::{Clock as _, SystemClock};

use crate::arguments::{Audit, Init};
use crate::{Answer, files, key_file};

fn signing(path: &Path) -> Result<SigningKey> {
    let seed = key_file::random::<32>()?;
    key_file::create(path, key_file::SIGNING, &seed)?;
    Ok(SigningKey::from_bytes(&seed))
}

pub(crate) fn init(directory: &Path, init: &Init) -> Result<Answer> {
    for part in ["replica", "verifier", "owners"] {
        std::fs::create_dir_all(directory.join(part)).map_err(files::failed("making the realm's directory"))?;
    }
    let one = |key: &SigningKey| AuthorizationPolicy::threshold(1, vec![key.public()]);
    let operator = signing(&directory.join("operator.key"))?;
    let replica = signing(&directory.join("replica/signing.key"))?;
    let verifier = signing(&directory.join("verifier/signing.key"))?;
    let secret = VrfSecret::from_random(&*key_file::random::<64>()?)?;
    key_file::create(&directory.join("replica/index.key"), key_file::INDEX, &secret.to_bytes())?;
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
            replicas: one(&replica)?,
            verifiers: Some(one(&verifier)?),
            operators: one(&operator)?,
        },
    };
    // The same way it will be read, so that nothing is made that is not.
    let bytes = realm.to_bounded_bytes()?;
    Realm::from_bytes(&bytes)?;
    files::create(&directory.join("address"), format!("{}\n", init.address).as_bytes(), false)?;
    files::create(&directory.join("realm"), &bytes, false)?;
    let (id, at) = (realm.id(), directory.display());
    Ok(Answer {
        text: format!("realm {id} is in {at}; next: plastron-keyserver serve --directory {at}"),
        json: serde_json::json!({ "realm": id.to_string(), "directory": directory }),
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
