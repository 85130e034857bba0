//! How clients and verifiers reach replicas.
//!
//! Nothing that comes back is believed: whoever calls checks it. Every call has a deadline and a bound on what it reads.

mod address;
#[cfg(feature = "grpc")]
mod channel;
#[cfg(feature = "http")]
mod dial;
#[cfg(feature = "grpc")]
mod grpc;
#[cfg(feature = "http")]
mod http;
mod in_turn;
#[cfg(feature = "http")]
mod opening;

use async_trait::async_trait;

pub use address::{Protocol, ReplicaAddress};
#[cfg(feature = "grpc")]
pub use grpc::GrpcTransport;
#[cfg(feature = "http")]
pub use http::HttpTransport;
pub use in_turn::InTurn;
#[cfg(feature = "http")]
pub use opening::open;

use crate::proto::{
    Authorities, AuthoritiesChange, CertifiedRegistration, HistoryPage, Issuers, IssuersChange, LogEntry, LookupAnswer,
    LookupRequest, PolicyChange, Registration, StreamPage, StreamPosition, Update,
};
use crate::{Error, Result};

/// A replica, as it is seen from outside.
#[async_trait]
pub trait Transport: std::fmt::Debug + Send + Sync + 'static {
    /// Asks for a name.
    ///
    /// # Errors
    /// As for all of these: `Request`, and what the replica says.
    async fn lookup(&self, request: &LookupRequest) -> Result<LookupAnswer>;

    /// Brings in an update; gives its epoch.
    ///
    /// # Errors
    /// See [`lookup`](Self::lookup).
    async fn update(&self, update: &Update) -> Result<u64>;

    /// Brings in a new name with an identity token; gives its epoch.
    ///
    /// # Errors
    /// See [`lookup`](Self::lookup).
    async fn register(&self, registration: &Registration) -> Result<u64> {
        let _ = registration;
        Err(Error::Invalid { what: "registration", why: "this way to a replica has no identity tokens".to_owned() })
    }

    /// Brings in a new name with a client certificate; gives its epoch.
    ///
    /// # Errors
    /// See [`lookup`](Self::lookup).
    async fn register_certified(&self, registration: &CertifiedRegistration) -> Result<u64> {
        let _ = registration;
        Err(Error::Invalid { what: "registration", why: "this way to a replica has no certificates".to_owned() })
    }

    /// Brings in a signature of a head.
    ///
    /// # Errors
    /// See [`lookup`](Self::lookup).
    async fn ratify(&self, signature: &LogEntry) -> Result<()>;

    /// Brings in a change of the realm policy.
    ///
    /// # Errors
    /// See [`lookup`](Self::lookup).
    async fn change_policy(&self, change: &PolicyChange) -> Result<()>;

    /// What follows that position; waits a while if there is nothing new.
    ///
    /// # Errors
    /// See [`lookup`](Self::lookup).
    async fn stream(&self, from: StreamPosition) -> Result<StreamPage>;

    /// Entries of a name from that epoch on.
    ///
    /// # Errors
    /// See [`lookup`](Self::lookup).
    async fn history(&self, name: &str, from: u64) -> Result<HistoryPage>;

    /// Whose identity tokens the replica believes. Nothing of it is proved.
    ///
    /// # Errors
    /// See [`lookup`](Self::lookup).
    async fn issuers(&self) -> Result<Issuers> {
        Err(unknown("issuers"))
    }

    /// Brings in a change of them; gives the newest epoch by then.
    ///
    /// # Errors
    /// See [`lookup`](Self::lookup).
    async fn change_issuers(&self, change: &IssuersChange) -> Result<u64> {
        let _ = change;
        Err(unknown("issuers"))
    }

    /// Whose client certificates the replica takes. Nothing of it is proved.
    ///
    /// # Errors
    /// See [`lookup`](Self::lookup).
    async fn authorities(&self) -> Result<Authorities> {
        Err(unknown("authorities"))
    }

    /// Brings in a change of them; gives the newest epoch by then.
    ///
    /// # Errors
    /// See [`lookup`](Self::lookup).
    async fn change_authorities(&self, change: &AuthoritiesChange) -> Result<u64> {
        let _ = change;
        Err(unknown("authorities"))
    }

    /// What the replica says of itself, as JSON. Nothing of it is proved.
    ///
    /// # Errors
    /// See [`lookup`](Self::lookup).
    async fn status(&self) -> Result<String> {
        Err(unknown("status"))
    }
}

fn unknown(what: &'static str) -> Error {
    Error::Invalid { what, why: "this way to a replica has no such call".to_owned() }
}
