//! Azure's connection strings: `Key=Value;Key=Value`.
//!
//! The grammar and its keys: <https://learn.microsoft.com/en-us/azure/storage/common/storage-configure-connection-string>.
//! Keys are not case-sensitive, values may hold `=`. Messages name the offending key and never its value; and since what stands
//! before a `=` may itself be a piece of a key pasted alone, only what reads like a name is repeated.

use super::Key;
use crate::credentials::Endpoint;
use crate::error::Fault;
use crate::secret::Secret;

/// Azurite's and the old emulator's account, with the key that Microsoft published for it.
/// <https://learn.microsoft.com/en-us/azure/storage/common/storage-use-azurite#well-known-storage-account-and-key>
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
const EMULATOR_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const EMULATOR_ENDPOINT: &str = "http://127.0.0.1:10000/devstoreaccount1";

/// Of Azure's public cloud.
const PUBLIC_SUFFIX: &str = "core.windows.net";

/// Keys that belong to other services or to what Plastron does not do; they are accepted and not used.
const IGNORED: [&str; 7] = [
    "queueendpoint",
    "tableendpoint",
    "fileendpoint",
    "blobsecondaryendpoint",
    "queuesecondaryendpoint",
    "tablesecondaryendpoint",
    "filesecondaryendpoint",
];

const KNOWN: [&str; 8] = [
    "AccountName",
    "AccountKey",
    "SharedAccessSignature",
    "BlobEndpoint",
    "EndpointSuffix",
    "DefaultEndpointsProtocol",
    "UseDevelopmentStorage",
    "DevelopmentStorageProxyUri",
];

/// What a connection string says about blobs.
#[derive(Debug)]
pub(super) struct ConnectionString {
    /// The storage account; the endpoint tells it where the string doesn't.
    pub(super) account: Option<String>,
    /// The key or signature.
    pub(super) key: Key,
    /// The blob service.
    pub(super) endpoint: Endpoint,
}

impl ConnectionString {
    /// Reads `text`, which was found in the option or variable `origin`. Fails with [`Fault::Config`].
    pub(super) fn parse(origin: &str, text: &str) -> Result<Self, Fault> {
        Values::split(origin, text)?.interpret()
    }
}

/// The string's values by key.
struct Values<'a> {
    origin: &'a str,
    values: [Option<&'a str>; KNOWN.len()],
}

impl<'a> Values<'a> {
    fn split(origin: &'a str, text: &'a str) -> Result<Self, Fault> {
        let mut split = Self { origin, values: [None; KNOWN.len()] };
        if text.trim_start().starts_with('?') {
            return Err(split.wrong(
                "this is a bare shared access signature; write it as BlobEndpoint=https://…;SharedAccessSignature=…",
            ));
        }
        for (number, part) in text.split(';').enumerate().filter(|(_, part)| !part.trim().is_empty()) {
            let number = number + 1;
            let Some((key, value)) = part.split_once('=') else {
                return Err(split.wrong(&format!(
                    "part {number} is not Key=Value; a connection string looks like AccountName=…;AccountKey=…"
                )));
            };
            let key = key.trim();
            if IGNORED.iter().any(|ignored| ignored.eq_ignore_ascii_case(key)) {
                continue;
            }
            let known = KNOWN.iter().zip(&mut split.values).find(|(known, _)| known.eq_ignore_ascii_case(key));
            let Some((known, slot)) = known else {
                return Err(split.wrong(&unknown(key, number)));
            };
            if slot.is_some() {
                return Err(split.wrong(&format!("{known} is given twice; keep one")));
            }
            *slot = Some(value.trim());
        }
        Ok(split)
    }

    /// The value of one of [`KNOWN`]. Fails if it is there and empty.
    fn get(&self, key: &str) -> Result<Option<&'a str>, Fault> {
        let value = KNOWN.iter().zip(&self.values).find(|(known, _)| **known == key).and_then(|(_, value)| *value);
        match value {
            Some("") => Err(self.wrong(&format!("{key} is empty"))),
            value => Ok(value),
        }
    }

    fn interpret(&self) -> Result<ConnectionString, Fault> {
        if self.get("DevelopmentStorageProxyUri")?.is_some() {
            return Err(self.wrong(
                "DevelopmentStorageProxyUri is not supported; name the emulator's own address: \
                 BlobEndpoint=http://host:port/account with AccountName and AccountKey",
            ));
        }
        match self.get("UseDevelopmentStorage")? {
            None => {}
            Some(value) if value.eq_ignore_ascii_case("true") => return self.emulator(),
            Some(_) => return Err(self.wrong("UseDevelopmentStorage can only be true; leave it out otherwise")),
        }
        let account = self.get("AccountName")?;
        if let Some(account) = account {
            check_account(account).map_err(|why| self.wrong(&format!("AccountName: {why}")))?;
        }
        let key = self.key(account)?;
        Ok(ConnectionString { account: account.map(str::to_owned), key, endpoint: self.endpoint(account)? })
    }

    fn emulator(&self) -> Result<ConnectionString, Fault> {
        if self.values.iter().flatten().count() > 1 {
            return Err(
                self.wrong("UseDevelopmentStorage stands alone: it is the local emulator with its own account and key")
            );
        }
        Ok(ConnectionString {
            account: Some(EMULATOR_ACCOUNT.to_owned()),
            key: Key::Account(Secret::new(EMULATOR_KEY)),
            endpoint: Endpoint::parse(self.origin, EMULATOR_ENDPOINT)?,
        })
    }

    fn key(&self, account: Option<&str>) -> Result<Key, Fault> {
        let (name, key) = match (self.get("AccountKey")?, self.get("SharedAccessSignature")?) {
            (Some(_), Some(_)) => {
                return Err(self.wrong("AccountKey and SharedAccessSignature are both given; keep one"));
            }
            (None, None) => {
                return Err(self.wrong(
                    "neither AccountKey nor SharedAccessSignature is given; to use an identity, leave the connection string out and \
                     set endpoint=https://ACCOUNT.blob.core.windows.net",
                ));
            }
            (Some(_), None) if account.is_none() => return Err(self.wrong("AccountKey needs AccountName")),
            (Some(key), None) => ("AccountKey", Key::Account(Secret::new(key))),
            (None, Some(sas)) => ("SharedAccessSignature", Key::Sas(Secret::new(sas))),
        };
        key.credential(&format!("{}: {name}", self.origin))?;
        Ok(key)
    }

    fn endpoint(&self, account: Option<&str>) -> Result<Endpoint, Fault> {
        let (protocol, suffix) = (self.get("DefaultEndpointsProtocol")?, self.get("EndpointSuffix")?);
        if let Some(endpoint) = self.get("BlobEndpoint")? {
            return Endpoint::parse(&format!("{}: BlobEndpoint", self.origin), endpoint);
        }
        let Some(account) = account else {
            return Err(self.wrong("neither AccountName nor BlobEndpoint is given, so there is nowhere to connect to"));
        };
        let protocol = match protocol.map(str::to_ascii_lowercase) {
            None => "https".to_owned(),
            Some(protocol) if protocol == "https" || protocol == "http" => protocol,
            Some(_) => return Err(self.wrong("DefaultEndpointsProtocol must be https or http")),
        };
        let suffix = suffix.unwrap_or(PUBLIC_SUFFIX);
        if !suffix.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':')) {
            return Err(self.wrong("EndpointSuffix must be a host name such as core.windows.net"));
        }
        Endpoint::parse(&format!("{}: EndpointSuffix", self.origin), &format!("{protocol}://{account}.blob.{suffix}"))
    }

    fn wrong(&self, why: &str) -> Fault {
        Fault::Config(format!("{}: {why}", self.origin))
    }
}

/// An account's name stands in host names and in what is signed. Azure's rule is 3 to 24 lower-case letters and digits; emulators take more.
pub(super) fn check_account(account: &str) -> Result<(), &'static str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=64).contains(&account.len()) && account.bytes().all(fits) {
        Ok(())
    } else {
        Err("not a storage account's name, which has letters and digits only")
    }
}

fn unknown(key: &str, number: usize) -> String {
    let reads_like_a_name = (1..=32).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !reads_like_a_name {
        return format!("part {number} is not Key=Value; a connection string looks like AccountName=…;AccountKey=…");
    }
    if ["sv", "sig", "se", "sp", "sr", "ss", "srt", "st", "spr", "sip"].contains(&key) {
        return "this is a bare shared access signature; write it as BlobEndpoint=https://…;SharedAccessSignature=…"
            .to_owned();
    }
    format!("the key {key} is not known; known are {}", KNOWN.join(", "))
}
