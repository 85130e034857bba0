//! Leaders, followers, history and garbage over a bucket in memory, with keys.

use std::time::Duration;

use plastron_config::{Config, ErrorKind};
use plastron_keys::KeyManagement;
use plastron_sources::{Bucket, BucketOptions};

use super::{CheckpointRequest, Collector, Follower, History, Inspector, Leader, Volume};
use crate::page_log::{Lsn, PutArgs};

async fn bucket() -> Bucket {
    Bucket::open(BucketOptions::parse("source=memory_store").unwrap()).await.unwrap()
}

async fn mock() -> KeyManagement {
    KeyManagement::open(&Config::parse("name=mock").unwrap()).await.unwrap()
}

/// The database in `bucket`, as a new process sees it.
async fn volume(bucket: &Bucket, owner: &str) -> Volume {
    let mut volume = Volume::new(bucket.clone(), owner);
    volume.keys = mock().await;
    volume.page_log.segment_size = 4 << 10;
    volume.page_log.memory = 1 << 20;
    volume
}

async fn put(leader: &Leader, page: u64, text: &str) -> Lsn {
    leader.table(7).unwrap().put(page, PutArgs::full(), text.to_owned()).await.unwrap()
}

async fn read(follower: &Follower, page: u64) -> String {
    let chain = follower.table(7).unwrap().get(page, Lsn::MAX).await.unwrap();
    String::from_utf8(chain.records[0].bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_follower_sees_what_the_leader_completed_and_nothing_else() {
    let bucket = bucket().await;
    let nothing = Follower::open(volume(&bucket, "f").await).await.unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::NotFound, "{nothing}");
    let leader = Leader::open(volume(&bucket, "one").await).await.unwrap();
    put(&leader, 1, "a").await;
    let root = put(&leader, 2, "root").await;
    let (info, string) = leader.checkpoint(CheckpointRequest::new(root).timestamp(0x10)).await.unwrap();
    put(&leader, 1, "b").await;
    let follower = Follower::open_still(volume(&bucket, "f").await).await.unwrap();
    assert_eq!(follower.checkpoint(), info);
    assert_eq!((read(&follower, 1).await, read(&follower, 2).await), ("a".to_owned(), "root".to_owned()));
    let page = follower.turtle_page().await.unwrap().unwrap();
    assert_eq!((page.timestamp, page.key_provider.map(|kek| kek.lsn)), (0x10, Some(info.kek_lsn.get())));
    assert_eq!((string.metadata_lsn, info.metadata_lsn), (info.turtle_page_lsn.get(), root));
    assert_eq!(string.metadata_checksum, Some(crc32c::crc32c(page.to_string().as_bytes())));
    assert_eq!(follower.advance().await.unwrap(), None);
    let (second, _) = leader.checkpoint(CheckpointRequest::new(root)).await.unwrap();
    assert_eq!((second.sequence, second.kek_lsn), (info.sequence + 1, info.kek_lsn), "the KEK page is used again");
    assert_eq!(follower.advance().await.unwrap(), Some(second));
    assert_eq!(read(&follower, 1).await, "b");
    assert!(Inspector::new(volume(&bucket, "i").await).all(true).run().await.unwrap().is_clean());
}

#[tokio::test]
async fn a_second_leader_goes_on_from_the_last_checkpoint_and_fences_the_first() {
    let bucket = bucket().await;
    let first = Leader::open(volume(&bucket, "one").await).await.unwrap();
    put(&first, 1, "kept").await;
    first.checkpoint(CheckpointRequest::default()).await.unwrap();
    put(&first, 1, "lost").await;
    let second = Leader::open(volume(&bucket, "two").await).await.unwrap();
    assert!(first.is_fenced().await.unwrap());
    for _ in 0..2 {
        let fenced = first.checkpoint(CheckpointRequest::default()).await.unwrap_err();
        assert_eq!(fenced.kind(), ErrorKind::Fenced, "{fenced}");
    }
    let chain = second.table(7).unwrap().get(1, Lsn::MAX).await.unwrap();
    assert_eq!(&chain.records[0].bytes[..], b"kept");
    put(&second, 1, "new").await;
    second.checkpoint(CheckpointRequest::default()).await.unwrap();
    let follower = Follower::open(volume(&bucket, "f").await).await.unwrap();
    assert_eq!(read(&follower, 1).await, "new");
}

#[tokio::test]
async fn an_abandoned_page_is_gone_and_the_kek_page_is_written_again() {
    let bucket = bucket().await;
    let leader = Leader::open(volume(&bucket, "one").await).await.unwrap();
    put(&leader, 1, "a").await;
    let kek = leader.persist_keys(0).await.unwrap();
    leader.abandon_checkpoint().await.unwrap();
    assert_eq!(leader.table(7).unwrap().get(1, Lsn::MAX).await.unwrap_err().kind(), ErrorKind::NotFound);
    let page = super::request::CheckpointRequest::default().turtle_page(kek);
    let place = leader.put_turtle_page(&page).await.unwrap();
    let completion = super::Completion { turtle_page_lsn: place.lsn, ..super::Completion::default() };
    assert_eq!(leader.complete_checkpoint(completion).await.unwrap_err().kind(), ErrorKind::Invalid);
    put(&leader, 1, "b").await;
    let (info, _) = leader.checkpoint(CheckpointRequest::default()).await.unwrap();
    assert!(info.kek_lsn > kek, "{} is above {kek}", info.kek_lsn);
    assert!(Inspector::new(volume(&bucket, "i").await).run().await.unwrap().is_clean());
}

#[tokio::test]
async fn history_is_listed_restored_and_cloned() {
    let bucket = bucket().await;
    let leader = Leader::open(volume(&bucket, "one").await).await.unwrap();
    let mut infos = Vec::new();
    for text in ["a", "b", "c"] {
        put(&leader, 1, text).await;
        infos.push(leader.checkpoint(CheckpointRequest::default()).await.unwrap().0);
    }
    let history = History::new(volume(&bucket, "h").await);
    assert_eq!(history.list().await.unwrap(), infos);
    assert_eq!(history.at_or_below(infos[1].lsn).await.unwrap(), infos[1]);
    let old = history.open(infos[0].sequence).await.unwrap();
    assert_eq!(read(&old, 1).await, "a");
    // A clone and its origin go their own ways.
    history.clone_to(infos[1].sequence, "branch/").await.unwrap();
    assert_eq!(history.clone_to(infos[1].sequence, "branch/").await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    let at_clone = bucket.at_prefix("branch/").unwrap();
    let clone = Leader::open(volume(&at_clone, "clone").await).await.unwrap();
    assert_eq!(&clone.table(7).unwrap().get(1, Lsn::MAX).await.unwrap().records[0].bytes[..], b"b");
    put(&clone, 2, "cloned").await;
    clone.log().merge_indexes().await.unwrap();
    clone.checkpoint(CheckpointRequest::default()).await.unwrap();
    let follower = Follower::open(volume(&at_clone, "f").await).await.unwrap();
    assert_eq!((read(&follower, 1).await, read(&follower, 2).await), ("b".to_owned(), "cloned".to_owned()));
    assert!(Inspector::new(volume(&at_clone, "i").await).all(true).run().await.unwrap().is_clean());
    // A clone of the clone.
    let grand = History::new(volume(&at_clone, "h").await);
    let newest = grand.at_or_below(Lsn::MAX).await.unwrap();
    grand.clone_to(newest.sequence, "twig/").await.unwrap();
    let at_twig = bucket.at_prefix("twig/").unwrap();
    let twig = Follower::open(volume(&at_twig, "f").await).await.unwrap();
    assert_eq!((read(&twig, 1).await, read(&twig, 2).await), ("b".to_owned(), "cloned".to_owned()));
    // Back to the first.
    let restored = history.restore(infos[0].sequence).await.unwrap();
    assert_eq!(restored.lsn, infos[0].lsn);
    let fenced = leader.checkpoint(CheckpointRequest::default()).await.unwrap_err();
    assert_eq!(fenced.kind(), ErrorKind::Fenced, "{fenced}");
    let follower = Follower::open(volume(&bucket, "f").await).await.unwrap();
    assert_eq!(read(&follower, 1).await, "a");
    assert_eq!(history.release_clone("branch/").await.unwrap(), 1);
}

#[tokio::test]
async fn garbage_goes_and_what_is_reached_stays() {
    let bucket = bucket().await;
    let mut of_leader = volume(&bucket, "one").await;
    of_leader.retention.checkpoints = 1;
    of_leader.retention.time = Duration::ZERO;
    of_leader.retention.window = Duration::ZERO;
    let leader = Leader::open(of_leader.clone()).await.unwrap();
    let mut infos = Vec::new();
    for number in 0..20_u64 {
        for page in 0..20 {
            put(&leader, page, &format!("{number}-{page}-{}", "x".repeat(300))).await;
        }
        leader.log().merge_indexes().await.unwrap();
        infos.push(leader.checkpoint(CheckpointRequest::default()).await.unwrap().0);
    }
    let history = History::new(of_leader.clone());
    let pinned = history.open(infos[3].sequence).await.unwrap();
    let planned = leader.collect(true).await.unwrap();
    assert!(planned.removed_runs > 5 && planned.removed_turtles > 15, "{planned}");
    let done = leader.collect(false).await.unwrap();
    assert_eq!(
        (done.names.clone(), done.removed_bytes, done.pins),
        (planned.names.clone(), planned.removed_bytes, 1),
        "{done}"
    );
    assert!(leader.collect(false).await.unwrap().names.is_empty());
    assert!(read(&pinned, 5).await.starts_with("3-5-"));
    let inspection = Inspector::new(of_leader.clone()).all(true).run().await.unwrap();
    assert!(inspection.is_clean(), "{:?}", inspection.faults);
    assert_eq!(history.get(infos[2].sequence).await.unwrap_err().kind(), ErrorKind::NotFound);
    // Another process knows less of what the leader has in use, and removes nothing that it may need.
    let outside = Collector::new(of_leader.clone()).run().await.unwrap();
    assert_eq!(outside.removed_objects, 0, "{outside}");
    pinned.close().await;
    put(&leader, 1, "more").await;
    leader.checkpoint(CheckpointRequest::default()).await.unwrap();
    assert!(leader.collect(false).await.unwrap().removed_objects > 0);
    assert!(Inspector::new(of_leader).all(true).run().await.unwrap().is_clean());
}
