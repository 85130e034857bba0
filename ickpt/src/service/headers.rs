//! What a call says in its headers.

use http::HeaderMap;
use http::header::HeaderName;

use super::token::Token;
use crate::protocol as names;
use crate::refusal::{Reason, Refusal};
use crate::storage_url::StorageUrl;
use crate::value::{Epoch, Members, Stamp};

/// The headers of one call, checked.
#[derive(Debug)]
pub(super) struct CallHeaders {
    pub(super) url: StorageUrl,
    pub(super) token: Token,
    pub(super) fence: Option<Epoch>,
    pub(super) stamp: Option<Stamp>,
    pub(super) members: Members,
    pub(super) keep: bool,
}

/// The URL; it comes first, since the allow list is asked before anything else is looked at.
pub(super) fn storage_url(headers: &HeaderMap) -> Result<StorageUrl, Refusal> {
    let mut all = headers.get_all(names::STORAGE_URL).iter();
    match (all.next(), all.next()) {
        (Some(value), None) => StorageUrl::from_header(value.as_bytes()),
        (None, _) => {
            Err(Refusal::new(Reason::StorageUrl, "X-Storage-Url is missing; give the URL of the object in the store"))
        }
        (Some(_), Some(_)) => Err(Refusal::new(Reason::StorageUrl, "X-Storage-Url is given more than once; give one")),
    }
}

impl CallHeaders {
    /// The others.
    pub(super) fn read(url: StorageUrl, headers: &HeaderMap) -> Result<Self, Refusal> {
        let token = match one(headers, &names::AUTH_TOKEN)? {
            Some(value) if !value.is_empty() => Token::new(value),
            _ => {
                return Err(Refusal::new(
                    Reason::TokenMissing,
                    "X-Auth-Token is missing or empty; give a token of the store",
                ));
            }
        };
        let fence = text(headers, &names::FENCE, Epoch::parse)?;
        let stamp = text(headers, &names::VERSION, Stamp::parse)?;
        let members = text(headers, &names::MEMBERS, Members::parse)?.unwrap_or_default();
        let keep = text(headers, &names::KEEP, |text| (text == "staged").then_some(()))?.is_some();
        if stamp.is_none() && !members.is_empty() {
            return Err(Refusal::new(Reason::Header, "X-Ickpt-Members needs X-Ickpt-Version"));
        }
        Ok(Self { url, token, fence, stamp, members, keep })
    }
}

fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Refusal> {
    let mut all = headers.get_all(name).iter();
    let first = all.next().map(http::HeaderValue::as_bytes);
    if all.next().is_some() {
        return Err(Refusal::new(Reason::Header, format!("{name} is given more than once; give one")));
    }
    Ok(first)
}

fn text<T>(headers: &HeaderMap, name: &HeaderName, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Refusal> {
    let Some(value) = one(headers, name)? else { return Ok(None) };
    let parsed = std::str::from_utf8(value).ok().and_then(parse);
    parsed
        .map(Some)
        .ok_or_else(|| Refusal::new(Reason::Header, format!("{name} can't be read; see the protocol for its form")))
}
