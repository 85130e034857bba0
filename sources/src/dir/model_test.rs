//! Random puts, gets, removals and listings against a `BTreeMap`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use proptest::prelude::*;

use super::staging::Staging;
use super::testing::{STAGINGS, path, put, store_in};
use crate::error::Fault;
use crate::fault_of::fault_of;

#[derive(Debug, Clone)]
enum Step {
    Put(String, Vec<u8>),
    PutInParts(String, Vec<Vec<u8>>),
    Get(String, std::ops::Range<u64>),
    Remove(String),
    List(String, Option<String>),
    ListLevel(String),
    /// Another process comes along.
    Reopen,
}

fn name() -> impl Strategy<Value = String> {
    // Few components, so that names meet; those whose order is delicate, and those that are cut.
    let component = prop_oneof![
        8 => proptest::sample::select(vec!["a", "a.", "a-", "a0", "b", "%", "%25", "é", "a b"]).prop_map(str::to_owned),
        1 => proptest::sample::select(vec![200usize, 201, 202, 420]).prop_map(|length| "x".repeat(length)),
        1 => proptest::sample::select(vec!["-", ".", "0", "y"]).prop_map(|end| "x".repeat(201) + end),
    ];
    proptest::collection::vec(component, 1..4).prop_map(|components| components.join("/"))
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..100);
    prop_oneof![
        6 => (name(), bytes()).prop_map(|(name, bytes)| Step::Put(name, bytes)),
        1 => (name(), proptest::collection::vec(bytes(), 0..4)).prop_map(|(name, parts)| Step::PutInParts(name, parts)),
        3 => (name(), 0..120u64, 0..120u64).prop_map(|(name, a, b)| Step::Get(name, a..b)),
        4 => name().prop_map(Step::Remove),
        2 => (prop_oneof![Just(String::new()), name()], proptest::option::of(name())).prop_map(|(p, after)| Step::List(p, after)),
        1 => prop_oneof![Just(String::new()), name()].prop_map(Step::ListLevel),
        1 => Just(Step::Reopen),
    ]
}

type Model = BTreeMap<String, Bytes>;

/// What creating `name` must come to.
fn expected_of_put(model: &Model, name: &str) -> Result<(), Fault> {
    let lies_below = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('/'));
    if model.contains_key(name) {
        Err(Fault::ObjectExists)
    } else if model.keys().any(|other| lies_below(other, name) || lies_below(name, other)) {
        Err(Fault::Name { reason: String::new() })
    } else {
        Ok(())
    }
}

fn check_put<T>(model: &Model, name: &str, result: &object_store::Result<T>) {
    match (expected_of_put(model, name), result.as_ref().map_err(fault_of)) {
        (Ok(()), Ok(_))
        | (Err(Fault::ObjectExists), Err(Fault::ObjectExists))
        | (Err(Fault::Name { .. }), Err(Fault::Name { .. })) => {}
        (expected, found) => panic!("put {name}: expected {expected:?}, found {:?}", found.map(|_| ())),
    }
}

async fn run(staging: Staging, steps: Vec<Step>) {
    let directory = tempfile::tempdir().unwrap();
    let mut store = store_in(directory.path(), staging);
    let mut model = Model::new();
    for step in steps {
        match step {
            Step::Put(name, bytes) => {
                let result = put(store.as_ref(), &name, bytes.clone()).await;
                check_put(&model, &name, &result);
                if result.is_ok() {
                    model.insert(name, bytes.into());
                }
            }
            Step::PutInParts(name, parts) => {
                let result = async {
                    let mut upload = store.put_multipart(&path(&name)).await?;
                    let writes: Vec<_> = parts.iter().map(|part| upload.put_part(part.clone().into())).collect();
                    futures::future::try_join_all(writes).await?;
                    upload.complete().await
                };
                let result = result.await;
                check_put(&model, &name, &result);
                if result.is_ok() {
                    model.insert(name, parts.concat().into());
                }
            }
            Step::Get(name, range) => {
                let wanted = GetRange::Bounded(range.clone());
                let options = GetOptions::new().with_range(Some(wanted));
                let found = async { store.get_opts(&path(&name), options).await?.bytes().await }.await;
                match (model.get(&name), found.map_err(|error| fault_of(&error))) {
                    (None, Err(Fault::NoSuchObject)) => {}
                    (Some(bytes), Err(Fault::Range { .. })) => {
                        assert!(range.is_empty() || range.start >= bytes.len() as u64);
                    }
                    (Some(bytes), Ok(found)) => {
                        assert_eq!(found, bytes.slice(range.start as usize..bytes.len().min(range.end as usize)));
                    }
                    (expected, found) => panic!("get {name} {range:?}: expected {expected:?}, found {found:?}"),
                }
            }
            Step::Remove(name) => match (model.remove(&name), store.delete(&path(&name)).await) {
                (Some(_), Ok(())) => {}
                (None, Err(error)) if matches!(fault_of(&error), Fault::NoSuchObject) => {}
                (expected, found) => panic!("remove {name}: expected {expected:?}, found {found:?}"),
            },
            Step::List(prefix, after) => {
                let prefix = path(&prefix);
                let stream = match &after {
                    None => store.list(Some(&prefix)),
                    Some(after) => store.list_with_offset(Some(&prefix), &path(after)),
                };
                let found: Vec<_> = stream.try_collect().await.unwrap();
                let below = format!("{prefix}/");
                let expected: Vec<_> = model
                    .iter()
                    .filter(|(name, _)| prefix.is_root() || name.starts_with(&below))
                    .filter(|(name, _)| after.as_ref().is_none_or(|after| *name > after))
                    .map(|(name, bytes)| (name.clone(), bytes.len() as u64))
                    .collect();
                let found: Vec<_> = found.into_iter().map(|meta| (meta.location.to_string(), meta.size)).collect();
                assert_eq!(found, expected, "list {prefix} after {after:?}");
            }
            Step::ListLevel(prefix) => {
                let found = store.list_with_delimiter(Some(&path(&prefix))).await.unwrap();
                let below = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
                let inner = model.keys().filter_map(|name| name.strip_prefix(&below));
                let (deeper, objects): (Vec<_>, Vec<_>) = inner.partition(|rest| rest.contains('/'));
                let prefixes: BTreeSet<_> =
                    deeper.iter().map(|rest| format!("{below}{}", rest.split('/').next().unwrap())).collect();
                let objects: Vec<_> = objects.iter().map(|rest| format!("{below}{rest}")).collect();
                assert_eq!(found.objects.iter().map(|meta| meta.location.to_string()).collect::<Vec<_>>(), objects);
                let found: BTreeSet<_> = found.common_prefixes.iter().map(ToString::to_string).collect();
                assert_eq!(found, prefixes);
            }
            Step::Reopen => store = store_in(directory.path(), staging),
        }
    }
    for (name, bytes) in &model {
        assert_eq!(store.get(&path(name)).await.unwrap().bytes().await.unwrap(), bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_map(steps in proptest::collection::vec(step(), 1..60), named in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(run(STAGINGS[usize::from(named)], steps));
    }
}
