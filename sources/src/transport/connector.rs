//! Puts the transport beneath `object_store`.

use std::sync::Arc;
use std::time::Duration;

use object_store::client::{HttpClient, HttpConnector, ReqwestConnector};
use object_store::{ClientConfigKey, ClientOptions};

use super::options::TransportOptions;
use super::service::{Service, Shared};

/// Makes `object_store`'s HTTP clients ours. All clients of one connector share its limits, its statistics and what it learns about
/// the endpoint, so there is one connector to a bucket.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    shared: Arc<Shared>,
}

impl Connector {
    /// A connector for one bucket.
    pub(crate) fn new(options: TransportOptions) -> Self {
        Self { shared: Arc::new(Shared::new(options)) }
    }

    /// Takes the endpoint for one that has answered before.
    #[cfg(test)]
    pub(super) fn mark_reached(&self) {
        self.shared.reached.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// A client that performs its requests through `inner`.
    pub(super) fn over(&self, inner: HttpClient) -> HttpClient {
        HttpClient::new(Service { inner, shared: Arc::clone(&self.shared) })
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // Attempts have a deadline of their own; reqwest's would only cut it short.
        let mut options = options.clone().with_timeout_disabled();
        let asked = options.get_config_value(&ClientConfigKey::ConnectTimeout);
        if asked == ClientOptions::new().get_config_value(&ClientConfigKey::ConnectTimeout) {
            // Clients for metadata addresses ask for a shorter one, which they keep.
            options = options.with_connect_timeout(self.shared.options.timeout.connect.max(Duration::from_millis(1)));
        }
        Ok(self.over(ReqwestConnector::default().connect(&options)?))
    }
}
