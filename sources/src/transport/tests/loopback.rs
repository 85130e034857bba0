//! Over real HTTP, on the loopback interface: reqwest, connections, resets and cut-off answers as they really are.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig};

use super::server::TestSigner;
use crate::error::Fault;
use crate::options::BucketOptions;
use crate::source::Provider;
use crate::stats::{Outcome, RequestKind, Stats};
use crate::transport::{Connector, TransportOptions, fault_of};

/// What the server does with a connection's next request.
enum Reply {
    /// Sends these bytes.
    Bytes(Vec<u8>),
    /// Sends these bytes and closes.
    BytesAndClose(Vec<u8>),
    /// Closes with what was sent unread, which resets the connection.
    Reset,
}

/// A plain server: one thread, one connection after the other.
struct Server {
    address: SocketAddr,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
    thread: JoinHandle<()>,
}

impl Server {
    fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&bodies);
        let (started, ready) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            started.send(()).unwrap();
            let mut replies = replies.into_iter().peekable();
            while replies.peek().is_some() {
                let (stream, _) = listener.accept().unwrap();
                serve(stream, &mut replies, &seen);
            }
        });
        ready.recv().unwrap();
        Self { address, bodies, thread }
    }

    fn finish(self) -> Vec<Vec<u8>> {
        self.thread.join().unwrap();
        Arc::try_unwrap(self.bodies).unwrap().into_inner().unwrap()
    }
}

fn serve(stream: TcpStream, replies: &mut impl Iterator<Item = Reply>, bodies: &Mutex<Vec<Vec<u8>>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        match replies.next() {
            None | Some(Reply::Reset) => return,
            Some(reply) => {
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                bodies.lock().unwrap().push(body);
                let (Reply::Bytes(bytes) | Reply::BytesAndClose(bytes)) = &reply else { return };
                writer.write_all(bytes).unwrap();
                if matches!(reply, Reply::BytesAndClose(_)) {
                    return;
                }
            }
        }
    }
}

fn reply(head: &str, body: &[u8]) -> Vec<u8> {
    let head = head.replace('\n', "\r\n");
    [format!("HTTP/1.1 {head}\r\n\r\n").as_bytes(), body].concat()
}

/// Whose connections are given up after `connect`.
fn bucket(address: SocketAddr, connect: Duration) -> (Arc<dyn ObjectStore>, Arc<Stats>) {
    let mut options = BucketOptions::new(Provider::S3, "bucket");
    options.timeout.connect = connect;
    (options.timeout.request, options.retry.deadline) = (Duration::from_secs(300), Duration::from_secs(900));
    let stats = Arc::new(Stats::new(Provider::S3));
    let signer = Arc::new(TestSigner::default());
    let transport = TransportOptions::new(&options, "loopback".to_owned(), Some(signer), Arc::clone(&stats));
    let builder = AmazonS3Builder::new()
        .with_bucket_name("bucket")
        .with_region("us-east-1")
        .with_endpoint(format!("http://{address}"))
        .with_skip_signature(true)
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_http_connector(Connector::new(transport));
    (Arc::new(builder.build().unwrap()), stats)
}

#[tokio::test]
async fn an_object_goes_there_and_back_over_a_bad_line() {
    let object: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let range = 1_000..2_500_000_usize;
    let wanted = &object[range.clone()];
    let head = "206 Partial Content\ncontent-range: bytes 1000-2499999/3000000\netag: \"e\"\nlast-modified: Thu, 01 Jan 2026 00:00:00 GMT\ncontent-length: 2499000";
    let server = Server::start(vec![
        // The put: a reset, a failure, a success.
        Reply::Reset,
        Reply::Bytes(reply("503 Slow Down\ncontent-length: 5\nretry-after: 0", b"later")),
        Reply::Bytes(reply("200 OK\ncontent-length: 0\netag: \"e\"", b"")),
        // The get: an answer that is cut off, one in chunks that ends too early, and the whole.
        Reply::BytesAndClose(reply(head, &wanted[..100_000])),
        Reply::Bytes(reply(
            &head.replace("content-length: 2499000", "transfer-encoding: chunked"),
            b"5\r\nhello\r\n0\r\n\r\n",
        )),
        Reply::BytesAndClose(reply(head, wanted)),
    ]);
    let (store, stats) = bucket(server.address, Duration::from_secs(300));
    let path = Path::from("k");
    store.put(&path, object.clone().into()).await.unwrap();
    let read = store.get_range(&path, range.start as u64..range.end as u64).await.unwrap();
    assert_eq!(read, wanted);
    let snapshot = stats.snapshot();
    assert_eq!((snapshot.retries(), snapshot.throttles(), snapshot.outcome(Outcome::Broken)), (4, 1, 3));
    let bytes: Vec<_> = snapshot.requests.iter().map(|request| (request.kind, request.bytes_down)).collect();
    assert_eq!(bytes, [(RequestKind::Put, 5), (RequestKind::Get, 2_499_000)]);
    let bodies = server.finish();
    assert_eq!(bodies.iter().filter(|body| **body == object).count(), 2, "the whole object, each time it was read");
}

#[tokio::test]
async fn nobody_is_there() {
    // Taken, so that nobody else gets it, and not listened on.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let (store, _) = bucket(address, Duration::from_millis(300));
    let fault = fault_of(&store.head(&Path::from("k")).await.unwrap_err());
    let Fault::Unreachable { endpoint, reason } = &fault else { panic!("{fault}") };
    assert_eq!(*endpoint, address.to_string());
    assert!(reason.contains("refused"), "{reason}");
}
