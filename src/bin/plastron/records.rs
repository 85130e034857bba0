//! The JSON objects that stand for files, one shape for all commands.

use std::path::Path;

use plastron::{ListedObject, ObjectInfo};
use serde::Serialize;

use crate::quantity::timestamp;

/// A file in a result: `ls`, `put`, `get` and `rm` print one a line.
#[derive(Debug, Serialize)]
pub(crate) struct FileRecord<'a> {
    name: &'a str,
    size: u64,
    etag: &'a str,
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

impl<'a> FileRecord<'a> {
    /// What the store says about an object.
    pub(crate) fn new(info: &'a ObjectInfo) -> Self {
        Self {
            name: &info.name,
            size: info.size,
            etag: &info.etag,
            created: timestamp(info.created),
            status: None,
            path: None,
        }
    }

    /// What a listing says about an object.
    pub(crate) fn listed(entry: &'a ListedObject) -> Self {
        Self {
            name: &entry.name,
            size: entry.size,
            etag: &entry.etag,
            created: timestamp(entry.created),
            status: None,
            path: None,
        }
    }

    /// Adds what the command did with it.
    pub(crate) fn status(self, status: &'static str) -> Self {
        Self { status: Some(status), ..self }
    }

    /// Adds the local file it came from or went to.
    pub(crate) fn path(self, path: &Path) -> Self {
        Self { path: Some(path.to_string_lossy().into_owned()), ..self }
    }
}
