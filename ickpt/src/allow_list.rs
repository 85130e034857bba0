//! The stores that may be asked: without an entry, none.
//!
//! A caller chooses the URL that the service asks with the caller's token, so the list is what keeps the service from being anybody's messenger.
//! An origin has one scheme: two entries that would have the same keys, or differ in nothing but the scheme, are refused.

use crate::address::may_be_store;
use crate::refusal::{Reason, Refusal};
use crate::storage_url::{Origin, StorageUrl};

/// Entries of a list.
const MAX_ENTRIES: usize = 1024;

/// The allow list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    origins: Vec<Origin>,
}

impl AllowList {
    /// Reads a list of origins.
    ///
    /// # Errors
    /// What is wrong with which entry, for people.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut origins: Vec<Origin> = Vec::new();
        for entry in entries {
            let origin = Origin::parse(entry).map_err(|what| format!("the origin '{entry}' can't be used: {what}"))?;
            if let Ok(address) = origin.host.parse()
                && !may_be_store(address, origin.named_by())
            {
                return Err(format!("the origin '{entry}' is an address that can't be a store's"));
            }
            let same_place = |other: &Origin| other.host == origin.host && other.port == origin.port;
            match origins.iter().find(|other| same_place(other) || other.authority() == origin.authority()) {
                Some(other) if *other == origin => continue,
                Some(other) => {
                    return Err(format!("the origins '{other}' and '{origin}' differ in their scheme only; keep one"));
                }
                None => origins.push(origin),
            }
            if origins.len() > MAX_ENTRIES {
                return Err(format!("there are more than {MAX_ENTRIES} origins"));
            }
        }
        Ok(Self { origins })
    }

    /// Passes a URL whose origin is on the list.
    ///
    /// # Errors
    /// [`Reason::Origin`].
    pub fn check(&self, url: &StorageUrl) -> Result<(), Refusal> {
        if self.origins.contains(url.origin()) {
            return Ok(());
        }
        let message = format!(
            "the store {} is not one that this service may ask; its AllowedStorageOrigins name those",
            url.origin()
        );
        Err(Refusal::new(Reason::Origin, message))
    }

    /// Whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn check(list: &[&str], url: &str) -> bool {
        AllowList::parse(list.iter().copied()).unwrap().check(&StorageUrl::parse(url).unwrap()).is_ok()
    }

    #[test]
    fn what_is_not_listed_is_refused() {
        assert!(!check(&[], "http://s/a"));
        let list = ["https://swift.example.org", "http://127.0.0.1:8080/"];
        assert!(check(&list, "https://SWIFT.example.org:443/a"));
        assert!(check(&list, "http://127.0.0.1:8080/a"));
        for url in [
            "http://swift.example.org/a",
            "https://swift.example.org:8443/a",
            "https://swift.example.org.evil/a",
            "https://xswift.example.org/a",
            "https://127.0.0.1:8080/a",
            "http://localhost:8080/a",
        ] {
            assert!(!check(&list, url), "{url}");
        }
    }

    #[test]
    fn lists_that_contradict_themselves_are_refused() {
        for list in [
            &["http://s", "https://s"][..],
            &["http://s:8080", "https://s:8080"],
            &["http://169.254.169.254"],
            &["http://0.0.0.0"],
            &["http://[fe80::1]"],
            &["http://s/a"],
            &["s"],
            &["*"],
            &["https://*.example.org"],
        ] {
            assert!(AllowList::parse(list.iter().copied()).is_err(), "{list:?}");
        }
        assert!(AllowList::parse(["http://s", "http://S:80/"]).is_ok());
    }
}
