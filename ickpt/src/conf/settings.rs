//! The settings of `[ICKPT]`.

use std::path::PathBuf;
use std::time::Duration;

use super::conf_file::ConfFile;
use super::duration::go_duration;
use crate::allow_list::AllowList;
use crate::error::{Error, Fault, Result};
use crate::value::MAX_VALUE_BYTES;

const SECTION: &str = "ICKPT";

/// Every key, of the seed's file, of older ones, and our own.
const KEYS: [&str; 20] = [
    "IPAddr",
    "Port",
    "CertFilePath",
    "KeyFilePath",
    "CACertFilePath",
    "DataBasePath",
    "SwiftTimeout",
    "SwiftConnectionPoolSize",
    "TransactionTimeout",
    "SwiftRetryDelay",
    "SwiftRetryExpBackoff",
    "SwiftRetryLimit",
    "AllowedStorageOrigins",
    "MaxBodyBytes",
    "MetricsPort",
    "ClientCACertFilePath",
    "MaxConnections",
    "MaxStagedEntries",
    "RequestTimeout",
    "DataBaseCacheBytes",
];

/// The three files of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and the authority, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The site's certificate authority, PEM. Stores with certificates of it are trusted too.
    pub authority: PathBuf,
    /// Whose certificates clients must show; none if they need not.
    pub client_authority: Option<PathBuf>,
}

/// What the service is told, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Name or address to listen at.
    pub ip_addr: String,
    /// Port to listen at; 0 for any that is free.
    pub port: u16,
    /// TLS; none for plain TCP.
    pub tls: Option<TlsFiles>,
    /// Folder of the database.
    pub data_base_path: PathBuf,
    /// Deadline of all that is asked of a store for one call.
    pub swift_timeout: Duration,
    /// Connections to stores.
    pub swift_connection_pool_size: usize,
    /// How long something staged may wait for its POST.
    pub transaction_timeout: Duration,
    /// Wait before a store is asked again.
    pub swift_retry_delay: Duration,
    /// What the wait is multiplied with after each time.
    pub swift_retry_exp_backoff_percent: u32,
    /// How often a store is asked again.
    pub swift_retry_limit: u32,
    /// Stores that may be asked.
    pub allowed_storage_origins: AllowList,
    /// Bytes of a value.
    pub max_body_bytes: usize,
    /// Port of `/metrics` and `/stop` on 127.0.0.1; none for neither.
    pub metrics_port: Option<u16>,
    /// Connections of clients.
    pub max_connections: usize,
    /// Operations staged at a time.
    pub max_staged_entries: usize,
    /// Deadline of a call's headers, and of its body.
    pub request_timeout: Duration,
    /// Memory of the database's cache, bytes.
    pub data_base_cache_bytes: usize,
}

impl Settings {
    /// Reads `[ICKPT]`.
    ///
    /// # Errors
    /// `Invalid` for a section that is missing, keys that are missing or not known, and values that can't be.
    pub fn from_conf(conf: &ConfFile) -> Result<Self> {
        read(conf).map_err(|what| Error::new("read", "configuration", Fault::Invalid(what)))
    }
}

fn read(conf: &ConfFile) -> Result<Settings, String> {
    let keys = conf.keys(SECTION).ok_or("there is no section [ICKPT]")?;
    if let Some(stranger) = keys.into_iter().find(|key| !KEYS.contains(key)) {
        return Err(format!("[ICKPT] has no setting '{stranger}'; it has {}", KEYS.join(", ")));
    }
    let section = Section(conf);
    let certificate = section.path("CertFilePath")?;
    let key = section.path("KeyFilePath")?;
    let authority = section.path("CACertFilePath")?;
    let client_authority = section.path("ClientCACertFilePath")?;
    let tls = match (certificate, key, authority) {
        (Some(certificate), Some(key), Some(authority)) => {
            Some(TlsFiles { certificate, key, authority, client_authority })
        }
        (None, None, None) if client_authority.is_none() => None,
        (None, None, None) => {
            return Err("ClientCACertFilePath needs CertFilePath, KeyFilePath and CACertFilePath".to_owned());
        }
        _ => return Err("CertFilePath, KeyFilePath and CACertFilePath must all be set, or none of them".to_owned()),
    };
    let origins = conf.values(SECTION, "AllowedStorageOrigins").unwrap_or_default();
    let within = |name, least, most, default| section.number(name, least, most, default);
    let backoff = section.one("SwiftRetryExpBackoff")?.map_or(Ok(100), |text| percent("SwiftRetryExpBackoff", text))?;
    Ok(Settings {
        ip_addr: section.needed("IPAddr")?.to_owned(),
        port: u16::try_from(section.needed("Port").and_then(|_| within("Port", 0, 65_535, 0))?).unwrap_or_default(),
        tls,
        data_base_path: PathBuf::from(section.needed("DataBasePath")?),
        swift_timeout: section.duration("SwiftTimeout", Duration::from_secs(600))?,
        swift_connection_pool_size: within("SwiftConnectionPoolSize", 1, 65_536, 128)? as usize,
        transaction_timeout: section.duration("TransactionTimeout", Duration::from_secs(10))?,
        swift_retry_delay: section.duration("SwiftRetryDelay", Duration::from_millis(100))?,
        swift_retry_exp_backoff_percent: backoff,
        swift_retry_limit: within("SwiftRetryLimit", 0, 100, 0)? as u32,
        allowed_storage_origins: AllowList::parse(origins.iter().map(String::as_str))?,
        max_body_bytes: within("MaxBodyBytes", 1, MAX_VALUE_BYTES as u64, MAX_VALUE_BYTES as u64)? as usize,
        metrics_port: match section.one("MetricsPort")? {
            None => None,
            Some(_) => u16::try_from(within("MetricsPort", 0, 65_535, 0)?).ok(),
        },
        max_connections: within("MaxConnections", 1, 65_536, 1024)? as usize,
        max_staged_entries: within("MaxStagedEntries", 1, 1 << 20, 4096)? as usize,
        request_timeout: section.duration("RequestTimeout", Duration::from_secs(30))?,
        data_base_cache_bytes: within("DataBaseCacheBytes", 1 << 20, 1 << 40, 64 << 20)? as usize,
    })
}

/// `1.4` as 140.
fn percent(name: &str, text: &str) -> Result<u32, String> {
    let number: f64 = text.parse().map_err(|_| format!("{name} is '{text}', and no number"))?;
    if (1.0..=100.0).contains(&number) {
        Ok((number * 100.0) as u32)
    } else {
        Err(format!("{name} is {text}; it can be 1 to 100"))
    }
}

struct Section<'a>(&'a ConfFile);

impl<'a> Section<'a> {
    /// The value of a key that has one at the most.
    fn one(&self, key: &str) -> Result<Option<&'a str>, String> {
        match self.0.values(SECTION, key).unwrap_or_default() {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            more => Err(format!("{key} has {} values; it can have one", more.len())),
        }
    }

    fn needed(&self, key: &str) -> Result<&'a str, String> {
        self.one(key)?.ok_or_else(|| format!("{key} is not set in [ICKPT]"))
    }

    fn path(&self, key: &str) -> Result<Option<PathBuf>, String> {
        Ok(self.one(key)?.map(PathBuf::from))
    }

    fn duration(&self, key: &str, default: Duration) -> Result<Duration, String> {
        let Some(text) = self.one(key)? else { return Ok(default) };
        match go_duration(text).map_err(|what| format!("{key}: {what}"))? {
            Duration::ZERO => Err(format!("{key} is zero; nothing could be done in time")),
            duration => Ok(duration),
        }
    }

    fn number(&self, key: &str, least: u64, most: u64, default: u64) -> Result<u64, String> {
        let Some(text) = self.one(key)? else { return Ok(default) };
        let plain = text.bytes().all(|c| c.is_ascii_digit());
        let number = text.parse().ok().filter(|number| plain && (least..=most).contains(number));
        number.ok_or_else(|| format!("{key} is '{text}'; it can be a number from {least} to {most}"))
    }
}
