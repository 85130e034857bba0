//! Who may: the store knows, and is asked with the caller's own token, for every call anew.
//!
//! A GET of the object shows that the caller may read it. That is not enough to change anything: on Swift a read-only user passes. So the very bytes that were read are
//! put back under `If-None-Match: *`, which cannot be fulfilled while the object is there: whoever may write is told 412, and
//! whoever may not is told 401 or 403.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use plastron_sources::clock::Clock;

use super::token::Token;
use crate::conf::Settings;
use crate::protocol as names;
use crate::refusal::{Reason, Refusal};
use crate::storage_url::StorageUrl;
use crate::value::MAX_VALUE_BYTES;
use crate::wire::{Answer, HttpClient, WireError};

#[derive(Debug)]
pub(super) struct Authorizer {
    client: HttpClient,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    retries: u32,
    retry_delay: Duration,
    retry_percent: u32,
    requests: AtomicU64,
}

impl Authorizer {
    pub(super) fn new(client: HttpClient, clock: Arc<dyn Clock>, settings: &Settings) -> Self {
        Self {
            client,
            clock,
            timeout: settings.swift_timeout,
            retries: settings.swift_retry_limit,
            retry_delay: settings.swift_retry_delay,
            retry_percent: settings.swift_retry_exp_backoff_percent,
            requests: AtomicU64::new(0),
        }
    }

    /// Requests sent to stores.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Shows that the caller may read the object, and gives its bytes; and with `write` that it may write it too.
    pub(super) async fn authorize(&self, url: &StorageUrl, token: &Token, write: bool) -> Result<Bytes, Refusal> {
        let all = async {
            let bytes = self.again_and_again(url, || self.read(url, token)).await?;
            if write {
                self.again_and_again(url, || self.probe(url, token, bytes.clone())).await?;
            }
            Ok(bytes)
        };
        tokio::time::timeout(self.timeout, all).await.unwrap_or_else(|_| {
            Err(Refusal::new(
                Reason::StoreTooSlow,
                format!("the store {} did not answer within SwiftTimeout", url.origin()),
            ))
        })
    }

    async fn read(&self, url: &StorageUrl, token: &Token) -> Result<Bytes, Refusal> {
        let answer = self.send(Method::GET, url, token, Bytes::new()).await?;
        let encoded = answer.headers.get(header::CONTENT_ENCODING).is_some_and(|value| value != "identity");
        match answer.status {
            200 if encoded => Err(refused(url, Reason::StoreAnswer, "its answer is compressed")),
            200 => Ok(answer.body),
            status => Err(unexpected(url, status)),
        }
    }

    async fn probe(&self, url: &StorageUrl, token: &Token, bytes: Bytes) -> Result<(), Refusal> {
        let answer = self.send(Method::PUT, url, token, bytes).await?;
        match answer.status {
            // The object is there, as it should be; or it was removed meanwhile, and is there again.
            412 | 200 | 201 | 202 => Ok(()),
            status => Err(unexpected(url, status)),
        }
    }

    async fn send(&self, method: Method, url: &StorageUrl, token: &Token, body: Bytes) -> Result<Answer, Refusal> {
        self.requests.fetch_add(1, Relaxed);
        let wrong = || Refusal::new(Reason::Header, "X-Auth-Token can't be sent as a header");
        let mut request = Request::new(body);
        *request.uri_mut() = url.path().parse().map_err(|_| wrong())?;
        let headers = request.headers_mut();
        headers.insert(names::AUTH_TOKEN, token.header().ok_or_else(wrong)?);
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if method == Method::PUT {
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        *request.method_mut() = method;
        self.client.send(url.origin(), request, MAX_VALUE_BYTES).await.map_err(|error| match error {
            WireError::Forbidden(address) => {
                tracing::warn!(store = %url.origin(), %address, "the store's name leads to an address that no store can have");
                refused(url, Reason::Origin, "its name leads to an address that no store can have")
            }
            WireError::Unreachable(error) => {
                tracing::warn!(store = %url.origin(), error, "the store can't be reached");
                refused(url, Reason::StoreUnreachable, "it can't be reached")
            }
            WireError::TooLarge(_) => refused(url, Reason::StoreAnswer, "its answer is longer than 65,536 bytes"),
            WireError::Broken(error) => {
                tracing::warn!(store = %url.origin(), error, "the store broke off");
                refused(url, Reason::StoreAnswer, "it broke off, or its answer is no HTTP")
            }
        })
    }

    /// Asks again after what may pass, as often as `SwiftRetryLimit` says.
    async fn again_and_again<T, F: Future<Output = Result<T, Refusal>>>(
        &self,
        url: &StorageUrl,
        ask: impl Fn() -> F,
    ) -> Result<T, Refusal> {
        let mut wait = self.retry_delay;
        for _ in 0..self.retries {
            match ask().await {
                Err(refusal)
                    if matches!(
                        refusal.reason(),
                        Reason::StoreUnreachable | Reason::StoreAnswer | Reason::StoreBusy
                    ) =>
                {
                    tracing::debug!(store = %url.origin(), %refusal, "is asked again");
                }
                result => return result,
            }
            self.clock.sleep(wait).await;
            wait = wait.saturating_mul(self.retry_percent) / 100;
        }
        ask().await
    }
}

fn refused(url: &StorageUrl, reason: Reason, what: &str) -> Refusal {
    Refusal::new(reason, format!("the store {} was asked, and {what}", url.origin()))
}

fn unexpected(url: &StorageUrl, status: u16) -> Refusal {
    let reason = match status {
        401 => Reason::StoreUnauthorized,
        403 => Reason::StoreForbidden,
        404 => Reason::StoreNotFound,
        429 => Reason::StoreBusy,
        _ => Reason::StoreAnswer,
    };
    refused(url, reason, &format!("it answered {status}"))
}
