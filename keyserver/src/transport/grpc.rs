//! By gRPC. The calls are in `keyserver/proto/keyserver.proto`.
//!
//! Calls share a connection, and a verifier's stream goes on from one page to the next. Answers prove themselves, so that the transport need not be trusted; without TLS it shows names and profiles
//! to whoever is in between.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use plastron_sources::clock::Clock;
use tonic::{Response, Status, Streaming};

use super::channel::{Channel, Line, is_unbegun};
use super::dial::Dial;
use super::{Protocol, ReplicaAddress, Transport};
use crate::grpc::keyserver_client::KeyserverClient;
use crate::grpc::{self as wire, error_of};
use crate::proto::{
    Authorities, AuthoritiesChange, CertifiedRegistration, HistoryPage, Issuers, IssuersChange, LogEntry, LookupAnswer,
    LookupRequest, Message, PolicyChange, Registration, StreamPage, StreamPosition, Update,
};
use crate::tls::ClientTls;
use crate::{Digest, Error, Result};

/// What an answer has in bytes besides what the framed form of the same has, for each of its fields: far fewer than a quarter, and some.
const fn most(framed: usize) -> usize {
    framed + framed / 4 + SHORT
}

/// What an acknowledgement can have in bytes.
const SHORT: usize = 4096;

/// A stream that goes on.
#[derive(Debug)]
struct Following {
    at: StreamPosition,
    pages: Streaming<wire::VerifierStreamResponse>,
}

/// A replica at an address.
#[derive(Debug, Clone)]
pub struct GrpcTransport {
    channel: Arc<Channel>,
    clock: Arc<dyn Clock>,
    deadline: Duration,
    following: Arc<Mutex<Option<Following>>>,
}

impl GrpcTransport {
    /// The replica at `address`, whose scheme is `grpc://`, or `grpcs://` if TLS is to be spoken, as `tls` says. No call takes longer than `deadline`.
    ///
    /// # Errors
    /// `Invalid` for an address of another protocol.
    pub fn new(
        address: &ReplicaAddress,
        clock: Arc<dyn Clock>,
        deadline: Duration,
        tls: Option<ClientTls>,
    ) -> Result<Self> {
        if address.protocol() != Protocol::Grpc {
            let why = format!("{address} is not spoken to by gRPC; say grpc:// or grpcs://");
            return Err(Error::Invalid { what: "address of a replica", why });
        }
        let dial = Dial::new(&address.authority(), address.is_secure().then_some("grpcs"));
        let dial = match tls {
            Some(tls) => dial.with_tls(tls.for_http_2()),
            None => dial,
        };
        let channel = Arc::new(Channel::new(dial, address.is_secure())?);
        Ok(Self { channel, clock, deadline, following: Arc::default() })
    }

    /// Makes a call, whose answer has `most` bytes at the most; once more if it was not begun on a connection that had ended.
    async fn call<T, F>(
        &self,
        operation: &'static str,
        most: usize,
        call: impl Fn(KeyserverClient<Line>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let made = async {
            let line = self.channel.get(operation).await?;
            let is_used = line.is_used;
            let on = |line| call(KeyserverClient::new(line).max_decoding_message_size(most));
            let answer = match on(line).await {
                Err(status) if is_used && is_unbegun(&status) => on(self.channel.renew(operation).await?).await,
                answer => answer,
            };
            answer.map(Response::into_inner).map_err(|status| error_of(operation, self.channel.address(), &status))
        };
        self.within(operation, made).await
    }

    async fn within<T>(&self, operation: &'static str, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            done = work => done,
            () = self.clock.sleep(self.deadline) => {
                self.channel.forget();
                let why = format!("no answer within {} s", self.deadline.as_secs());
                Err(Error::Request { operation, address: self.channel.address().to_owned(), why })
            }
        }
    }

    /// The stream that stands there, if there is one.
    fn standing(&self, at: StreamPosition) -> Option<Following> {
        self.following.lock().unwrap_or_else(PoisonError::into_inner).take().filter(|following| following.at == at)
    }

    async fn begin(&self, at: StreamPosition) -> Result<Following> {
        let request = wire::VerifierStreamRequest { epoch: at.epoch, change: at.change };
        let call = |mut replica: KeyserverClient<Line>| async move { replica.verifier_stream(request).await };
        let pages = self.call("stream", most(StreamPage::MOST), call).await?;
        Ok(Following { at, pages })
    }
}

/// What an answer's bytes say, or why they cannot.
fn read<T: TryFrom<S, Error = Error>, S>(answer: S) -> Result<T> {
    T::try_from(answer)
}

/// A call of the generated client with that request, made anew each time.
macro_rules! calling {
    ($call:ident, $request:expr) => {{
        let request = $request;
        move |mut replica: KeyserverClient<Line>| {
            let request = request.clone();
            async move { replica.$call(request).await }
        }
    }};
}

#[async_trait]
impl Transport for GrpcTransport {
    async fn lookup(&self, request: &LookupRequest) -> Result<LookupAnswer> {
        let call = calling!(lookup, wire::LookupRequest::from(request));
        read(self.call("lookup", most(LookupAnswer::MOST), call).await?)
    }

    async fn update(&self, update: &Update) -> Result<u64> {
        let call = calling!(update, wire::UpdateRequest::from(update));
        Ok(self.call("update", SHORT, call).await?.epoch)
    }

    async fn register(&self, registration: &Registration) -> Result<u64> {
        let call = calling!(register, wire::RegisterRequest::try_from(registration)?);
        Ok(self.call("register", SHORT, call).await?.epoch)
    }

    async fn register_certified(&self, registration: &CertifiedRegistration) -> Result<u64> {
        let call = calling!(register_certified, wire::RegisterCertifiedRequest::from(registration));
        Ok(self.call("register", SHORT, call).await?.epoch)
    }

    async fn ratify(&self, signature: &LogEntry) -> Result<()> {
        let call = calling!(push_ratification, wire::PushRatificationRequest::try_from(signature)?);
        self.call("ratify", SHORT, call).await.map(drop)
    }

    async fn change_policy(&self, change: &PolicyChange) -> Result<()> {
        let call = calling!(change_policy, wire::ChangePolicyRequest::from(change));
        self.call("policy", SHORT, call).await.map(drop)
    }

    async fn stream(&self, from: StreamPosition) -> Result<StreamPage> {
        const OPERATION: &str = "stream";
        let fault = |status: Status| error_of(OPERATION, self.channel.address(), &status);
        let standing = self.standing(from);
        let work = async {
            // The replica ends a stream when it is old; then there is another.
            if let Some(mut following) = standing
                && let Ok(Some(page)) = following.pages.message().await
            {
                return Ok((page, following.pages));
            }
            let mut following = self.begin(from).await?;
            match following.pages.message().await.map_err(fault)? {
                Some(page) => Ok((page, following.pages)),
                None => Err(fault(Status::unavailable("the stream ended before it began"))),
            }
        };
        let (page, pages) = self.within(OPERATION, work).await?;
        let page: StreamPage = read(page)?;
        let following = Following { at: page.end(), pages };
        *self.following.lock().unwrap_or_else(PoisonError::into_inner) = Some(following);
        Ok(page)
    }

    async fn history(&self, name: &str, from: u64) -> Result<HistoryPage> {
        crate::proto::check_name(name)?;
        let call = calling!(history, wire::HistoryRequest { name: name.to_owned(), from });
        read(self.call("history", most(HistoryPage::MOST), call).await?)
    }

    async fn issuers(&self) -> Result<Issuers> {
        read(self.call("issuers", most(Issuers::MOST), calling!(issuers, wire::IssuersRequest {})).await?)
    }

    async fn change_issuers(&self, change: &IssuersChange) -> Result<u64> {
        let call = calling!(change_issuers, wire::ChangeIssuersRequest::from(change));
        Ok(self.call("issuers", SHORT, call).await?.epoch)
    }

    async fn authorities(&self) -> Result<Authorities> {
        let call = calling!(authorities, wire::AuthoritiesRequest {});
        read(self.call("authorities", most(Authorities::MOST), call).await?)
    }

    async fn change_authorities(&self, change: &AuthoritiesChange) -> Result<u64> {
        let call = calling!(change_authorities, wire::ChangeAuthoritiesRequest::from(change));
        Ok(self.call("authorities", SHORT, call).await?.epoch)
    }

    async fn status(&self) -> Result<String> {
        let status = self.call("status", SHORT, calling!(status, wire::StatusRequest {})).await?;
        let digest = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).ok().map(|bytes| Digest(bytes).to_string());
        // The same as by HTTP.
        let json = serde_json::json!({
            "realm": digest(&status.realm),
            "applied": status.applied,
            "epoch": status.epoch,
            "awaiting": status.awaiting,
            "pending": status.pending,
            "issued_ms": status.issued_ms,
            "head": digest(&status.head),
            "signatures": status.signatures,
            "policy_generation": status.policy_generation,
            "failure": status.failure,
        });
        Ok(json.to_string())
    }
}
