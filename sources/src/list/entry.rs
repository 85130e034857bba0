//! One line of a listing.

use std::time::SystemTime;

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListEntry {
    /// An object.
    Object(ListedObject),
    /// With a delimiter: the beginning, up to and including a `/`, that the names of one or more objects share.
    Prefix(String),
}

/// What a listing says about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedObject {
    /// Its name, without the bucket's prefix.
    pub name: String,
    /// Its size, bytes.
    pub size: u64,
    /// The provider's entity tag, quotes included; empty where the listing has none.
    pub etag: String,
    /// When it was created, by the provider's clock.
    pub created: SystemTime,
}

impl ListEntry {
    /// The object's name, or the shared prefix; what the listing is ordered by.
    pub fn name(&self) -> &str {
        match self {
            Self::Object(object) => &object.name,
            Self::Prefix(prefix) => prefix,
        }
    }

    /// The object, or none for a prefix.
    pub fn into_object(self) -> Option<ListedObject> {
        match self {
            Self::Object(object) => Some(object),
            Self::Prefix(_) => None,
        }
    }
}
