//! Who may enter: the holder of the bearer token, the holder of the account's key, and, unless told otherwise, whoever shows
//! no token at all.
//!
//! Service-account files with `disable_oauth` make clients send an empty token or none, so that is let in by default; a wrong
//! token never is.

use http::{HeaderMap, header};

use super::account::Account;
use super::answer::Refusal;

#[derive(Debug)]
pub(super) struct Access {
    pub(super) token: String,
    pub(super) account: Option<Account>,
    pub(super) anonymous: bool,
}

impl Access {
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return if self.anonymous { Ok(()) } else { Err(Refusal::ACCESS_DENIED) };
        };
        let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer")).map(str::trim);
        let known = match token {
            Some("") => self.anonymous,
            Some(token) => token == self.token || self.account.as_ref().is_some_and(|account| account.signed(token)),
            None => false,
        };
        if known { Ok(()) } else { Err(Refusal::AUTHENTICATION_REQUIRED) }
    }
}
