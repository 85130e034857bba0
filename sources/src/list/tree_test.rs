//! The walk over a store that lists directory by directory, against a sorted set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::Path;
use object_store::{ListResult, ObjectMeta};
use proptest::prelude::*;

use super::Tree;

/// Lists as SeaweedFS does: a level in the order of the names up to the next slash, in pages of two.
#[derive(Debug)]
struct Directories(BTreeSet<String>);

#[async_trait]
impl PaginatedListStore for Directories {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        options: PaginatedListOptions,
    ) -> object_store::Result<PaginatedListResult> {
        assert_eq!(options.delimiter.as_deref(), Some("/"));
        let prefix = prefix.unwrap_or_default();
        let mut level: BTreeMap<(&str, bool), String> = BTreeMap::new();
        for key in self.0.iter().filter(|key| key.starts_with(prefix)) {
            match key[prefix.len()..].find('/') {
                Some(slash) => {
                    level.insert((&key[..prefix.len() + slash], true), key[..prefix.len() + slash].to_owned())
                }
                None => level.insert((key, false), key.clone()),
            };
        }
        let skip: usize = options.page_token.map_or(0, |token| token.parse().unwrap());
        let mut result =
            ListResult { objects: Vec::new(), common_prefixes: Vec::new(), extensions: Default::default() };
        for ((_, directory), name) in level.iter().skip(skip).take(2) {
            let location = Path::parse(name).unwrap();
            if *directory {
                result.common_prefixes.push(location);
            } else {
                let last_modified = std::time::SystemTime::UNIX_EPOCH.into();
                result.objects.push(ObjectMeta { location, last_modified, size: 0, e_tag: None, version: None });
            }
        }
        let page_token = (skip + 2 < level.len()).then(|| (skip + 2).to_string());
        Ok(PaginatedListResult { result, page_token })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn the_walk_is_in_bytewise_order(
        keys in proptest::collection::btree_set("[ac. -]{1,3}(/[ac.-]{1,2}){0,3}", 0..30), prefix in "[ac.-]{0,2}/?",
        after in proptest::option::of("[ac.-]{1,2}(/[ac]{1,2})?"), delimiter: bool,
    ) {
        let keys: BTreeSet<String> = keys.into_iter().filter(|key| crate::check_name(key).is_ok()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut tree = Tree::new(Arc::new(Directories(keys.clone())), prefix.clone(), delimiter, after.clone());
        let mut found = Vec::new();
        runtime.block_on(async {
            while tree.has_more() {
                found.extend(tree.next().await.unwrap().iter().map(|entry| entry.key().to_owned()));
            }
        });
        let expected: BTreeSet<String> = keys.iter().filter(|key| key.starts_with(&prefix)).map(|key| match key[prefix.len()..].find('/') {
            Some(slash) if delimiter => key[..=prefix.len() + slash].to_owned(),
            _ => key.clone(),
        }).collect();
        prop_assert!(found.is_sorted(), "{:?}", found);
        // The walk may hand out keys before the beginning, which the listing leaves out; nothing else.
        let after = after.unwrap_or_default();
        let kept: Vec<&String> = found.iter().filter(|key| **key > after).collect();
        prop_assert_eq!(kept, expected.iter().filter(|key| **key > after).collect::<Vec<_>>());
        prop_assert!(found.iter().all(|key| expected.contains(key)));
    }
}
