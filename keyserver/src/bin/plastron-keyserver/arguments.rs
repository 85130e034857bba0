//! What can be said on the command line.

mod registering;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::registering::{Authority, Issuer, Register};

/// A directory of public keys that cannot lie unnoticed.
#[derive(Debug, Parser)]
#[command(
    name = "plastron-keyserver",
    version,
    after_help = "From nothing to a verified lookup:\n  plastron-keyserver init\n  plastron-keyserver serve &\n  plastron-keyserver verify &\n  plastron-keyserver register node/a/1 --key hpke=00ff\n  plastron-keyserver lookup node/a/1"
)]
pub(crate) struct Arguments {
    /// The realm's directory: its file, its address, and the keys that this machine has.
    #[arg(long, global = true, default_value = "realm", env = "PLASTRON_KEYSERVER_REALM")]
    pub(crate) directory: PathBuf,
    /// Print one JSON object.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a realm: its file, and keys of a replica, a verifier and an operator.
    #[command(
        after_help = "Examples:\n  plastron-keyserver init --directory /srv/keys --name example --address 127.0.0.1:7107\n  plastron-keyserver init --replicas 3 --log etcd --endpoint http://127.0.0.1:2379"
    )]
    Init(Init),
    /// Run the replica, until it is interrupted.
    #[command(
        after_help = "Examples:\n  plastron-keyserver serve --directory /srv/keys --max-epoch-ms 30000\n  plastron-keyserver serve --replica replica-2"
    )]
    Serve(Serve),
    /// Run the verifier, until it is interrupted or the replica lies.
    #[command(
        after_help = "Examples:\n  plastron-keyserver verify --directory /srv/keys\n  plastron-keyserver verify --at grpcs://keys.example.com:7107"
    )]
    Verify(Verify),
    /// Register a name with keys, as the operator, with an identity token, or with a client certificate; its owner's key is made, and kept under `owners`.
    #[command(
        after_help = "Examples:\n  plastron-keyserver register node/a/1 --key hpke=00ff --key ssh=@id.pub\n  plastron-keyserver register person/a@example.com --key pgp=@a.pgp --token-command 'get-token --nonce \"$NONCE\"'\n  plastron-keyserver register host/a.example.com --key ssh=@id.pub --certificate a.pem --certificate-key a.key"
    )]
    Register(Register),
    /// Give a name other keys, as its owner.
    #[command(after_help = "Example: plastron-keyserver update node/a/1 --key hpke=11ee")]
    Update(Change),
    /// Look a name up, and check the answer.
    #[command(after_help = "Example: plastron-keyserver lookup node/a/1 --quorum verifiers --json")]
    Lookup(Lookup),
    /// Show all that a name has had, checked, and mark what its owner's key on this machine did not sign.
    #[command(after_help = "Example: plastron-keyserver history node/a/1")]
    History(History),
    /// Check a file of evidence, without asking anyone.
    #[command(after_help = "Example: plastron-keyserver audit realm/verifier/evidence")]
    Audit(Audit),
    /// Say whose identity tokens are believed, as the operator, or bring in new keys of an issuer.
    #[command(
        after_help = "Example: plastron-keyserver issuer https://accounts.example.com --audience plastron --prefix person/ --jwks jwks.json"
    )]
    Issuer(Issuer),
    /// Say whose client certificates names can be registered by, and which names, as the operator.
    #[command(
        after_help = "A certificate of that authority then registers the names that are the prefix and one of its DNS names or URIs.\n\nExample: plastron-keyserver authority site --certificate site-ca.pem --prefix host/"
    )]
    Authority(Authority),
    /// Change who runs the realm, as the operator. Quorums of replicas are majorities; those of verifiers and operators keep their thresholds.
    #[command(
        after_help = "Example: plastron-keyserver policy --add-replica 3d40… --remove-verifier d759…\nA replica's public key is shown by: plastron-keyserver join"
    )]
    Policy(Policy),
    /// Make the folder of a new replica, with a key of its own and what another has: its database as a snapshot, and the index key.
    #[command(
        after_help = "Example: plastron-keyserver join --replica replica-4 --address 127.0.0.1:7110 --like replica-1 --snapshot replica-1.snapshot"
    )]
    Join(Join),
    /// Write the database of a replica that does not run into a file. Names and profiles are in it.
    #[command(after_help = "Example: plastron-keyserver snapshot --replica replica-1 replica-1.snapshot")]
    Snapshot(Snapshot),
    /// Let the log on etcd no longer wait for a replica that is gone for good.
    #[command(after_help = "Example: plastron-keyserver retire replica-2 --like replica-1")]
    Retire(Retire),
    /// Make a node's key file; print what everybody may know of it.
    #[command(after_help = "Example: plastron-keyserver node-key /etc/plastron/a.key > a.pub")]
    NodeKey(MakeNodeKey),
    /// Register a node of a cluster with its public keys, or give it others, as the operators.
    #[command(after_help = "Example: plastron-keyserver register-node db a --public a.pub")]
    RegisterNode(RegisterNode),
    /// Show which nodes of a cluster may read, or change that, as the operators.
    #[command(
        after_help = "The next checkpoint wraps a fresh key to those that are listed.\n\nExamples:\n  plastron-keyserver readers db\n  plastron-keyserver readers db --add a --add b"
    )]
    Readers(Readers),
    /// Take a node off the list of those that may read, as the operators.
    #[command(
        after_help = "What it could read, it can read for ever; what comes after the next checkpoint, it cannot.\n\nExample: plastron-keyserver revoke db b"
    )]
    Revoke(Revoke),
    /// Ask the replica how it is. Nothing of the answer is proved.
    #[command(after_help = "Example: plastron-keyserver status --json")]
    Status(Status),
}

/// Where a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogName {
    /// In the replica's own directory, for one replica.
    Local,
    /// On etcd.
    Etcd,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// What people call the realm.
    #[arg(long, default_value = "plastron")]
    pub(crate) name: String,
    /// How many replicas; more than one need a log on etcd.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub(crate) replicas: u8,
    /// Where the replicas will listen: one for each, or one, whose port is counted up.
    #[arg(long = "address", default_value = "127.0.0.1:7107")]
    pub(crate) addresses: Vec<std::net::SocketAddr>,
    /// Where the replicated log will be.
    #[arg(long, value_enum, default_value_t = LogName::Local)]
    pub(crate) log: LogName,
    /// A URL of a node of etcd; one for each node.
    #[arg(long = "endpoint")]
    pub(crate) endpoints: Vec<String>,
    /// What the keys of the log in etcd begin with [default: plastron-keyserver/ and the realm's identity].
    #[arg(long)]
    pub(crate) prefix: Option<String>,
    /// Let names be registered by identity tokens and by client certificates, too, once issuers or authorities are named.
    #[arg(long, visible_alias = "client-certificates")]
    pub(crate) identity_tokens: bool,
    /// How long a head is fresh, in seconds.
    #[arg(long, default_value_t = 3600)]
    pub(crate) lifetime_s: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The replica's folder in the realm's directory.
    #[arg(long, default_value = "replica")]
    pub(crate) replica: String,
    /// Milliseconds from an epoch to the next if there are changes, instead of what the configuration says.
    #[arg(long)]
    pub(crate) min_epoch_ms: Option<u64>,
    /// Milliseconds from an epoch to the next if there are none.
    #[arg(long)]
    pub(crate) max_epoch_ms: Option<u64>,
    /// Epochs that can be looked up.
    #[arg(long)]
    pub(crate) retained_epochs: Option<u64>,
    /// MiB of the database to keep in memory, and as many of the tree.
    #[arg(long)]
    pub(crate) cache_mib: Option<u32>,
    /// Listen on an address that others reach, although nothing is encrypted.
    #[arg(long)]
    pub(crate) plaintext: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The replica's address, instead of those in the directory.
    #[arg(long)]
    pub(crate) at: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Change {
    /// The name.
    pub(crate) name: String,
    /// A key: APPLICATION=HEX, or APPLICATION=@FILE. All of the name's keys are given, each time.
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// The replica's address, instead of those in the directory.
    #[arg(long)]
    pub(crate) at: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Policy {
    /// A replica's public key.
    #[arg(long, value_name = "KEY")]
    pub(crate) add_replica: Vec<plastron_keyserver::PublicKey>,
    /// A replica's public key.
    #[arg(long, value_name = "KEY")]
    pub(crate) remove_replica: Vec<plastron_keyserver::PublicKey>,
    /// A verifier's public key.
    #[arg(long, value_name = "KEY")]
    pub(crate) add_verifier: Vec<plastron_keyserver::PublicKey>,
    /// A verifier's public key.
    #[arg(long, value_name = "KEY")]
    pub(crate) remove_verifier: Vec<plastron_keyserver::PublicKey>,
    /// An operator's public key.
    #[arg(long, value_name = "KEY")]
    pub(crate) add_operator: Vec<plastron_keyserver::PublicKey>,
    /// An operator's public key.
    #[arg(long, value_name = "KEY")]
    pub(crate) remove_operator: Vec<plastron_keyserver::PublicKey>,
    /// The replica's address, instead of those in the directory.
    #[arg(long)]
    pub(crate) at: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Join {
    /// The new replica's folder, and name.
    #[arg(long)]
    pub(crate) replica: String,
    /// Where it will listen.
    #[arg(long)]
    pub(crate) address: std::net::SocketAddr,
    /// The replica here whose index key and configuration it takes over.
    #[arg(long)]
    pub(crate) like: String,
    /// What `snapshot` has written; without it, the replica reads the log from its beginning.
    #[arg(long)]
    pub(crate) snapshot: Option<PathBuf>,
    /// The replica's address to ask for a head that is trusted, instead of those in the directory.
    #[arg(long)]
    pub(crate) at: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Snapshot {
    /// The replica's folder.
    #[arg(long, default_value = "replica")]
    pub(crate) replica: String,
    /// The file to write.
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Retire {
    /// The name of the replica that is gone.
    pub(crate) replica: String,
    /// A replica here, whose configuration says where the log is.
    #[arg(long)]
    pub(crate) like: String,
}

/// Whose signatures are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wanted {
    /// Of the replicas alone.
    Replicas,
    /// Of a quorum of verifiers, too.
    Verifiers,
}

#[derive(Debug, Args)]
pub(crate) struct Lookup {
    /// The name.
    pub(crate) name: String,
    /// The epoch; 0 for the newest.
    #[arg(long, default_value_t = 0)]
    pub(crate) epoch: u64,
    /// Whose signatures are wanted.
    #[arg(long, value_enum, default_value_t = Wanted::Verifiers)]
    pub(crate) quorum: Wanted,
    /// Seconds to wait for them, and for a replica that is coming up.
    #[arg(long, default_value_t = 10)]
    pub(crate) wait_s: u64,
    /// The replica's address, instead of those in the directory.
    #[arg(long)]
    pub(crate) at: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    /// The name.
    pub(crate) name: String,
    /// Whose signatures are wanted.
    #[arg(long, value_enum, default_value_t = Wanted::Verifiers)]
    pub(crate) quorum: Wanted,
    /// The replica's address, instead of those in the directory.
    #[arg(long)]
    pub(crate) at: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// The file.
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The replica's address, instead of those in the directory.
    #[arg(long)]
    pub(crate) at: Option<String>,
}

/// How keys are wrapped to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WantedKem {
    /// DHKEM(X25519, HKDF-SHA256).
    X25519,
    /// X-Wing: X25519 and ML-KEM-768, against computers to come.
    XWing,
}

#[derive(Debug, Args)]
pub(crate) struct MakeNodeKey {
    /// The file, which must not be there yet. It stays on the node.
    pub(crate) path: PathBuf,
    /// How keys are wrapped to the node.
    #[arg(long, value_enum, default_value_t = WantedKem::X25519)]
    pub(crate) kem: WantedKem,
}

/// What operators need.
#[derive(Debug, Args)]
pub(crate) struct Operated {
    /// Key file of an operator; as many as their policy demands [default: operator.key in the directory]
    #[arg(long = "operator", value_name = "FILE")]
    pub(crate) operators: Vec<PathBuf>,
    /// Seconds to wait for a replica that is coming up, and for the verifiers to sign.
    #[arg(long, default_value_t = 10)]
    pub(crate) wait_s: u64,
    /// The replica, instead of the one in the directory.
    #[arg(long)]
    pub(crate) at: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RegisterNode {
    /// The cluster.
    pub(crate) cluster: String,
    /// The node's id.
    pub(crate) id: String,
    /// File of what node-key has printed.
    #[arg(long, value_name = "FILE")]
    pub(crate) public: PathBuf,
    #[command(flatten)]
    pub(crate) operated: Operated,
}

#[derive(Debug, Args)]
pub(crate) struct Readers {
    /// The cluster.
    pub(crate) cluster: String,
    /// A node that may read from now on.
    #[arg(long, value_name = "ID")]
    pub(crate) add: Vec<String>,
    /// A node that may not any more.
    #[arg(long, value_name = "ID")]
    pub(crate) remove: Vec<String>,
    #[command(flatten)]
    pub(crate) operated: Operated,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The cluster.
    pub(crate) cluster: String,
    /// The node's id.
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) operated: Operated,
}
