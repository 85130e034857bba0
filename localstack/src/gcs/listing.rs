//! One page of a listing (<https://cloud.google.com/storage/docs/xml-api/get-bucket-list>, version 2).

use std::collections::HashMap;
use std::ops::Bound;

use super::answer::escape;
use super::table::Bucket;

/// A page holds no more, whatever is asked.
const MAX_KEYS: usize = 1000;

/// What is asked.
#[derive(Debug, Default)]
pub(super) struct Listing {
    prefix: String,
    delimiter: String,
    /// Names up to this one are left out.
    after: String,
    /// The last entry of the page before, a name or a common prefix; everything up to and under it is left out.
    token: String,
    max: usize,
}

impl Listing {
    pub(super) fn from_query(query: &HashMap<String, String>) -> Self {
        let text = |name: &str| query.get(name).cloned().unwrap_or_default();
        let max = query.get("max-keys").and_then(|max| max.parse().ok()).unwrap_or(MAX_KEYS).min(MAX_KEYS);
        Self {
            prefix: text("prefix"),
            delimiter: text("delimiter"),
            after: text("start-after"),
            token: text("continuation-token"),
            max,
        }
    }

    /// The page as XML. The token to go on with is the last name or common prefix that the page holds.
    pub(super) fn page(&self, name: &str, bucket: &Bucket) -> String {
        let mut entries = String::new();
        let mut count = 0;
        let mut last = String::new();
        let mut more = false;
        let start = Bound::Included(self.prefix.as_str().max(&self.after).max(&self.token).to_owned());
        for (key, object) in bucket.range::<String, _>((start, Bound::Unbounded)) {
            let Some(rest) = key.strip_prefix(&self.prefix) else { break };
            let common = self.common_prefix(key, rest);
            let shown = common.unwrap_or(key);
            // Names under one common prefix are adjacent: the first stands for all.
            let seen = *key <= self.after || shown <= self.token.as_str() || (common.is_some() && shown == last);
            if seen {
                continue;
            }
            if count == self.max {
                more = true;
                break;
            }
            count += 1;
            last = shown.to_owned();
            let shown = escape(shown);
            entries.push_str(&if common.is_some() {
                format!("<CommonPrefixes><Prefix>{shown}</Prefix></CommonPrefixes>")
            } else {
                format!(
                    "<Contents><Key>{shown}</Key><Generation>{}</Generation><MetaGeneration>1</MetaGeneration><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
                    object.generation,
                    object.created_rfc3339(),
                    escape(&object.etag()),
                    object.data.len(),
                )
            });
        }
        let token = if more {
            format!("<NextContinuationToken>{}</NextContinuationToken>", escape(&last))
        } else {
            String::new()
        };
        format!(
            "<?xml version='1.0' encoding='UTF-8'?><ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'><Name>{}</Name><Prefix>{}</Prefix><KeyCount>{count}</KeyCount>{entries}<IsTruncated>{more}</IsTruncated>{token}</ListBucketResult>",
            escape(name),
            escape(&self.prefix),
        )
    }

    fn common_prefix<'k>(&self, key: &'k str, rest: &str) -> Option<&'k str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let end = rest.find(&self.delimiter)? + self.delimiter.len() + self.prefix.len();
        key.get(..end)
    }
}
