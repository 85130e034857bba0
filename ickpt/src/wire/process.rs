//! The client that all volumes of a process share, so that they share its connections too.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::runtime::{Handle, Id};

use super::client::{HttpClient, HttpClientOptions, Inner};
use super::tls::client_config;
use crate::error::{Error, Fault, Result};

/// A client that somebody has, and whom it serves.
#[derive(Debug)]
struct Entry {
    /// Connections belong to the runtime that they were made in.
    runtime: Id,
    /// The certificate authority that it trusts, as it was in its file.
    authority: Option<Vec<u8>>,
    client: Weak<Inner>,
}

static CLIENTS: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

impl HttpClient {
    /// The client of this process to instances of the service that trusts the machine's authorities and those in the file `authority`. It lives as long
    /// as somebody has it. Outside of a runtime each caller gets one of its own.
    ///
    /// # Errors
    /// `Invalid` for a file that can't be read as certificates.
    pub fn to_instances(authority: Option<&Path>) -> Result<Self> {
        let read = |path: &Path| {
            let invalid = |error: std::io::Error| Fault::Invalid(error.to_string());
            std::fs::read(path).map_err(|error| Error::new("read", path.display().to_string(), invalid(error)))
        };
        let bytes = authority.map(read).transpose()?;
        let new = || Ok(Self::new(HttpClientOptions::to_instances(client_config(authority)?)));
        let Ok(runtime) = Handle::try_current().map(|handle| handle.id()) else { return new() };
        let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|entry| entry.client.strong_count() > 0);
        let mut alike = clients.iter().filter(|entry| entry.runtime == runtime && entry.authority == bytes);
        if let Some(inner) = alike.find_map(|entry| entry.client.upgrade()) {
            return Ok(Self(inner));
        }
        let client = new()?;
        clients.push(Entry { runtime, authority: bytes, client: Arc::downgrade(&client.0) });
        Ok(client)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn same(a: &HttpClient, b: &HttpClient) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    #[test]
    fn who_trusts_the_same_in_the_same_runtime_shares() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (one, other) = (runtime(), runtime());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = || rcgen::CertificateParams::new([]).unwrap().self_signed(&key).unwrap().pem();
        std::fs::write(&file, certificate()).unwrap();
        let get = |authority: Option<&Path>| HttpClient::to_instances(authority).unwrap();
        let (first, second, trusting, again) =
            one.block_on(async { (get(None), get(None), get(Some(&file)), get(Some(&file))) });
        let elsewhere = other.block_on(async { get(None) });
        assert!(same(&first, &second) && same(&trusting, &again));
        assert!(!same(&first, &trusting) && !same(&first, &elsewhere));
        std::fs::write(&file, certificate() + &certificate()).unwrap();
        assert!(!same(&trusting, &one.block_on(async { get(Some(&file)) })), "another authority");
        assert!(!same(&get(None), &get(None)), "outside of a runtime");
        std::fs::write(&file, "").unwrap();
        assert!(one.block_on(async { HttpClient::to_instances(Some(&file)) }).is_err());
        assert!(HttpClient::to_instances(Some(&folder.path().join("none"))).is_err());
    }
}
