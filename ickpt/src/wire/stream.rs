//! An answer that is read as it comes.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::WireError;
use super::client::Sender;

/// An answer whose body goes on. It has a connection of its own, which is closed when it is dropped.
#[derive(Debug)]
pub struct HttpStream {
    pub(super) status: u16,
    pub(super) body: Incoming,
    pub(super) _sender: Sender,
    pub(super) _slot: OwnedSemaphorePermit,
}

impl HttpStream {
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
