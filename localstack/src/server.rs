//! The servers by name.

use std::fmt;
use std::str::FromStr;

use plastron_config::ErrorKind;

use crate::error::Error;

/// A server that tests run against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Server {
    /// SeaweedFS: the default S3 server. Checks secrets, clock skew and signed headers; all conditional requests right.
    SeaweedFs,
    /// moto: S3, KMS, STS and IAM; fast and right in races. Accepts any credentials.
    Moto,
    /// moto with its authorization switched on: wrong keys, wrong secrets and missing permissions are refused.
    MotoAuth,
    /// LocalStack: S3, KMS and STS as many people run them. Accepts any credentials.
    LocalStack,
    /// Azurite: Azure Blob Storage.
    Azurite,
    /// The in-repo server for the XML API of Google Cloud Storage.
    Gcs,
    /// The same server ignoring every precondition: a store that Plastron has to refuse.
    Careless,
    /// OpenStack Swift with `s3api` and TempAuth: the strict reader of signatures. Has no conditional PUT.
    Swift,
    /// OpenBao's transit engine, for keys.
    OpenBao,
    /// etcd, three nodes, for the registry.
    Etcd,
}

impl Server {
    /// Every server, in the order of this list.
    pub const ALL: [Self; 10] = [
        Self::SeaweedFs,
        Self::Moto,
        Self::MotoAuth,
        Self::LocalStack,
        Self::Azurite,
        Self::Gcs,
        Self::Careless,
        Self::Swift,
        Self::OpenBao,
        Self::Etcd,
    ];

    /// The servers that hold buckets: what the conformance suite runs on, and what `localstack run` starts unless told.
    pub const BUCKETS: [Self; 8] = [
        Self::SeaweedFs,
        Self::Moto,
        Self::MotoAuth,
        Self::LocalStack,
        Self::Azurite,
        Self::Gcs,
        Self::Careless,
        Self::Swift,
    ];

    /// The name on the command line and in environment variables (there in upper case, `-` as `_`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::SeaweedFs => "seaweedfs",
            Self::Moto => "moto",
            Self::MotoAuth => "moto-auth",
            Self::LocalStack => "localstack",
            Self::Azurite => "azurite",
            Self::Gcs => "gcs",
            Self::Careless => "careless",
            Self::Swift => "swift",
            Self::OpenBao => "openbao",
            Self::Etcd => "etcd",
        }
    }

    /// One line for people.
    pub const fn about(self) -> &'static str {
        match self {
            Self::SeaweedFs => "S3; checks signatures, all conditional requests (SeaweedFS 4.48, PyPI)",
            Self::Moto => "S3, KMS, STS; no authorization, right in races (moto 5.2.5, PyPI)",
            Self::MotoAuth => "S3, KMS, STS with authorization on (moto 5.2.5, PyPI)",
            Self::LocalStack => "S3, KMS, STS (LocalStack 2026.3.0, PyPI, Python 3.12 or later)",
            Self::Azurite => "Azure Blob Storage (Azurite 3.35.0, npm)",
            Self::Gcs => "Google Cloud Storage, XML API (in this repository)",
            Self::Careless => "Google Cloud Storage that ignores preconditions: must be refused (in this repository)",
            Self::Swift => "S3 by OpenStack Swift's s3api; strictest about signatures, no conditional PUT (Debian)",
            Self::OpenBao => "keys: the transit engine (OpenBao 2.7.2, PyPI)",
            Self::Etcd => "registry: three nodes (etcd, Debian)",
        }
    }

    /// Whether this server speaks S3.
    pub const fn speaks_s3(self) -> bool {
        matches!(self, Self::SeaweedFs | Self::Moto | Self::MotoAuth | Self::LocalStack | Self::Swift)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Server {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|server| server.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|server| server.name()).collect();
            Error::new(ErrorKind::Invalid, format!("no server is called {text:?}; there are {}", names.join(", ")))
        })
    }
}
