//! An answer that is read as it comes.

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::WireError;
use super::connection::Duplex;
use crate::storage_url::Origin;

/// Bytes of an answer's headers.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Headers of an answer.
const MAX_HEADERS: usize = 100;

/// An answer whose body goes on. It has a connection of its own, which is closed when it is dropped.
#[derive(Debug)]
pub struct HttpStream {
    status: u16,
    body: Incoming,
    _sender: SendRequest<Full<Bytes>>,
    _slot: OwnedSemaphorePermit,
}

impl HttpStream {
    /// Sends `request` on `stream`, and takes `slot` for as long as it lasts.
    pub(super) async fn begin(
        stream: Box<dyn Duplex>,
        origin: &Origin,
        request: Request<Bytes>,
        slot: OwnedSemaphorePermit,
    ) -> Result<Self, WireError> {
        let host = http::HeaderValue::try_from(origin.authority());
        let host = host.map_err(|error| WireError::Unreachable(error.to_string()))?;
        let mut request = request.map(Full::new);
        request.headers_mut().insert(http::header::HOST, host);
        let mut builder = Builder::new();
        builder.max_buf_size(MAX_HEAD_BYTES).max_headers(MAX_HEADERS);
        let broken = |error: hyper::Error| WireError::Broken(error.to_string());
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // It ends when the sender is dropped.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        Ok(Self { status: head.status.as_u16(), body, _sender: sender, _slot: slot })
    }

    /// HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What comes next of the body, as long as a frame is; none at its end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`WireError::Broken`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, WireError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| WireError::Broken(error.to_string()))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}
