//! Who may enter: the holder of the bearer token, the holder of an account's key, and, unless told otherwise, whoever shows
//! no token at all. One account may list and read and nothing else, as Google's role Storage Object Viewer.
//!
//! Service-account files with `disable_oauth` make clients send an empty token or none, so that is let in by default; a wrong
//! token never is.

use http::request::Parts;
use http::{Method, header};

use super::account::Account;
use super::answer::Refusal;

#[derive(Debug)]
pub(super) struct Access {
    pub(super) token: String,
    pub(super) account: Option<Account>,
    /// May list and read.
    pub(super) reader: Option<Account>,
    pub(super) anonymous: bool,
}

impl Access {
    /// Whether whoever sent `request` may have it done.
    pub(super) fn check(&self, request: &Parts) -> Result<(), Refusal> {
        let Some(value) = request.headers.get(header::AUTHORIZATION) else {
            return if self.anonymous { Ok(()) } else { Err(Refusal::ACCESS_DENIED) };
        };
        let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer")).map(str::trim);
        if let (Some(token), Some(reader)) = (token, &self.reader)
            && reader.signed(token)
        {
            let reads = matches!(request.method, Method::GET | Method::HEAD);
            return if reads { Ok(()) } else { Err(Refusal::ACCESS_DENIED) };
        }
        let known = match token {
            Some("") => self.anonymous,
            Some(token) => token == self.token || self.account.as_ref().is_some_and(|account| account.signed(token)),
            None => false,
        };
        if known { Ok(()) } else { Err(Refusal::AUTHENTICATION_REQUIRED) }
    }
}
