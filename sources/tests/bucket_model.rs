//! A bucket in memory does what a sorted map of byte strings would do.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::collections::BTreeMap;
use std::io::Write;

use futures::TryStreamExt;
use plastron_sources::{Bucket, BucketOptions, ErrorKind, ListOptions, ProbeReport, Provider};
use proptest::prelude::*;
use proptest::sample::Index;

const PART: u64 = 256 << 10;

#[derive(Debug, Clone)]
enum Step {
    Put(Index, Size),
    PutFile(Index, Size),
    Write(Index, Size, usize),
    Delete(Index),
    Head(Index),
    Read(Index, Index, Index),
    List(String, bool, Option<usize>),
}

/// Sizes around the edges of blocks and parts.
#[derive(Debug, Clone, Copy)]
struct Size(usize);

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![
        0..10_usize,
        (PART as usize - 2)..(PART as usize + 2),
        (3 * PART as usize - 2)..(3 * PART as usize + 2),
        0..1_000_000_usize,
    ]
    .prop_map(Size)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<Index>(), size()).prop_map(|(name, size)| Step::Put(name, size)),
        1 => (any::<Index>(), size()).prop_map(|(name, size)| Step::PutFile(name, size)),
        1 => (any::<Index>(), size(), 1..300_000_usize).prop_map(|(name, size, piece)| Step::Write(name, size, piece)),
        3 => any::<Index>().prop_map(Step::Delete),
        2 => any::<Index>().prop_map(Step::Head),
        4 => (any::<Index>(), any::<Index>(), any::<Index>()).prop_map(|(name, a, b)| Step::Read(name, a, b)),
        2 => ("[ad/]{0,2}", any::<bool>(), proptest::option::of(0..4_usize)).prop_map(|(p, d, l)| Step::List(p, d, l)),
    ]
}

const NAMES: [&str; 8] = ["a", "a b", "d/1", "d/2", "d/e/3", "é+%41#", "d0", "z"];

fn data(seed: usize, size: usize) -> Vec<u8> {
    (0..size).map(|at| (at.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 13) as u8).collect()
}

async fn run(steps: Vec<Step>) {
    let mut options = BucketOptions::new(Provider::Memory, "");
    (options.part_size, options.part_concurrency) = (PART, 2);
    options.prefix = "db/".to_owned();
    let bucket = Bucket::open(options).await.unwrap();
    let mut model: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for (seed, step) in steps.into_iter().enumerate() {
        match step {
            Step::Put(name, Size(size)) => {
                let (name, data) = (*name.get(&NAMES), data(seed, size));
                let put = bucket.put(name, data.clone()).await;
                created(&mut model, name, data, put);
            }
            Step::PutFile(name, Size(size)) => {
                let (name, data) = (*name.get(&NAMES), data(seed, size));
                let mut file = tempfile::NamedTempFile::new().unwrap();
                file.write_all(&data).unwrap();
                let put = bucket.put_file(name, file.path()).await;
                created(&mut model, name, data, put);
            }
            Step::Write(name, Size(size), piece) => {
                let (name, data) = (*name.get(&NAMES), data(seed, size));
                let mut writer = bucket.writer(name).await.unwrap();
                let mut written = Ok(());
                for piece in data.chunks(piece) {
                    if written.is_ok() {
                        written = writer.write(piece.to_vec()).await;
                    }
                }
                let put = match written {
                    Ok(()) => writer.finish().await,
                    Err(error) => Err(error),
                };
                created(&mut model, name, data, put);
            }
            Step::Delete(name) => {
                let name = *name.get(&NAMES);
                match (bucket.delete(name).await, model.remove(name)) {
                    (Ok(()), Some(_)) => {}
                    (Err(error), None) => assert_eq!(error.kind(), ErrorKind::NotFound),
                    (found, expected) => panic!("{found:?} instead of {}", expected.is_some()),
                }
            }
            Step::Head(name) => {
                let name = *name.get(&NAMES);
                assert_eq!(bucket.exists(name).await.unwrap(), model.contains_key(name));
                match (bucket.head(name).await, model.get(name)) {
                    (Ok(info), Some(data)) => assert_eq!((info.name.as_str(), info.size), (name, data.len() as u64)),
                    (Err(error), None) => assert_eq!(error.kind(), ErrorKind::NotFound),
                    (found, expected) => panic!("{found:?} instead of {}", expected.is_some()),
                }
            }
            Step::Read(name, a, b) => {
                let name = *name.get(&NAMES);
                match (bucket.open_object(name).await, model.get(name)) {
                    (Ok(object), Some(data)) => {
                        let (a, b) = (a.index(data.len() + 1), b.index(data.len() + 1));
                        let range = a.min(b)..a.max(b);
                        let bytes = object.read(range.start as u64..range.end as u64).await.unwrap();
                        assert!(bytes == data[range], "{name}");
                    }
                    (Err(error), None) => assert_eq!(error.kind(), ErrorKind::NotFound),
                    (found, expected) => panic!("{found:?} instead of {}", expected.is_some()),
                }
            }
            Step::List(prefix, delimiter, limit) => {
                if prefix.starts_with('/') || prefix.contains("//") {
                    continue;
                }
                let mut options = ListOptions::default();
                (options.delimiter, options.limit) = (delimiter, limit);
                let listed: Vec<_> =
                    bucket.list(&prefix, options).map_ok(|entry| entry.name().to_owned()).try_collect().await.unwrap();
                let mut expected: Vec<String> = model
                    .keys()
                    .filter(|name| name.starts_with(&prefix))
                    .map(|name| match name[prefix.len()..].find('/') {
                        Some(slash) if delimiter => name[..=prefix.len() + slash].to_owned(),
                        _ => (*name).to_owned(),
                    })
                    .collect();
                expected.dedup();
                expected.truncate(limit.unwrap_or(usize::MAX));
                assert_eq!(listed, expected);
            }
        }
    }
    bucket.close().await;
    let left: Vec<_> = bucket.system().list("_plastron/", ListOptions::default()).try_collect().await.unwrap();
    let streamed = model.values().filter(|data| data.len() as u64 > PART).count();
    assert!(left.len() <= streamed, "{left:?}");
}

fn created(
    model: &mut BTreeMap<&'static str, Vec<u8>>,
    name: &'static str,
    data: Vec<u8>,
    put: plastron_sources::Result<plastron_sources::ObjectInfo>,
) {
    match put {
        Ok(info) => {
            assert_eq!((info.name.as_str(), info.size), (name, data.len() as u64));
            assert!(model.insert(name, data).is_none(), "{name} was replaced");
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
            assert!(model.contains_key(name));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_bucket_is_a_map_of_byte_strings(steps in proptest::collection::vec(step(), 0..40)) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run(steps));
    }
}

#[tokio::test]
async fn the_probe_of_a_bucket_in_memory_holds() {
    let report = ProbeReport::of(BucketOptions::parse("memory://").unwrap()).await;
    assert!(report.holds(), "{report}");
}

#[tokio::test]
async fn opening_says_what_is_wrong() {
    let mut options = BucketOptions::new(Provider::Memory, "");
    options.prefix = "../".to_owned();
    assert_eq!(Bucket::open(options).await.unwrap_err().kind(), ErrorKind::Invalid);
    let mut options = BucketOptions::new(Provider::Memory, "");
    options.part_size = 1;
    assert_eq!(Bucket::open(options).await.unwrap_err().kind(), ErrorKind::Invalid);
}
