//! `plastron keys audit`: checks every wrap of every KEK page that is retained, offline, and says who could read what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use futures::StreamExt;
use plastron::checkpoint::kek_pages;
use plastron::{Bucket, Config, ErrorKind};
use plastron_keyserver::key_module::{Examination, KekBlob, examine};
use plastron_keyserver::proto::{Message as _, Quorum, Realm};
use serde_json::{Value, json};

use crate::context::{Access, Context};
use crate::failure::{Failure, Result};
use crate::quantity::{printable, timestamp};

pub(crate) const HELP: &str = "\
For the key module keyserver. Each KEK page holds who it was wrapped to, at which epoch of the keyserver, with all that proves it; this checks
it against the realm's file, and asks nobody. No key is needed, and none is opened. It exits with 7 if anything is wrong; each
fault is a line that names its object.

With --json the result is one object: realm, pages (object, lsn, generation, kek, wrapped, leader, epoch, head, list_version, readers, without,
older, faults), readers (id, generations: those that the node could read by the pages that are there), faults (how many).

Examples:
  plastron keys audit
  plastron --json keys audit --realm /etc/plastron/realm";

/// Whose signatures are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wanted {
    /// Of the replicas alone
    Replicas,
    /// Of a quorum of verifiers, too
    Verifiers,
}

/// Options of `keys audit`.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// The realm's file [default: the one in the store string's key_management=(…)]
    #[arg(long, value_name = "FILE")]
    realm: Option<PathBuf>,

    /// Whose signatures each epoch must bear
    #[arg(long, value_enum, default_value_t = Wanted::Verifiers)]
    quorum: Wanted,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Audited {
    realm: String,
    pages: Vec<Page>,
}

/// One KEK page.
#[derive(Debug)]
struct Page {
    object: String,
    lsn: u64,
    /// None if it cannot be read.
    examination: Option<Examination>,
    faults: Vec<String>,
}

impl Audit {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let realm = match self.realm {
            Some(path) => path,
            None => named(context.options()?.key_management.section())?,
        };
        let quorum = match self.quorum {
            Wanted::Replicas => Quorum::Replicas,
            Wanted::Verifiers => Quorum::Verifiers,
        };
        let store = context.open(Access::Read).await?;
        let audited = Audited::of(store.bucket(), &realm, &quorum).await?;
        context.output.result(&audited.record(), || audited.text()).await?;
        match audited.faults() {
            0 => Ok(()),
            count => Err(Failure::of_kind(ErrorKind::Corrupt, format!("{count} faults were found"))),
        }
    }
}

/// The realm's file that the module is configured with.
fn named(section: &Config) -> Result<PathBuf> {
    let wrong = |error: plastron::ConfigError| Failure::from(plastron::Error::from(error));
    let keyserver = section.string("name").map_err(wrong)?.is_some_and(|name| name == "keyserver");
    let realm = section.string("config.realm").map_err(wrong)?.filter(|_| keyserver);
    realm.map(PathBuf::from).ok_or_else(|| {
        Failure::usage(
            "the store string has no key_management=(name=keyserver,…) with a realm's file: give --realm FILE",
        )
    })
}

impl Audited {
    /// Reads and checks every KEK page in the bucket.
    pub(crate) async fn of(bucket: &Bucket, realm: &Path, quorum: &Quorum) -> Result<Self> {
        let bytes = tokio::fs::read(realm).await.map_err(|error| Failure::local("read", realm, &error))?;
        let realm = Realm::from_bytes(&bytes)
            .map_err(|error| Failure::of_kind(error.kind(), format!("{}: {error}", realm.display())))?;
        let mut found = Box::pin(kek_pages(bucket));
        let mut pages = Vec::new();
        while let Some(page) = found.next().await {
            let page = page.map_err(plastron::Error::from)?;
            let blob = page.blob.map_err(|fault| fault.to_string());
            let decoded = blob.and_then(|blob| KekBlob::from_bytes(&blob).map_err(|error| error.to_string()));
            let examination = decoded.map(|blob| examine(&realm, quorum, &blob));
            let faults = match &examination {
                Ok(examination) => examination.faults.iter().map(ToString::to_string).collect(),
                Err(fault) => vec![fault.clone()],
            };
            pages.push(Page { object: page.object, lsn: page.lsn.get(), examination: examination.ok(), faults });
        }
        Ok(Self { realm: realm.id().to_string(), pages })
    }

    /// How many pages there are.
    pub(crate) fn pages(&self) -> usize {
        self.pages.len()
    }

    /// How many things are wrong.
    pub(crate) fn faults(&self) -> usize {
        self.pages.iter().map(|page| page.faults.len()).sum()
    }

    /// Which generations each node could read, by the pages that prove it.
    pub(crate) fn readers(&self) -> BTreeMap<&str, BTreeSet<u64>> {
        let mut readers: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        for page in &self.pages {
            let Some(found) = page.examination.as_ref().filter(|_| page.faults.is_empty()) else { continue };
            for reader in &found.readers {
                let generations = readers.entry(&reader.id).or_default();
                generations.insert(found.generation);
                generations.extend(found.older.iter().map(|older| older.generation));
            }
        }
        readers
    }

    /// As one JSON object.
    pub(crate) fn record(&self) -> Value {
        let reader = |(id, generations): (&&str, &BTreeSet<u64>)| json!({ "id": id, "generations": generations });
        json!({
            "realm": self.realm,
            "pages": self.pages.iter().map(Page::record).collect::<Vec<_>>(),
            "readers": self.readers().iter().map(reader).collect::<Vec<_>>(),
            "faults": self.faults(),
        })
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text: String = self.pages.iter().map(Page::text).collect();
        for (id, generations) in self.readers() {
            let generations: Vec<String> = generations.iter().map(u64::to_string).collect();
            text += &format!("node {id} could read generations {}\n", generations.join(", "));
        }
        text + &format!("{} KEK pages, {} faults; nobody was asked\n", self.pages.len(), self.faults())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn wrapped(found: &Examination) -> String {
    let wrapped = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(found.wrapped_ms));
    timestamp(wrapped.unwrap_or(SystemTime::UNIX_EPOCH))
}

impl Page {
    fn record(&self) -> Value {
        let mut record = json!({ "object": self.object, "lsn": self.lsn, "faults": self.faults });
        let (Some(found), Some(fields)) = (&self.examination, record.as_object_mut()) else { return record };
        let readers = found.readers.iter().map(|reader| {
            json!({
                "id": reader.id,
                "version": reader.version,
                "entry": reader.entry.to_string(),
                "kem": reader.kem.map(plastron_keyserver::key_module::Kem::name),
                "key": reader.key.map(|key| key.to_string()),
            })
        });
        let older = found.older.iter().map(|older| json!({ "generation": older.generation, "kek": hex(&older.id) }));
        for (key, value) in [
            ("generation", json!(found.generation)),
            ("kek", json!(hex(&found.kek))),
            ("cluster", json!(found.cluster)),
            ("wrapped", json!(wrapped(found))),
            ("leader", json!(found.leader)),
            ("epoch", json!(found.epoch)),
            ("head", json!(found.head.to_string())),
            ("list_version", json!(found.version)),
            ("readers", readers.collect()),
            ("without", json!(found.without)),
            ("older", older.collect()),
        ] {
            fields.insert(key.to_owned(), value);
        }
        record
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(found) = &self.examination {
            let ids: Vec<&str> = found.readers.iter().map(|reader| reader.id.as_str()).collect();
            text += &format!(
                "{}: generation {} of cluster {}, wrapped {} by node {} at epoch {} to {}\n",
                printable(&self.object),
                found.generation,
                found.cluster,
                wrapped(found),
                found.leader,
                found.epoch,
                ids.join(", ")
            );
            if !found.without.is_empty() {
                text += &format!("  listed, and not wrapped to: {}\n", found.without.join(", "));
            }
        }
        for fault in &self.faults {
            text += &format!("FAULT in {}: {}\n", printable(&self.object), printable(fault));
        }
        text
    }
}
