//! How a node reaches the keyserver.
//!
//! Invariant: without TLS nobody is asked who is not on this machine, unless the settings say that it is wanted. Answers prove themselves either way; what TLS keeps from
//! whoever is in between are the names, and that he can choose which of the fresh answers a node sees.

use std::sync::Arc;

use plastron_keys::Fault;
use plastron_sources::clock::Clock;

use super::fault::fault;
use super::settings::Settings;
use crate::tls::ClientTls;
use crate::transport::{ReplicaAddress, Transport, open};

/// The servers that the settings name.
///
/// # Errors
/// [`Fault::Config`] for an address that is none, or needs what is not given, and for files that cannot be used.
pub(super) fn servers(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Vec<Arc<dyn Transport>>, Fault> {
    let authority = settings.certificate_authority.as_deref();
    let identity = settings.identity.as_ref().map(|(certificate, key)| (&**certificate, &**key));
    let tls = match (authority, identity) {
        (Some(authority), identity) => Some(ClientTls::open(authority, identity).map_err(fault)?),
        (None, Some(_)) => {
            let why = "certificate is given without certificate_authority, the PEM file of the authority that the servers' certificates are checked by";
            return Err(Fault::Config(why.into()));
        }
        (None, None) => None,
    };
    let mut secure = false;
    let mut replicas: Vec<Arc<dyn Transport>> = Vec::with_capacity(settings.servers.len());
    for server in &settings.servers {
        let address = ReplicaAddress::parse(server).map_err(|error| Fault::Config(format!("servers: {error}")))?;
        secure |= address.is_secure();
        let replica = |tls| open(&address, Arc::clone(clock), settings.deadline, tls).map_err(fault);
        replicas.push(match (address.is_secure(), &tls) {
            (true, Some(tls)) => replica(Some(tls.clone()))?,
            (true, None) => {
                let why = format!(
                    "servers: {address} needs certificate_authority, the PEM file of the authority that its certificate is checked by"
                );
                return Err(Fault::Config(why));
            }
            (false, _) if address.is_loopback() || settings.plaintext => replica(None)?,
            (false, _) => {
                let why = format!(
                    "servers: {address} is another machine, and nothing would be encrypted; say https://… or grpcs://… with certificate_authority, or plaintext=true if that is wanted"
                );
                return Err(Fault::Config(why));
            }
        });
    }
    // Somebody wanted TLS, and would not get it.
    if tls.is_some() && !secure && !replicas.is_empty() {
        let why = "certificate_authority is given, and none of the servers begins with https:// or grpcs://";
        return Err(Fault::Config(why.into()));
    }
    Ok(replicas)
}
