//! The secrets, and the search for them in every spelling.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE};

/// Words rather than noise: what looks random is hidden by its looks alone.
pub(crate) const SECRET_KEY: &str = "planted/secret+key";
pub(crate) const SESSION_TOKEN: &str = "planted/session+token==";
pub(crate) const SIGNATURE: &str = "planted/shared+signature=";
pub(crate) const BEARER: &str = "planted.bearer.token";
pub(crate) const PASSWORD: &str = "planted-password";
pub(crate) const CLIENT_SECRET: &str = "planted~client~secret";
pub(crate) const REFRESH_TOKEN: &str = "1//planted-refresh-token";
pub(crate) const PRIVATE_KEY: &str = "plantedprivatekeyplantedprivatekey";
/// Inside an account key, which is base64.
pub(crate) const ACCOUNT_KEY: &str = "planted account key, thirty-two bytes at least";

const ALL: [&str; 9] =
    [SECRET_KEY, SESSION_TOKEN, SIGNATURE, BEARER, PASSWORD, CLIENT_SECRET, REFRESH_TOKEN, PRIVATE_KEY, ACCOUNT_KEY];

/// The account key as Azure has it.
pub(crate) fn account_key() -> String {
    BASE64_STANDARD.encode(ACCOUNT_KEY)
}

/// A shared access signature as the portal shows it.
pub(crate) fn shared_access_signature() -> String {
    format!("sv=2024-11-04&ss=b&srt=co&sp=rwdl&se=2030-01-01T00%3A00%3A00Z&sig={}", percent(SIGNATURE, true))
}

/// A service account's file, with a key that is none.
pub(crate) fn service_account() -> String {
    serde_json::json!({
        "type": "service_account", "client_email": "a@example.com", "private_key_id": "1",
        "private_key": format!("-----BEGIN PRIVATE KEY-----\n{PRIVATE_KEY}\n-----END PRIVATE KEY-----\n"),
    })
    .to_string()
}

fn percent(text: &str, upper: bool) -> String {
    let byte = |b: u8| match b {
        b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
        b if upper => format!("%{b:02X}"),
        b => format!("%{b:02x}"),
    };
    text.bytes().map(byte).collect()
}

/// Every spelling of a secret that has been seen in a log somewhere.
fn spellings(secret: &str) -> Vec<String> {
    let mut all = vec![
        secret.to_owned(),
        percent(secret, true),
        percent(secret, false),
        percent(&percent(secret, true), true),
        BASE64_STANDARD.encode(secret),
        BASE64_URL_SAFE.encode(secret),
        secret.replace('/', "\\/"),
        secret.bytes().map(|b| format!("{b:02x}")).collect(),
    ];
    // In the middle of something longer, base64 depends on where it begins; its ends then belong to the neighbours.
    for lead in ["x", "xx"] {
        let shifted = BASE64_STANDARD_NO_PAD.encode(format!("{lead}{secret}"));
        all.push(shifted[4..shifted.len() - 4].to_owned());
    }
    all.sort();
    all.dedup();
    all
}

/// The secrets of one search: those planted, and what the server was sent.
pub(crate) struct Search(Vec<String>);

impl Search {
    pub(crate) fn new(sent: Vec<String>) -> Self {
        let mut all: Vec<String> = ALL.iter().flat_map(|secret| spellings(secret)).collect();
        all.extend(spellings(&account_key()));
        all.extend(sent.iter().flat_map(|secret| spellings(secret)));
        Self(all)
    }

    /// The first secret in `text`, with what stands around it.
    pub(crate) fn find(&self, text: &str) -> Option<String> {
        let found = self.0.iter().find_map(|secret| Some((secret, text.find(secret.as_str())?)));
        found.map(|(secret, at)| {
            let (from, to) =
                (text.floor_char_boundary(at.saturating_sub(300)), (at + secret.len() + 100).min(text.len()));
            format!("{secret} in: …{}…", &text[from..text.ceil_char_boundary(to)])
        })
    }

    /// Fails if there is one; `what` was said by whom.
    pub(crate) fn assert_none(&self, what: &str, text: &str) {
        if let Some(found) = self.find(text) {
            panic!("{what}: {found}");
        }
    }
}

#[test]
fn the_search_finds_what_it_should() {
    let search = Search::new(vec!["sent by us".to_owned()]);
    let embedded = BASE64_STANDARD.encode(format!("user:{PASSWORD}@host"));
    for text in [
        format!("a {SECRET_KEY} b"),
        "key=planted%2Fsecret%2Bkey".to_owned(),
        "key=planted%2fsecret%2bkey".to_owned(),
        format!("AccountKey={}", account_key()),
        format!("Basic {embedded}"),
        format!("{:?}", service_account()),
        shared_access_signature(),
        "it was sent by us".to_owned(),
    ] {
        assert!(search.find(&text).is_some(), "{text}");
    }
    assert_eq!(search.find("auth_token=[secret], planted, secret, token"), None);
}
