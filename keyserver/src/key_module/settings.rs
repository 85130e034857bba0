//! What stands in the `config=(…)` of the module.

use std::path::PathBuf;
use std::time::Duration;

use plastron_config::{Config, Schema};
use plastron_keys::Fault;

use super::fault::fault;
use super::names::check_id;
use crate::proto::Quorum;

const VERIFIERS: &str = "verifiers";
const REPLICAS: &str = "replicas";

/// What was configured.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Whose readers may read.
    pub cluster: String,
    /// This node's id.
    pub node: String,
    /// Its key file.
    pub key_file: PathBuf,
    /// The realm's file.
    pub realm: PathBuf,
    /// Addresses of replicas; a node that only reads needs none.
    pub servers: Vec<String>,
    /// PEM file of the authority that certificates of `https://` servers are checked by.
    pub certificate_authority: Option<PathBuf>,
    /// PEM files of the certificate to show to them, and of its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Whether servers on other machines may be asked without TLS.
    pub plaintext: bool,
    /// The directory of its memory.
    pub memory: PathBuf,
    /// Whose signatures a head needs.
    pub quorum: Quorum,
    /// `None`: by age no KEK is made.
    pub rotate_after: Option<Duration>,
    /// How long after a look the next checkpoint looks again.
    pub check_after: Duration,
    /// `None`: checkpoints go on without the keyserver for as long as the KEK needs no change.
    pub unchecked_for: Option<Duration>,
    /// How long a look can take.
    pub deadline: Duration,
}

impl Settings {
    pub(super) fn schema(name: &'static str) -> Schema {
        Schema::new(name)
            .about("KEKs wrapped to the public keys that nodes have in a keyserver.")
            .string("cluster", "Whose readers may read: the list cluster/CLUSTER/readers, and nodes node/CLUSTER/ID.")
            .required()
            .string("node", "This node's id.")
            .required()
            .string("key_file", "This node's key file, made by plastron-keyserver node-key; mode 0600.")
            .required()
            .string("realm", "The realm's file, from a source that is trusted.")
            .required()
            .string("memory", "A directory in which this node remembers what it has seen of this database's keys; one for each database.")
            .required()
            .list("servers", "Addresses of the keyserver's replicas, asked in this order: https://host:port, or host:port for one on this machine, by gRPC with grpcs:// or grpc:// before it; a node that only reads needs none.")
            .string("certificate_authority", "PEM file of the authority that the certificates of https:// and grpcs:// servers are checked by.")
            .string("certificate", "PEM file of the certificate to show to servers, if they want to see one.")
            .string("certificate_key_file", "PEM file of its key.")
            .boolean("plaintext", "Ask servers on other machines even without TLS, so that names can be read by whoever is in between.", "false")
            .choice("quorum", "Whose signatures a list of readers needs: of a quorum of verifiers too, or of the replicas alone.", &[VERIFIERS, REPLICAS], VERIFIERS)
            .duration("rotate_after", "Age at which a checkpoint makes a new KEK; 0: on command, and when readers change.", "90d")
            .duration("check_after", "How long after a look at the list of readers a checkpoint looks again; 0: each checkpoint does.", "30s")
            .duration("unchecked_for", "How long checkpoints go on while the list can't be looked up; 0: as long as the KEK needs no change.", "0")
            .duration("deadline", "How long a look can take.", "30s")
            .range("1ms", "10min")
    }

    /// The settings in `config`, which was checked against the schema.
    ///
    /// # Errors
    /// [`Fault::Config`].
    pub fn from_config(config: &Config) -> Result<Self, Fault> {
        let text = |key: &str| -> Result<String, Fault> {
            let text = config.string(key)?.unwrap_or_default();
            if text.is_empty() { Err(Fault::Config(format!("{key} is empty"))) } else { Ok(text) }
        };
        let duration = |key: &str, default: u64| -> Result<Duration, Fault> {
            Ok(config.duration(key)?.unwrap_or(Duration::from_secs(default)))
        };
        let (cluster, node) = (text("cluster")?, text("node")?);
        check_id("cluster", &cluster).and_then(|()| check_id("node", &node)).map_err(fault)?;
        let quorum = match config.choice("quorum", &[VERIFIERS, REPLICAS])? {
            Some(REPLICAS) => Quorum::Replicas,
            _ => Quorum::Verifiers,
        };
        let file = |key: &str| -> Result<Option<PathBuf>, Fault> {
            config.string(key)?.map(|_| text(key).map(PathBuf::from)).transpose()
        };
        let identity = match (file("certificate")?, file("certificate_key_file")?) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(Fault::Config("certificate and certificate_key_file go together".into())),
        };
        let some = |duration: Duration| Some(duration).filter(|duration| !duration.is_zero());
        Ok(Self {
            cluster,
            node,
            key_file: text("key_file")?.into(),
            realm: text("realm")?.into(),
            servers: config.list("servers")?.unwrap_or_default(),
            certificate_authority: file("certificate_authority")?,
            identity,
            plaintext: config.boolean("plaintext")?.unwrap_or(false),
            memory: text("memory")?.into(),
            quorum,
            rotate_after: some(duration("rotate_after", 90 * 86_400)?),
            check_after: duration("check_after", 30)?,
            unchecked_for: some(duration("unchecked_for", 0)?),
            deadline: duration("deadline", 30)?,
        })
    }
}
