//! What unit tests of the bucket share: a store that fails on request, and a clock that is set by hand.

mod faulty_store;
mod hand_clock;

pub(crate) use faulty_store::{Fate, FaultyStore, Op, busy};
pub(crate) use hand_clock::{HandClock, SleepClock};

use std::sync::{Arc, LazyLock};

use crate::bucket::{Bucket, OpenBucket};
use crate::error::Result;
use crate::name::Names;
use crate::options::{BucketOptions, ProbeMode};
use crate::source::{LargeCreate, Provider, Source};

/// Options of a small memory bucket that is not probed.
pub(crate) fn options() -> BucketOptions {
    let mut options = BucketOptions::new(Provider::Memory, "test");
    options.part_size = 256 << 10;
    options.part_concurrency = 3;
    options.probe = ProbeMode::Off;
    options.retry.initial = std::time::Duration::from_micros(10);
    options
}

/// Opens a bucket over `store`.
pub(crate) async fn open_over(store: &FaultyStore, options: BucketOptions) -> Result<Bucket> {
    Bucket::over(unproved_over(store, options, LargeCreate::Multipart)).await
}

/// What a bucket over `store` shares, before anything is asked of it.
pub(crate) fn unproved_over(store: &FaultyStore, options: BucketOptions, large_create: LargeCreate) -> OpenBucket {
    let source = Source {
        provider: Provider::Memory,
        store: Arc::new(store.clone()),
        pages: store.pages.then(|| Arc::new(store.clone()) as _),
        quirks: Arc::default(),
        address: "memory://test".to_owned(),
        large_create,
        ahead: None,
    };
    let names = Names::new(&options.prefix, options.provider).unwrap();
    OpenBucket::new(source, options, names, Arc::clone(&store.stats))
}

/// A bucket over `store`, with [`options`].
pub(crate) async fn bucket_over(store: &FaultyStore) -> Bucket {
    open_over(store, options()).await.unwrap()
}

/// Bytes that look random, in a pattern whose length is prime, so that no two blocks are the same.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    static PATTERN: LazyLock<Vec<u8>> =
        LazyLock::new(|| (0..65_521_u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8).collect());
    let mut bytes = PATTERN.repeat(length.div_ceil(PATTERN.len()));
    bytes.truncate(length);
    bytes
}
