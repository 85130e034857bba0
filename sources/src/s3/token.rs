//! The token: `access key;secret key[;session token]`.

use object_store::aws::AwsCredential;

use crate::credentials::is_header_text;
use crate::error::Fault;

const SHAPE: &str = "write it as \"ACCESS_KEY;SECRET_KEY\" or \"ACCESS_KEY;SECRET_KEY;SESSION_TOKEN\"";

/// Reads `text`. Fails with [`Fault::Config`], which never repeats any of it.
pub(super) fn parse(text: &str) -> Result<AwsCredential, Fault> {
    let wrong = |why: &str| Err(Fault::Config(format!("auth_token: {why}; {SHAPE}")));
    let mut parts = text.split(';');
    let (Some(key), Some(secret)) = (parts.next(), parts.next()) else {
        return wrong("there is no `;`, so no secret key");
    };
    let session = parts.next().unwrap_or_default();
    if parts.next().is_some() {
        return wrong("there are more than three parts");
    }
    if key.is_empty() {
        return wrong("the access key is empty");
    }
    if secret.is_empty() {
        return wrong("the secret key is empty");
    }
    check(key, secret, session)
        .or_else(|part| wrong(&format!("the {part} holds a blank, a control character or a letter beyond ASCII")))
}

/// The credential, or the part of it that cannot stand in a request. An empty `session` is none.
pub(super) fn check(key: &str, secret: &str, session: &str) -> Result<AwsCredential, &'static str> {
    if !is_header_text(key) {
        return Err("access key");
    }
    if !is_header_text(secret) {
        return Err("secret key");
    }
    if !session.is_empty() && !is_header_text(session) {
        return Err("session token");
    }
    let token = (!session.is_empty()).then(|| session.to_owned());
    Ok(AwsCredential { key_id: key.to_owned(), secret_key: secret.to_owned(), token })
}
