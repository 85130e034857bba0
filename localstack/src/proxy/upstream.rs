//! The connection to the server, one for each client connection.

use std::net::SocketAddr;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::body::FaultyBody;

/// A connection that is made when first needed and made anew when the server has closed it between two requests.
#[derive(Debug)]
pub(super) struct Upstream {
    address: SocketAddr,
    sender: Option<SendRequest<FaultyBody>>,
    /// Drives the connection; ends with this value.
    driver: JoinSet<()>,
}

impl Upstream {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, sender: None, driver: JoinSet::new() }
    }

    /// Sends one request. One that the server has seen nothing of, because it had closed the connection meanwhile, is sent
    /// once more on a new one: that is what the client itself would have done.
    pub(super) async fn send(&mut self, request: Request<FaultyBody>) -> Result<Response<Incoming>, UpstreamError> {
        let mut request = request;
        for _ in 0..2 {
            let mut sender = match self.sender.take() {
                Some(sender) if !sender.is_closed() => sender,
                _ => self.connect().await?,
            };
            if sender.ready().await.is_err() {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => {
                    self.sender = Some(sender);
                    return Ok(response);
                }
                Err(mut failure) => match failure.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(UpstreamError::Http(failure.into_error())),
                },
            }
        }
        Err(UpstreamError::Closed)
    }

    /// Ends the connection at once.
    pub(super) fn close(&mut self) {
        self.sender = None;
        self.driver.abort_all();
    }

    async fn connect(&mut self) -> Result<SendRequest<FaultyBody>, UpstreamError> {
        let stream = TcpStream::connect(self.address).await.map_err(UpstreamError::Connect)?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(UpstreamError::Http)?;
        self.driver.spawn(async move {
            // What goes wrong here is told to whoever waits for the response.
            let _ = connection.await;
        });
        Ok(sender)
    }
}

/// Why the server gave no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    #[error("cannot connect: {0}")]
    Connect(std::io::Error),
    #[error("{0}")]
    Http(hyper::Error),
    #[error("the server closes every connection before it has read a request")]
    Closed,
}
