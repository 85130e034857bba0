//! An instance over HTTP.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, Method, Request};
use zeroize::Zeroizing;

use super::instance::{Instance, InstanceError, View};
use crate::checkpoint_store::{Content, Write};
use crate::protocol as names;
use crate::refusal::Reason;
use crate::storage_url::{Origin, StorageUrl};
use crate::value::{Epoch, InstanceId, MAX_VALUE_BYTES, Members, Stamp};
use crate::wire::{Answer, HttpClient};

/// Bytes of an answer: a value, or a sentence.
const MAX_ANSWER_BYTES: usize = MAX_VALUE_BYTES;
/// Characters of what an instance says that are passed on.
const MAX_MESSAGE_CHARS: usize = 300;

/// What is said to every instance.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpInstanceOptions {
    /// Which checkpoint.
    pub storage_url: StorageUrl,
    /// The store's token. It is wiped when the last copy is dropped, and never shown.
    pub token: Arc<Zeroizing<String>>,
    /// Who connects.
    pub client: HttpClient,
}

impl HttpInstanceOptions {
    /// For this checkpoint, with this token.
    pub fn new(storage_url: StorageUrl, token: String, client: HttpClient) -> Self {
        Self { storage_url, token: Arc::new(Zeroizing::new(token)), client }
    }
}

impl fmt::Debug for HttpInstanceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpInstanceOptions")
            .field("storage_url", &self.storage_url.to_string())
            .finish_non_exhaustive()
    }
}

/// One instance at one URL. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpInstance(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    origin: Origin,
    /// As it is sent.
    storage_url: HeaderValue,
    options: HttpInstanceOptions,
}

impl HttpInstance {
    /// The instance at `origin`.
    pub fn new(origin: Origin, options: HttpInstanceOptions) -> Self {
        let storage_url = HeaderValue::try_from(options.storage_url.to_string());
        // Its bytes are visible ASCII, all of them.
        let mut storage_url = storage_url.unwrap_or(HeaderValue::from_static(""));
        // It is no secret, but each volume has its own: on a connection that many share, the table of HPACK would be filled with them.
        storage_url.set_sensitive(true);
        Self(Arc::new(Inner { origin, storage_url, options }))
    }

    fn request(&self, method: Method, path: &[u8]) -> http::request::Builder {
        let path = std::str::from_utf8(path).unwrap_or("/");
        let mut token = HeaderValue::try_from(self.0.options.token.as_str());
        if let Ok(token) = &mut token {
            token.set_sensitive(true);
        }
        let request = Request::builder().method(method).uri(path);
        let request = request.header(names::STORAGE_URL, self.0.storage_url.clone());
        match token {
            Ok(token) => request.header(names::AUTH_TOKEN, token),
            // An empty one is refused by the instance, in better words than ours.
            Err(_) => request.header(names::AUTH_TOKEN, ""),
        }
    }

    fn send(&self, request: http::request::Builder, body: Bytes) -> BoxFuture<'static, Result<View, InstanceError>> {
        let this = Arc::clone(&self.0);
        Box::pin(async move {
            let unavailable = |what: String| InstanceError::Unavailable(what);
            let request = request.body(body).map_err(|error| unavailable(error.to_string()))?;
            let answer = this.options.client.send(&this.origin, request, MAX_ANSWER_BYTES).await;
            view(answer.map_err(|error| unavailable(error.to_string()))?).map_err(|error| match error {
                // What an instance says may repeat what it was sent.
                InstanceError::Refused { reason, promised, message } if !this.options.token.is_empty() => {
                    let message = message.replace(this.options.token.as_str(), "[secret]");
                    InstanceError::Refused { reason, promised, message }
                }
                InstanceError::Unavailable(what) if !this.options.token.is_empty() => {
                    unavailable(what.replace(this.options.token.as_str(), "[secret]"))
                }
                error => error,
            })
        })
    }
}

/// A header, read. One that can't be read is as bad as none: the answer is not an instance's.
fn header<T>(
    answer: &Answer,
    name: &http::HeaderName,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, InstanceError> {
    let Some(value) = answer.headers.get(name) else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(parse);
    parsed.map(Some).ok_or_else(|| InstanceError::Unavailable(format!("its header {name} can't be read")))
}

fn view(answer: Answer) -> Result<View, InstanceError> {
    let promised = header(&answer, &names::PROMISED, Epoch::parse)?.unwrap_or_default();
    if !matches!(answer.status, 200 | 204) {
        let reason = answer.headers.get(names::REASON).and_then(|value| Reason::from_word(value.to_str().ok()?));
        let Some(reason) = reason else {
            return Err(InstanceError::Unavailable(format!(
                "it answered {}, and is no instance of ickpt",
                answer.status
            )));
        };
        let message = String::from_utf8_lossy(&answer.body).trim().chars().take(MAX_MESSAGE_CHARS).collect();
        return Err(match reason {
            Reason::Overloaded
            | Reason::Stopping
            | Reason::TooSlow
            | Reason::StoreUnreachable
            | Reason::StoreTooSlow
            | Reason::StoreBusy
            | Reason::StoreAnswer => InstanceError::Unavailable(format!("{reason}: {message}")),
            _ => InstanceError::Refused { reason, promised, message },
        });
    }
    let id = header(&answer, &names::INSTANCE, InstanceId::parse)?;
    let id = id.ok_or_else(|| InstanceError::Unavailable("it does not say which instance it is".to_owned()))?;
    let stamp = header(&answer, &names::VERSION, Stamp::parse)?;
    let members = header(&answer, &names::MEMBERS, Members::parse)?.unwrap_or_default();
    let committed = header(&answer, &names::SOURCE, |text| match text {
        "committed" => Some(true),
        "store" => Some(false),
        _ => None,
    })?;
    let content = match (committed, stamp) {
        (Some(true), _) => Content::Value(answer.body),
        (_, Some(_)) => Content::Deleted,
        // The store's bytes are nobody's vote.
        (_, None) => Content::Nothing,
    };
    Ok(View { id, promised, content, stamp, members })
}

impl Instance for HttpInstance {
    fn name(&self) -> String {
        self.0.origin.to_string()
    }

    fn look(&self, fence: Option<Epoch>) -> BoxFuture<'static, Result<View, InstanceError>> {
        let request = self.request(Method::GET, b"/");
        let request = match fence {
            Some(epoch) => request.header(names::FENCE, epoch.to_string()),
            None => request.header(names::KEEP, "staged"),
        };
        self.send(request, Bytes::new())
    }

    fn stage(&self, path: Bytes, write: Write) -> BoxFuture<'static, Result<View, InstanceError>> {
        let method = if write.bytes.is_some() { Method::PUT } else { Method::DELETE };
        let mut request = self.request(method, &path);
        if let Some(stamp) = write.stamp {
            request = request.header(names::VERSION, stamp.to_string());
        }
        if !write.members.is_empty() {
            request = request.header(names::MEMBERS, write.members.to_string());
        }
        self.send(request, write.bytes.unwrap_or_default())
    }

    fn commit(&self, path: Bytes) -> BoxFuture<'static, Result<View, InstanceError>> {
        self.send(self.request(Method::POST, &path), Bytes::new())
    }
}
