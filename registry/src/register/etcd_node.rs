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
use http_body_util::Full;
use plastron_ickpt::{HttpClient, Origin, WireError};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::etcd::MAX_VALUE_BYTES;

/// Longest answer: a value in base64, and what is around it.
const MAX_ANSWER_BYTES: usize = 2 * MAX_VALUE_BYTES;
/// Characters of what etcd says that are passed on.
const MAX_MESSAGE_CHARS: usize = 300;

/// Who asks.
pub(super) struct EtcdUser {
    pub(super) name: String,
    pub(super) password: Zeroizing<String>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The request did not get there.
    NotSent(String),
    /// It may have got there.
    Lost(String),
    /// etcd refused.
    Refused(String),
    /// etcd does not know the user, or the user may not.
    Unauthorized(String),
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

    fn trouble(&self, origin: &Origin) -> Trouble {
        let Self { status, message } = self;
        let said = format!("{origin} answered {status} {message}");
        let about_user = ["authentication failed", "user name is empty", "permission denied", "invalid auth token"];
        match status {
            401 | 403 => {
                Trouble::Unauthorized(format!("{said}; check user and password, and what the user may do with the key"))
            }
            400 if about_user.iter().any(|word| message.contains(word)) => {
                Trouble::Unauthorized(format!("{said}; check user and password"))
            }
            400 | 404 => Trouble::Refused(said),
            _ => Trouble::Lost(said),
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
    pub(super) async fn ask(&self, path: &str, body: &Value) -> Result<Value, Trouble> {
        let bytes = Bytes::from(body.to_string());
        let Some(user) = &self.user else {
            return self.post(path, bytes, None).await?.map_err(|refusal| refusal.trouble(&self.origin));
        };
        let known = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(token) = known {
            match self.post(path, bytes.clone(), Some(token)).await? {
                Err(refusal) if refusal.is_about_token() => {}
                answer => return answer.map_err(|refusal| refusal.trouble(&self.origin)),
            }
        }
        let token = self.authenticate(user).await?;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        self.post(path, bytes, Some(token)).await?.map_err(|refusal| refusal.trouble(&self.origin))
    }

    async fn authenticate(&self, user: &EtcdUser) -> Result<HeaderValue, Trouble> {
        let body = json!({ "name": user.name, "password": user.password.as_str() });
        // Whatever became of this, what was asked for has not been sent.
        let answer = match self.post("/v3/auth/authenticate", Bytes::from(body.to_string()), None).await {
            Err(Trouble::Lost(what)) => return Err(Trouble::NotSent(what)),
            answer => answer?,
        };
        let answer = answer.map_err(|refusal| match refusal.trouble(&self.origin) {
            Trouble::Lost(what) => Trouble::NotSent(what),
            trouble => trouble,
        })?;
        let token = answer.get("token").and_then(Value::as_str).and_then(|token| HeaderValue::try_from(token).ok());
        let mut token = token.ok_or_else(|| Trouble::NotSent(format!("{} gave no token", self.origin)))?;
        token.set_sensitive(true);
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
    ) -> Result<Result<Value, Refusal>, Trouble> {
        let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let request = request.body(Full::new(body)).map_err(|error| Trouble::NotSent(error.to_string()))?;
        let origin = &self.origin;
        let sent = tokio::time::timeout(self.timeout, self.client.send(origin, request, MAX_ANSWER_BYTES)).await;
        let answer = match sent {
            Err(_) => return Err(Trouble::Lost(format!("{origin} did not answer in time"))),
            Ok(Err(WireError::Unreachable(what))) => return Err(Trouble::NotSent(format!("{origin}: {what}"))),
            Ok(Err(error)) => return Err(Trouble::Lost(format!("{origin}: {error}"))),
            Ok(Ok(answer)) => answer,
        };
        let value: Option<Value> = serde_json::from_slice(&answer.body).ok();
        match (answer.status, value) {
            (200, Some(value)) => Ok(Ok(value)),
            (status, value) => {
                let message = value.as_ref().and_then(|value| value.get("message")?.as_str()).unwrap_or_default();
                Ok(Err(Refusal {
                    status,
                    message: self.without_secrets(message).chars().take(MAX_MESSAGE_CHARS).collect(),
                }))
            }
        }
    }
}

impl fmt::Debug for EtcdNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EtcdNode({})", self.origin)
    }
}
