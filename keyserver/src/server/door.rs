//! Where connections come in: TLS handshakes go on beside one another, each with a deadline, so that a slow one keeps nobody waiting.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use plastron_sources::clock::Clock;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;

use crate::tls::{ServerTls, Wire};

/// Handshakes under way at once.
const MOST_HANDSHAKES: usize = 256;
/// Connections that wait to be served.
const MOST_WAITING: usize = 64;
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// After an accept that failed, which it does when there are too many files open.
const PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub(super) address: SocketAddr,
    /// Whether it has shown a certificate that is wanted here.
    pub(super) certified: bool,
}

impl Connected<IncomingStream<'_, Door>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        *stream.remote_addr()
    }
}

/// The door, which closes when it is dropped.
#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddr,
    ready: mpsc::Receiver<(Wire, Caller)>,
    task: tokio::task::JoinHandle<()>,
}

impl Door {
    pub(super) fn open(listener: TcpListener, tls: Option<ServerTls>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (send, ready) = mpsc::channel(MOST_WAITING);
        Ok(Self { address, ready, task: tokio::spawn(accept(listener, tls, clock, send)) })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<ServerTls>,
    clock: Arc<dyn Clock>,
    ready: mpsc::Sender<(Wire, Caller)>,
) {
    let handshakes = Arc::new(Semaphore::new(MOST_HANDSHAKES));
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                clock.sleep(PAUSE).await;
                continue;
            }
        };
        // Small answers wait for nothing; a connection that is gone already is noticed later.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &tls else {
            if ready.send((Wire::Plain(stream), Caller { address, certified: false })).await.is_err() {
                return;
            }
            continue;
        };
        let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await else { return };
        let (acceptor, clock, ready) = (TlsAcceptor::from(Arc::clone(&tls.config)), Arc::clone(&clock), ready.clone());
        tokio::spawn(async move {
            let shaken = tokio::select! {
                shaken = shake(acceptor, stream) => shaken,
                () = clock.sleep(HANDSHAKE_DEADLINE) => return,
            };
            drop(permit);
            match shaken {
                Ok((wire, certified)) => drop(ready.send((wire, Caller { address, certified })).await),
                Err(error) => tracing::debug!(%error, %address, "a TLS handshake failed"),
            }
        });
    }
}

async fn shake(acceptor: TlsAcceptor, stream: TcpStream) -> io::Result<(Wire, bool)> {
    let stream = acceptor.accept(stream).await?;
    let certified = stream.get_ref().1.peer_certificates().is_some_and(|certificates| !certificates.is_empty());
    Ok((Wire::Tls(Box::new(stream.into())), certified))
}

impl Listener for Door {
    type Io = Wire;
    type Addr = Caller;

    async fn accept(&mut self) -> (Wire, Caller) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // Nobody comes any more; the server is about to end.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Caller> {
        Ok(Caller { address: self.address, certified: false })
    }
}
