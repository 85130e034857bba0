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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::SystemTime;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::gcs::digest::Digests;
    use crate::gcs::object::Object;

    fn bucket(names: &BTreeSet<String>) -> Bucket {
        let digests = Digests { crc32c: 0, md5: None };
        let metadata = Vec::new();
        let object = Object { data: Bytes::new(), generation: 1, digests, created: SystemTime::UNIX_EPOCH, metadata };
        names.iter().map(|name| (name.clone(), object.clone())).collect()
    }

    /// What stands between a pair of tags, each time, unescaped.
    fn between(text: &str, tag: &str) -> Vec<String> {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let inner = text.split(&open).skip(1).map(|piece| piece.split(&close).next().unwrap());
        inner.map(|inner| quick_xml::escape::unescape(inner).unwrap().into_owned()).collect()
    }

    /// All pages, as a client asks for them.
    fn walk(bucket: &Bucket, mut query: HashMap<String, String>) -> (Vec<String>, Vec<String>) {
        let (mut names, mut prefixes) = (Vec::new(), Vec::new());
        loop {
            let page = Listing::from_query(&query).page("bucket", bucket);
            names.extend(between(&page, "Key"));
            // The first `Prefix` repeats the question.
            prefixes.extend(between(&page, "CommonPrefixes").iter().flat_map(|inner| between(inner, "Prefix")));
            match between(&page, "NextContinuationToken").pop() {
                Some(token) => drop(query.insert("continuation-token".into(), token)),
                None => return (names, prefixes),
            }
        }
    }

    proptest! {
        #[test]
        fn pages_add_up_to_what_a_plain_filter_finds(
            names in proptest::collection::btree_set("[ab/<]{1,5}", 0..40),
            prefix in "[ab/]{0,2}",
            delimiter in "/?",
            after in "[ab/]{0,3}",
            max in 1_usize..5,
        ) {
            let chosen = names.iter().filter(|name| name.starts_with(&prefix) && **name > after);
            let (mut plain, mut common) = (Vec::new(), BTreeSet::new());
            for name in chosen {
                match name[prefix.len()..].find('/').filter(|_| !delimiter.is_empty()) {
                    Some(end) => drop(common.insert(name[..=prefix.len() + end].to_owned())),
                    None => plain.push(name.clone()),
                }
            }
            let query = [("prefix", prefix), ("delimiter", delimiter), ("start-after", after), ("max-keys", max.to_string())];
            let query = query.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            prop_assert_eq!(walk(&bucket(&names), query), (plain, common.into_iter().collect::<Vec<_>>()));
        }
    }
}
