//! What is where in a realm's directory.
//!
//! | file | what | secret |
//! | --- | --- | --- |
//! | `realm` | the realm, framed | no, but it must be the right one |
//! | `address` | where the replicas listen, a line each | no |
//! | `issuers` | whose identity tokens this operator has said are believed | no |
//! | `authorities` | whose client certificates this operator has said are taken | no |
//! | `tls/authority.pem`, `tls/certificate.pem`, `tls/key.pem` | for `https://` and `grpcs://` addresses: whom to trust, and what verifiers and operators show | the key |
//! | `memory` | what lookups from here have seen | no |
//! | `operator.key` | admits names | yes |
//! | `owners/<name>.key` | owns a name | yes |
//! | `replica/configuration` | how the replica runs; with several replicas the folders are `replica-1`, `replica-2`, … | no |
//! | `replica/signing.key`, `replica/index.key` | the replica's | yes |
//! | `replica/database/` | its database and log | names and profiles are in it |
//! | `verifier/signing.key`, `verifier/database/`, `verifier/evidence` | the verifier's | the key |

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plastron_keys::{ReplacedFile, SystemKeyClock};
use plastron_keyserver::proto::{Message, Realm};
use plastron_keyserver::tls::ClientTls;
use plastron_keyserver::transport::{ReplicaAddress, Transport, open};
use plastron_keyserver::{Error, Result};
use plastron_sources::clock::SystemClock;

/// How long requests can take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The most bytes of a file that is read.
const MOST_BYTES: u64 = 8 << 20;

pub(crate) fn failed(operation: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Storage { operation, source: Box::new(source) }
}

pub(crate) fn read(what: &'static str, path: &Path) -> Result<Vec<u8>> {
    let file = std::fs::File::open(path).map_err(|error| {
        let why =
            format!("{}: {error}; name the realm's directory with --directory, or make it with init", path.display());
        Error::NotFound { what, why }
    })?;
    let mut bytes = Vec::new();
    // One more than there may be.
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed("reading a file"))?;
    if bytes.len() as u64 > MOST_BYTES {
        let why = format!("{} has more than {MOST_BYTES} bytes, and no such file is so large", path.display());
        return Err(Error::Invalid { what, why });
    }
    Ok(bytes)
}

/// The list that this operator has signed last, from this file; the empty one at first.
pub(crate) fn list<M: Message + Default>(path: &Path) -> Result<M> {
    if path.exists() { M::from_bytes(&read(M::WHAT, path)?) } else { Ok(M::default()) }
}

/// Writes a file that must not be there yet, synced; a secret one for its owner's eyes only.
pub(crate) fn create(path: &Path, bytes: &[u8], secret: bool) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let mut file = options.open(path).map_err(|error| {
        let why = format!("{}: {error}; nothing is overwritten", path.display());
        Error::Invalid { what: "file", why }
    })?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed("writing a file"))
}

/// Writes a file anew, durably: whoever reads it sees what was, or what is.
pub(crate) fn replace(what: &'static str, path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |fault| Error::Storage { operation: "writing a file", source: Box::new(fault) };
    let file = ReplacedFile::new(what, path.to_owned(), Arc::new(SystemKeyClock));
    file.lock().and_then(|locked| locked.replace(bytes)).map_err(failed)
}

pub(crate) fn realm(directory: &Path) -> Result<Realm> {
    Realm::from_bytes(&read("realm", &directory.join("realm"))?)
}

/// Where the replicas listen.
pub(crate) fn addresses(directory: &Path, given: Option<&str>) -> Result<Vec<String>> {
    if let Some(given) = given {
        return Ok(vec![given.to_owned()]);
    }
    let bytes = read("address", &directory.join("address"))?;
    let text = String::from_utf8_lossy(&bytes);
    let addresses: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if addresses.is_empty() {
        return Err(Error::Invalid {
            what: "address",
            why: "the file has none; write one, such as 127.0.0.1:7107".to_owned(),
        });
    }
    Ok(addresses)
}

/// The replica at that address, with TLS if it is an `https://` or `grpcs://` one.
pub(crate) fn replica(directory: &Path, address: &str) -> Result<Arc<dyn Transport>> {
    let address = ReplicaAddress::parse(address)?;
    let file = |name: &str| directory.join("tls").join(name);
    let (certificate, key) = (file("certificate.pem"), file("key.pem"));
    let identity = certificate.exists().then_some((&*certificate, &*key));
    let tls = address.is_secure().then(|| ClientTls::open(&file("authority.pem"), identity)).transpose()?;
    open(&address, Arc::new(SystemClock), DEADLINE, tls)
}

/// The replicas, to be asked in turn.
pub(crate) fn replicas(directory: &Path, given: Option<&str>) -> Result<Vec<Arc<dyn Transport>>> {
    addresses(directory, given)?.iter().map(|address| replica(directory, address)).collect()
}

/// The key of a name's owner. A name is printable ASCII; what is no letter or digit is escaped.
pub(crate) fn owner(directory: &Path, name: &str) -> PathBuf {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let escape = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    directory.join("owners").join(format!("{}.key", name.bytes().map(escape).collect::<String>()))
}
