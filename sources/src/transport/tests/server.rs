//! A server that answers by script, and a bucket that asks it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use object_store::ClientOptions;
use object_store::aws::AmazonS3Builder;
use object_store::azure::{AzureAccessKey, AzureCredential, MicrosoftAzureBuilder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::{ObjectStore, RetryConfig, StaticCredentialProvider};

use crate::error::Fault;
use crate::options::BucketOptions;
use crate::source::Provider;
use crate::stats::{Stats, StatsSnapshot};
use crate::transport::test_clock::{Constant, TestClock};
use crate::transport::{Connector, Refused, Signer, TransportOptions};

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Answers.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    /// Answers with `body`, but breaks off after as many bytes.
    Cut { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8>, after: usize },
    /// Does not answer: the connection fails.
    Fail(HttpErrorKind),
    /// Never answers.
    Hang,
    /// Waits before that.
    After(Duration, Box<Step>),
}

pub(super) fn answer(status: u16, body: &str) -> Step {
    Step::Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

/// An error as S3, Azure and Google word it.
pub(super) fn error(status: u16, code: &str) -> Step {
    answer(status, &format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>A message.</Message></Error>"))
}

impl Step {
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Answer { headers, .. } | Self::Cut { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }

    pub(super) fn after(self, pause: Duration) -> Self {
        Self::After(pause, Box::new(self))
    }
}

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) headers: HeaderMap,
    pub(super) at: Duration,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Plays a script; the last step is repeated for ever.
#[derive(Debug)]
pub(super) struct Server {
    clock: Arc<TestClock>,
    script: Mutex<VecDeque<Step>>,
    seen: Mutex<Vec<Seen>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Server {
    fn next(&self) -> Step {
        let mut script = self.script.lock().unwrap();
        if script.len() > 1 { script.pop_front().unwrap() } else { script.front().unwrap().clone() }
    }

    async fn play(&self, mut step: Step) -> Result<HttpResponse, HttpError> {
        loop {
            match step {
                Step::After(pause, next) => {
                    use crate::clock::Clock;
                    self.clock.sleep(pause).await;
                    step = *next;
                }
                Step::Hang => std::future::pending().await,
                Step::Fail(kind) => return Err(HttpError::new(kind, std::io::Error::other("the line went dead"))),
                Step::Answer { status, headers, body } => return Ok(response(status, &headers, body.into())),
                Step::Cut { status, headers, body, after } => {
                    let cut = HttpError::new(HttpErrorKind::Interrupted, std::io::Error::other("the line went dead"));
                    let pieces = VecDeque::from([Ok(Bytes::from(body).slice(..after)), Err(cut)]);
                    return Ok(response(status, &headers, HttpResponseBody::new(Pieces(Mutex::new(pieces)))));
                }
            }
        }
    }
}

fn response(status: u16, headers: &[(&'static str, String)], body: HttpResponseBody) -> HttpResponse {
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(body).unwrap()
}

struct Pieces(Mutex<VecDeque<Result<Bytes, HttpError>>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        std::task::Poll::Ready(self.0.lock().unwrap().pop_front().map(|piece| piece.map(Frame::data)))
    }
}

#[derive(Debug, Clone)]
struct Handle(Arc<Server>);

#[async_trait]
impl HttpService for Handle {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        use crate::clock::Clock;
        let server = &self.0;
        server.seen.lock().unwrap().push(Seen { headers: request.headers().clone(), at: server.clock.monotonic() });
        let now = server.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        server.most_in_flight.fetch_max(now, Ordering::SeqCst);
        let _in_flight = InFlight(&server.in_flight);
        let step = server.next();
        server.play(step).await
    }
}

/// Signs with a number that grows, so that a signature used twice would show.
#[derive(Debug, Default)]
pub(super) struct TestSigner {
    pub(super) signed: AtomicU64,
    pub(super) renewals: AtomicU64,
    /// Whether renewing helps.
    pub(super) renewable: bool,
    /// Fails instead of signing.
    pub(super) fault: Option<Fault>,
}

#[async_trait]
impl Signer for TestSigner {
    async fn sign(&self, request: &mut HttpRequest, body_sha256: Option<[u8; 32]>) -> Result<(), Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let number = self.signed.fetch_add(1, Ordering::SeqCst);
        let hash = if body_sha256.is_some() { "hashed" } else { "unhashed" };
        let value =
            format!("AWS4-HMAC-SHA256 Credential=PLANTEDKEY000001/x, Signature=plantedsignature{number}, {hash}");
        request.headers_mut().append(HeaderName::from_static("authorization"), HeaderValue::from_str(&value).unwrap());
        Ok(())
    }

    async fn renew(&self) -> bool {
        self.renewals.fetch_add(1, Ordering::SeqCst);
        self.renewable
    }
}

/// A bucket at a scripted server.
pub(super) struct Bed {
    pub(super) server: Arc<Server>,
    pub(super) clock: Arc<TestClock>,
    pub(super) signer: Arc<TestSigner>,
    pub(super) connector: Connector,
    stats: Arc<Stats>,
    provider: Provider,
}

impl Bed {
    pub(super) fn new(provider: Provider, script: impl IntoIterator<Item = Step>) -> Self {
        Self::with(provider, script, |_| {}, TestSigner::default())
    }

    /// With other options, and another signer.
    pub(super) fn with(
        provider: Provider,
        script: impl IntoIterator<Item = Step>,
        change: impl FnOnce(&mut BucketOptions),
        signer: TestSigner,
    ) -> Self {
        let clock = TestClock::shared();
        let mut options = BucketOptions::new(provider, "bucket");
        options.clock = Arc::clone(&clock) as _;
        options.entropy = Arc::new(Constant(u64::MAX));
        change(&mut options);
        let stats = Arc::new(Stats::new(provider));
        let signer = Arc::new(signer);
        let address = "test bucket".to_owned();
        let options = TransportOptions::new(&options, address, Some(Arc::clone(&signer) as _), Arc::clone(&stats));
        let server = Arc::new(Server {
            clock: Arc::clone(&clock),
            script: Mutex::new(script.into_iter().collect()),
            seen: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        });
        Self { server, clock, signer, connector: Connector::new(options), stats, provider }
    }

    pub(super) fn client(&self) -> HttpClient {
        self.connector.over(HttpClient::new(Handle(Arc::clone(&self.server))))
    }

    /// One request, below `object_store`.
    pub(super) async fn send(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<HttpResponse, Fault> {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(HttpRequestBody::from(body.to_vec())).unwrap();
        self.client().execute(request).await.map_err(|error| {
            let source = std::error::Error::source(&error).unwrap();
            source.downcast_ref::<Refused>().expect("every error is a verdict").0.clone()
        })
    }

    pub(super) async fn get(&self) -> Result<HttpResponse, Fault> {
        self.send("GET", "http://host/bucket/key", &[("range", "bytes=0-4")], b"").await
    }

    /// The provider's store of `object_store`, over this transport.
    pub(super) fn store(&self) -> Arc<dyn ObjectStore> {
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let client = ClientOptions::new().with_allow_http(true);
        match self.provider {
            Provider::Azure => {
                let credential = AzureCredential::AccessKey(AzureAccessKey::try_new("c2VjcmV0").unwrap());
                let builder = MicrosoftAzureBuilder::new()
                    .with_account("account")
                    .with_container_name("bucket")
                    .with_endpoint("http://host/account".to_owned())
                    .with_credentials(Arc::new(StaticCredentialProvider::new(credential)));
                Arc::new(
                    builder
                        .with_retry(retry)
                        .with_client_options(client)
                        .with_http_connector(self.hook())
                        .build()
                        .unwrap(),
                )
            }
            Provider::Gcp => {
                let credential = GcpCredential { bearer: "plantedbearertoken".to_owned() };
                let builder = GoogleCloudStorageBuilder::new()
                    .with_bucket_name("bucket")
                    .with_base_url("http://host")
                    .with_credentials(Arc::new(StaticCredentialProvider::new(credential)));
                Arc::new(
                    builder
                        .with_retry(retry)
                        .with_client_options(client)
                        .with_http_connector(self.hook())
                        .build()
                        .unwrap(),
                )
            }
            _ => {
                let builder = AmazonS3Builder::new()
                    .with_bucket_name("bucket")
                    .with_region("us-east-1")
                    .with_endpoint("http://host")
                    .with_skip_signature(true)
                    .with_disable_bulk_delete(true);
                Arc::new(
                    builder
                        .with_retry(retry)
                        .with_client_options(client)
                        .with_http_connector(self.hook())
                        .build()
                        .unwrap(),
                )
            }
        }
    }

    fn hook(&self) -> Hook {
        Hook { connector: self.connector.clone(), server: Handle(Arc::clone(&self.server)) }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.server.seen.lock().unwrap().clone()
    }

    pub(super) fn attempts(&self) -> usize {
        self.server.seen.lock().unwrap().len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.server.in_flight.load(Ordering::SeqCst)
    }

    pub(super) fn most_in_flight(&self) -> usize {
        self.server.most_in_flight.load(Ordering::SeqCst)
    }

    pub(super) fn stats(&self) -> StatsSnapshot {
        self.stats.snapshot()
    }

    pub(super) fn now(&self) -> Duration {
        crate::clock::Clock::monotonic(&*self.clock)
    }

    /// Makes the endpoint one that has answered before.
    pub(super) fn reach(&self) {
        self.connector.mark_reached();
    }
}

/// Puts the scripted server where reqwest would be.
#[derive(Debug)]
struct Hook {
    connector: Connector,
    server: Handle,
}

impl HttpConnector for Hook {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.connector.over(HttpClient::new(self.server.clone())))
    }
}
