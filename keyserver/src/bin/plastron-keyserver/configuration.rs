//! A replica's configuration file: `configuration` in its folder, a configuration string as all of Plastron has them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plastron_config::{Config, Schema};
use plastron_ickpt::etcd::{EtcdClientOptions, EtcdUser};
use plastron_keyserver::log::EtcdLogOptions;
use plastron_keyserver::server::ServerOptions;
use plastron_keyserver::tls::ServerTls;
use plastron_keyserver::{Error, Result};
use zeroize::Zeroizing;

use crate::files;

/// What can be said in it.
pub(crate) fn schema() -> Schema {
    Schema::new("replica")
        .about("A replica of a keyserver.")
        .string("name", "Its name, which no other replica of the realm has.")
        .required()
        .string("address", "Where it listens.")
        .required()
        .duration("min_epoch", "From an epoch to the next if there are changes.", "1s")
        .range("1ms", "24h")
        .duration("max_epoch", "From an epoch to the next if there are none.", "1min")
        .range("1ms", "720h")
        .number("retained_epochs", "Epochs that can be looked up, the same at all replicas.", "10000")
        .range("1", "1000000000")
        .size("cache", "Memory for what was read of the database, and as much for the tree.", "64MB")
        .range("1MB", "")
        .number("requests_per_second", "From one address; 0 for no limit.", "0")
        .range("0", "1000000")
        .number("connections", "The most connections at once; others wait. The limit of open files must be above it.", "512")
        .range("8", "65536")
        .duration("client_timeout", "How long a client can take for its handshake, to begin a request, for its headers and its body, and without taking anything of an answer.", "10s")
        .range("100ms", "10min")
        .boolean("plaintext", "Listen on an address that others reach, although nothing is encrypted.", "false")
        .section(
            Schema::new("tls")
                .about("TLS; without a certificate nothing is encrypted.")
                .string("certificate", "PEM file of the certificate to show.")
                .string("private_key_file", "PEM file of its key.")
                .string(
                    "client_authority",
                    "PEM file of the authority that verifiers and operators must have a certificate of.",
                ),
        )
        .section(
            Schema::new("log")
                .about("The replicated log.")
                .choice("name", "Where it is.", &["local", "etcd"], "local")
                .list("endpoints", "URLs of etcd's nodes.")
                .string("prefix", "What all of the log's keys in etcd begin with, the same at all replicas.")
                .list("members", "Names of all replicas: the log is kept until all of them have applied it.")
                .string("user", "Who asks etcd, where it has users.")
                .string("password_file", "File with the password.")
                .string("certificate_authority", "PEM file of the authority of etcd's nodes.")
                .string("certificate", "PEM file of the certificate to show to etcd.")
                .string("private_key_file", "PEM file of its key.")
                .duration("timeout", "Deadline of a request to etcd.", "10s")
                .range("100ms", "10min")
                .duration("lease", "How long a silent leader is still taken for the leader.", "5s")
                .range("1s", "10min"),
        )
}

/// Where the log is.
pub(crate) enum LogPlace {
    Local,
    Etcd(Box<EtcdLogOptions>),
}

/// The file, read.
pub(crate) struct Configuration {
    pub(crate) address: SocketAddr,
    pub(crate) min_epoch: Duration,
    pub(crate) max_epoch: Duration,
    pub(crate) retained_epochs: u64,
    pub(crate) cache_bytes: u64,
    pub(crate) plaintext: bool,
    pub(crate) most_per_second: Option<u32>,
    pub(crate) most_connections: usize,
    pub(crate) client_timeout: Duration,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) log: LogPlace,
}

fn invalid(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::Invalid { what: "configuration", why: format!("{}: {why:#}", path.display()) }
}

/// The password in that file, without the end of its line.
fn password(path: &Path) -> Result<Zeroizing<String>> {
    let bytes = Zeroizing::new(files::read("password", path)?);
    let text = std::str::from_utf8(&bytes).map_err(|error| invalid(path, error))?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Reads the configuration of the replica in that folder.
pub(crate) fn read(folder: &Path) -> Result<Configuration> {
    let path = &folder.join("configuration");
    let bytes = files::read("configuration", path)?;
    let text = String::from_utf8(bytes).map_err(|error| invalid(path, error))?;
    parse(&text).map_err(|error| invalid(path, error))?.map_err(|why| invalid(path, why))
}

type Parsed = std::result::Result<std::result::Result<Configuration, String>, plastron_config::Error>;

fn parse(text: &str) -> Parsed {
    let schema = schema();
    let given = Config::parse(text)?;
    schema.check(&given)?;
    let mut config = schema.defaults()?;
    config.merge(given);
    let name = config.string("name")?.unwrap_or_default();
    let address = config.string("address")?.unwrap_or_default();
    let Ok(address) = address.parse() else {
        return Ok(Err(format!("'{address}' is no address with a port, such as 127.0.0.1:7107")));
    };
    let duration = |path| Ok::<_, plastron_config::Error>(config.duration(path)?.unwrap_or_default());
    let file = |path| Ok::<_, plastron_config::Error>(config.string(path)?.map(PathBuf::from));
    let log = match config.string("log.name")?.as_deref() {
        Some("etcd") => {
            let mut client = EtcdClientOptions::new(config.list("log.endpoints")?.unwrap_or_default());
            client.certificate_authority = file("log.certificate_authority")?;
            client.identity = match (file("log.certificate")?, file("log.private_key_file")?) {
                (Some(certificate), Some(key)) => Some((certificate, key)),
                (None, None) => None,
                _ => return Ok(Err("log.certificate and log.private_key_file go together".to_owned())),
            };
            client.user = match (config.string("log.user")?, file("log.password_file")?) {
                (Some(name), Some(path)) => match password(&path) {
                    Ok(password) => Some(EtcdUser { name, password }),
                    Err(error) => return Ok(Err(error.to_string())),
                },
                (None, None) => None,
                _ => return Ok(Err("log.user and log.password_file go together".to_owned())),
            };
            client.timeout = duration("log.timeout")?;
            let mut options = EtcdLogOptions::new(client, config.string("log.prefix")?.unwrap_or_default(), name);
            options.members = config.list("log.members")?.unwrap_or_default();
            options.lease = duration("log.lease")?;
            LogPlace::Etcd(Box::new(options))
        }
        _ => LogPlace::Local,
    };
    let authority = file("tls.client_authority")?;
    let tls = match (file("tls.certificate")?, file("tls.private_key_file")?) {
        (Some(certificate), Some(key)) => match ServerTls::open(&certificate, &key, authority.as_deref()) {
            Ok(tls) => Some(tls),
            Err(error) => return Ok(Err(error.to_string())),
        },
        (None, None) if authority.is_none() => None,
        _ => return Ok(Err("tls.certificate and tls.private_key_file go together".to_owned())),
    };
    let number = config.number("retained_epochs")?.and_then(|number| u64::try_from(number).ok());
    let rate = config.number("requests_per_second")?.and_then(|number| u32::try_from(number).ok());
    let connections = config.number("connections")?.and_then(|number| usize::try_from(number).ok());
    Ok(Ok(Configuration {
        address,
        min_epoch: duration("min_epoch")?,
        max_epoch: duration("max_epoch")?,
        retained_epochs: number.unwrap_or(10_000),
        cache_bytes: config.size("cache")?.unwrap_or(64 << 20),
        plaintext: config.boolean("plaintext")?.unwrap_or(false),
        most_per_second: rate.filter(|rate| *rate > 0),
        most_connections: connections.unwrap_or(ServerOptions::MOST_CONNECTIONS),
        client_timeout: config.duration("client_timeout")?.unwrap_or(ServerOptions::CLIENT_TIMEOUT),
        tls,
        log,
    }))
}

/// The configuration of a replica beside that in `folder`.
pub(crate) fn like(folder: &Path, name: &str, address: SocketAddr) -> Result<String> {
    let path = &folder.join("configuration");
    let text = String::from_utf8(files::read("configuration", path)?).map_err(|error| invalid(path, error))?;
    let mut config = Config::parse(&text).map_err(|error| invalid(path, error))?;
    config.set("name", name).map_err(|error| invalid(path, error))?;
    config.set("address", address.to_string().as_str()).map_err(|error| invalid(path, error))?;
    if let Some(mut members) = config.list("log.members").map_err(|error| invalid(path, error))? {
        members.push(name.to_owned());
        let quoted: Vec<String> = members.iter().map(|item| format!("{item:?}")).collect();
        let with =
            Config::parse(&format!("log=(members=[{}])", quoted.join(","))).map_err(|error| invalid(path, error))?;
        config.merge(with);
    }
    let text = format!("{config}\n");
    parse(&text).map_err(|error| invalid(path, error))?.map_err(|why| invalid(path, why))?;
    Ok(text)
}

/// The text of a new configuration.
pub(crate) fn write(name: &str, address: SocketAddr, log: Option<(&[String], &str, &[String])>) -> Result<String> {
    let mut config = Config::default();
    let failed = |error: plastron_config::Error| Error::Invalid { what: "configuration", why: error.to_string() };
    let list = |items: &[String]| {
        let quoted: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
        format!("[{}]", quoted.join(","))
    };
    config.set("name", name).map_err(failed)?;
    config.set("address", address.to_string().as_str()).map_err(failed)?;
    let log = match log {
        None => "log=(name=local)".to_owned(),
        Some((endpoints, prefix, members)) => {
            format!("log=(name=etcd,endpoints={},prefix={prefix:?},members={})", list(endpoints), list(members))
        }
    };
    config.merge(Config::parse(&log).map_err(failed)?);
    let text = format!("{config}\n");
    // The same way it will be read, so that nothing is written that is not.
    parse(&text).map_err(failed)?.map_err(|why| Error::Invalid { what: "configuration", why })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_mistakes_are_told() {
        let address = "127.0.0.1:7107".parse().unwrap();
        let members = ["replica-1".to_owned(), "replica-2".to_owned()];
        let endpoints = ["http://127.0.0.1:2379".to_owned()];
        let text = write("replica-1", address, Some((&endpoints, "realm/a", &members))).unwrap();
        let read = parse(&text).unwrap().unwrap_or_else(|why| panic!("{why}"));
        let LogPlace::Etcd(log) = read.log else { panic!("{text}") };
        assert_eq!((&log.members[..], &log.prefix[..], &log.replica[..]), (&members[..], "realm/a", "replica-1"));
        assert_eq!((log.client.endpoints, read.address), (endpoints.to_vec(), address));
        assert!(
            matches!(parse(&write("replica", address, None).unwrap()).unwrap(), Ok(read) if matches!(read.log, LogPlace::Local))
        );
        for (text, why) in [
            ("name=a,address=\"127.0.0.1\"", "is no address"),
            ("name=a,address=\"127.0.0.1:1\",log=(name=etcd,certificate=x)", "go together"),
            ("name=a,address=\"127.0.0.1:1\",tls=(certificate=x)", "go together"),
            ("name=a,address=\"127.0.0.1:1\",tls=(certificate=x,private_key_file=y)", "TLS: x: "),
        ] {
            assert!(parse(text).unwrap().err().unwrap().contains(why), "{text}");
        }
        for text in [
            "address=\"127.0.0.1:1\"",
            "name=a,address=\"127.0.0.1:1\",lag=(name=etcd)",
            "name=a,address=\"127.0.0.1:1\",log=(name=raft)",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
