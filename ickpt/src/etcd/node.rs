//! One node of etcd: requests, as the user that etcd demands.
//!
//! Where etcd has users, a name and password are exchanged for a token, which etcd forgets five minutes after its last use, and when a node restarts or
//! its users are changed. So a request that is refused for its token is made once more with a new one; it was not done, for etcd looks at
//! the token first.

use std::fmt;
use std::sync::Mutex;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::error::EtcdError;
use crate::storage_url::Origin;
use crate::wire::{HttpClient, HttpStream, WireError};

/// Longest answer to who asks for a token.
const MAX_TOKEN_BYTES: usize = 64 << 10;
/// Characters of what etcd says that are passed on.
const MAX_MESSAGE_CHARS: usize = 300;

/// Who asks.
#[derive(Clone)]
pub struct EtcdUser {
    /// The user's name, as etcd knows it.
    pub name: String,
    /// And the password.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for EtcdUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EtcdUser({:?})", self.name)
    }
}

/// One node.
pub(super) struct EtcdNode {
    origin: Origin,
    client: HttpClient,
    user: Option<Arc<EtcdUser>>,
    timeout: Duration,
    token: Mutex<Option<HeaderValue>>,
}

/// An answer that is none: its status, and etcd's words.
struct Refusal {
    status: u16,
    message: String,
}

impl Refusal {
    /// Whether another token may help: this one is too old, or was made before users were changed.
    fn is_about_token(&self) -> bool {
        self.status == 401
            || ["invalid auth token", "revision in header is old"].iter().any(|word| self.message.contains(word))
    }

    fn trouble(&self, origin: &Origin) -> EtcdError {
        let Self { status, message } = self;
        let said = format!("{origin} answered {status} {message}");
        let about_user = ["authentication failed", "user name is empty", "permission denied", "invalid auth token"];
        match status {
            401 | 403 => EtcdError::Unauthorized(format!(
                "{said}; check user and password, and what the user may do with the key"
            )),
            400 if about_user.iter().any(|word| message.contains(word)) => {
                EtcdError::Unauthorized(format!("{said}; check user and password"))
            }
            400 | 404 => EtcdError::Refused(said),
            _ => EtcdError::Lost(said),
        }
    }
}

impl EtcdNode {
    pub(super) fn new(origin: Origin, client: HttpClient, user: Option<Arc<EtcdUser>>, timeout: Duration) -> Self {
        Self { origin, client, user, timeout, token: Mutex::default() }
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Asks, within the time that one request may take.
    pub(super) async fn ask(&self, path: &str, body: &Value, most: usize) -> Result<Value, EtcdError> {
        let bytes = Bytes::from(body.to_string());
        let Some(user) = &self.user else {
            return self.post(path, bytes, None, most).await?.map_err(|refusal| refusal.trouble(&self.origin));
        };
        let known = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(token) = known {
            match self.post(path, bytes.clone(), Some(token), most).await? {
                Err(refusal) if refusal.is_about_token() => {}
                answer => return answer.map_err(|refusal| refusal.trouble(&self.origin)),
            }
        }
        let token = self.authenticate(user).await?;
        self.post(path, bytes, Some(token), most).await?.map_err(|refusal| refusal.trouble(&self.origin))
    }

    /// Begins what goes on, within the time that one request may take. It is asked for with a token of its own: a refusal comes in the stream,
    /// where nobody could ask again.
    pub(super) async fn begin(&self, path: &str, body: &Value) -> Result<HttpStream, EtcdError> {
        let token = match &self.user {
            Some(user) => Some(self.authenticate(user).await?),
            None => None,
        };
        let origin = &self.origin;
        let begun = self.client.begin(origin, request(path, Bytes::from(body.to_string()), token)?);
        let stream = match tokio::time::timeout(self.timeout, begun).await {
            Err(_) => return Err(EtcdError::Lost(format!("{origin} did not answer in time"))),
            Ok(stream) => stream.map_err(|error| failed(origin, error))?,
        };
        match stream.status() {
            200 => Ok(stream),
            status => Err(EtcdError::Lost(format!("{origin} answered {status} to {path}"))),
        }
    }

    async fn authenticate(&self, user: &EtcdUser) -> Result<HeaderValue, EtcdError> {
        let body = json!({ "name": user.name, "password": user.password.as_str() });
        // Whatever became of this, what was asked for has not been sent.
        let answer =
            match self.post("/v3/auth/authenticate", Bytes::from(body.to_string()), None, MAX_TOKEN_BYTES).await {
                Err(EtcdError::Lost(what)) => return Err(EtcdError::NotSent(what)),
                answer => answer?,
            };
        let answer = answer.map_err(|refusal| match refusal.trouble(&self.origin) {
            EtcdError::Lost(what) => EtcdError::NotSent(what),
            trouble => trouble,
        })?;
        let token = answer.get("token").and_then(Value::as_str).and_then(|token| HeaderValue::try_from(token).ok());
        let mut token = token.ok_or_else(|| EtcdError::NotSent(format!("{} gave no token", self.origin)))?;
        token.set_sensitive(true);
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token)
    }

    /// What a server says may repeat what it was sent.
    fn without_secrets(&self, message: &str) -> String {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let token = token.as_ref().and_then(|token| token.to_str().ok());
        let password = self.user.as_ref().map(|user| user.password.as_str());
        [password, token]
            .into_iter()
            .flatten()
            .filter(|secret| !secret.is_empty())
            .fold(message.to_owned(), |message, secret| message.replace(secret, "[secret]"))
    }

    async fn post(
        &self,
        path: &str,
        body: Bytes,
        token: Option<HeaderValue>,
        most: usize,
    ) -> Result<Result<Value, Refusal>, EtcdError> {
        let origin = &self.origin;
        let sent = self.client.send(origin, request(path, body, token)?, most);
        let answer = match tokio::time::timeout(self.timeout, sent).await {
            Err(_) => return Err(EtcdError::Lost(format!("{origin} did not answer in time"))),
            Ok(answer) => answer.map_err(|error| failed(origin, error))?,
        };
        let value: Option<Value> = serde_json::from_slice(&answer.body).ok();
        match (answer.status, value) {
            (200, Some(value)) => Ok(Ok(value)),
            (status, value) => {
                let message = value.as_ref().and_then(|value| value.get("message")?.as_str()).unwrap_or_default();
                Ok(Err(Refusal {
                    status,
                    message: self
                        .without_secrets(message)
                        .chars()
                        .filter(|c| !c.is_control())
                        .take(MAX_MESSAGE_CHARS)
                        .collect(),
                }))
            }
        }
    }
}

fn request(path: &str, body: Bytes, token: Option<HeaderValue>) -> Result<Request<Bytes>, EtcdError> {
    let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, token);
    }
    request.body(body).map_err(|error| EtcdError::NotSent(error.to_string()))
}

fn failed(origin: &Origin, error: WireError) -> EtcdError {
    match error {
        WireError::Unreachable(what) => EtcdError::NotSent(format!("{origin}: {what}")),
        error => EtcdError::Lost(format!("{origin}: {error}")),
    }
}

impl fmt::Debug for EtcdNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EtcdNode({})", self.origin)
    }
}
