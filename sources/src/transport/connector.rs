//! Puts the transport beneath `object_store`.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

use super::{Refused, TransportOptions};

/// Makes `object_store`'s HTTP client one of ours.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    options: Arc<TransportOptions>,
}

impl Connector {
    /// A connector for one bucket.
    pub(crate) fn new(options: TransportOptions) -> Self {
        Self { options: Arc::new(options) }
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Service { inner, options: Arc::clone(&self.options) }))
    }
}

#[derive(Debug)]
struct Service {
    inner: HttpClient,
    options: Arc<TransportOptions>,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if let Some(signer) = &self.options.signer {
            signer.sign(&mut request, None).await.map_err(Refused::into_http)?;
        }
        self.inner.execute(request).await
    }
}
