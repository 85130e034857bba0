//! One suite of databases, over each registry.

use std::time::Duration;

use plastron::ErrorKind;
use plastron::checkpoint::{CheckpointInfo, CheckpointRequest, Collector, Follower, Inspector, Leader};
use plastron::page_log::{Lsn, PutArgs};

use crate::ground::Ground;

/// Longer than any machine takes; nothing here depends on it.
const LONGEST: Duration = Duration::from_secs(300);

async fn put(leader: &Leader, page: u64, text: &str) {
    leader.table(7).unwrap().put(page, PutArgs::full(), text.to_owned()).await.unwrap();
}

async fn complete(leader: &Leader) -> CheckpointInfo {
    leader.checkpoint(CheckpointRequest::default()).await.unwrap().0
}

async fn read(follower: &Follower, page: u64) -> String {
    let chain = follower.table(7).unwrap().get(page, Lsn::MAX).await.unwrap();
    String::from_utf8(chain.records[0].bytes.to_vec()).unwrap()
}

async fn is_clean(ground: &Ground, prefix: &str) {
    let volume = ground.open(prefix).await.volume().await.unwrap();
    let found = Inspector::new(volume).all(true).run().await.unwrap();
    assert!(found.is_clean(), "{}: {:?}", ground.name, found.faults);
}

async fn a_follower_picks_up_what_a_leader_completes(ground: Ground) {
    let nothing = ground.open("").await.follower().await.unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::NotFound, "{nothing}");
    let leader = ground.open("").await.leader().await.unwrap();
    put(&leader, 1, "a").await;
    complete(&leader).await;
    let follower = ground.open("").await.follower().await.unwrap();
    assert_eq!(read(&follower, 1).await, "a");
    for text in ["b", "c"] {
        put(&leader, 1, text).await;
        let info = complete(&leader).await;
        assert_eq!(follower.wait_for(info.lsn, LONGEST).await.unwrap(), info);
        assert_eq!(read(&follower, 1).await, text);
    }
    is_clean(&ground, "").await;
}

async fn a_takeover_fences_the_leader_before_it(ground: Ground) {
    let first = ground.open("").await.leader().await.unwrap();
    put(&first, 1, "kept").await;
    complete(&first).await;
    put(&first, 1, "lost").await;
    let second = ground.open("").await.leader().await.unwrap();
    assert!(first.is_fenced().await.unwrap());
    for _ in 0..2 {
        let fenced = first.checkpoint(CheckpointRequest::default()).await.unwrap_err();
        assert_eq!(fenced.kind(), ErrorKind::Fenced, "{fenced}");
    }
    let chain = second.table(7).unwrap().get(1, Lsn::MAX).await.unwrap();
    assert_eq!(&chain.records[0].bytes[..], b"kept");
    put(&second, 1, "new").await;
    complete(&second).await;
    // A follower that steps up is a leader as any other.
    let follower = ground.open("").await.follower().await.unwrap();
    assert_eq!(read(&follower, 1).await, "new");
    let third = follower.step_up().await.unwrap();
    assert_eq!((first.epoch().await, second.epoch().await, third.epoch().await), (1, 2, 3));
    let fenced = second.checkpoint(CheckpointRequest::default()).await.unwrap_err();
    assert_eq!(fenced.kind(), ErrorKind::Fenced, "{fenced}");
    put(&third, 2, "third").await;
    complete(&third).await;
    is_clean(&ground, "").await;
}

async fn history_is_listed_restored_and_cloned(ground: Ground) {
    let leader = ground.open("").await.leader().await.unwrap();
    let mut infos = Vec::new();
    for text in ["a", "b", "c"] {
        put(&leader, 1, text).await;
        infos.push(complete(&leader).await);
    }
    let history = ground.open("").await.history().await.unwrap();
    assert_eq!(history.list().await.unwrap(), infos);
    assert_eq!(history.at_or_below(infos[1].lsn).await.unwrap(), infos[1]);
    let old = history.open(infos[0].sequence).await.unwrap();
    assert_eq!(read(&old, 1).await, "a");
    // A clone and its origin go their own ways.
    history.clone_to(infos[1].sequence, "branch/").await.unwrap();
    let again = history.clone_to(infos[1].sequence, "branch/").await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists, "{again}");
    let clone = ground.open("branch/").await.leader().await.unwrap();
    assert_eq!(&clone.table(7).unwrap().get(1, Lsn::MAX).await.unwrap().records[0].bytes[..], b"b");
    put(&clone, 2, "cloned").await;
    complete(&clone).await;
    let follower = ground.open("branch/").await.follower().await.unwrap();
    assert_eq!((read(&follower, 1).await, read(&follower, 2).await), ("b".to_owned(), "cloned".to_owned()));
    is_clean(&ground, "branch/").await;
    let grand = ground.open("branch/").await.history().await.unwrap();
    let newest = grand.at_or_below(Lsn::MAX).await.unwrap();
    grand.clone_to(newest.sequence, "twig/").await.unwrap();
    let twig = ground.open("twig/").await.follower().await.unwrap();
    assert_eq!((read(&twig, 1).await, read(&twig, 2).await), ("b".to_owned(), "cloned".to_owned()));
    // Back to the first.
    let restored = history.restore(infos[0].sequence).await.unwrap();
    assert_eq!(restored.lsn, infos[0].lsn);
    let fenced = leader.checkpoint(CheckpointRequest::default()).await.unwrap_err();
    assert_eq!(fenced.kind(), ErrorKind::Fenced, "{fenced}");
    let follower = ground.open("").await.follower().await.unwrap();
    assert_eq!(read(&follower, 1).await, "a");
    assert_eq!(history.release_clone("branch/").await.unwrap(), 1);
}

async fn garbage_goes_and_what_is_reached_or_pinned_stays(ground: Ground) {
    let text = ground.text("", ",retention=(checkpoints=1,time=0s,window=0s)");
    let open = async || plastron::Store::open(&text).await.unwrap();
    let leader = open().await.leader().await.unwrap();
    put(&leader, 1, "pinned").await;
    let first = complete(&leader).await;
    let pinning = open().await.history().await.unwrap().open(first.sequence).await.unwrap();
    for round in 0..12 {
        put(&leader, 1, &format!("round {round}")).await;
        complete(&leader).await;
    }
    // What a leader leaves behind that is gone.
    let second = open().await.leader().await.unwrap();
    for round in 0..3 {
        put(&second, 1, &format!("of the second {round}")).await;
        complete(&second).await;
    }
    second.log().merge_indexes().await.unwrap();
    let last = complete(&second).await;
    let volume = open().await.volume().await.unwrap();
    let dry = Collector::new(volume.clone()).dry_run(true).run().await.unwrap();
    let report = Collector::new(volume.clone()).run().await.unwrap();
    assert_eq!(
        (dry.removed_turtles, dry.removed_objects),
        (report.removed_turtles, report.removed_objects),
        "{report}"
    );
    // Two takeovers, 17 checkpoints; the newest stays.
    assert_eq!(report.removed_turtles, 18, "{report}");
    assert_eq!(read(&pinning, 1).await, "pinned");
    let left = open().await.history().await.unwrap().list().await.unwrap();
    assert_eq!(left, std::slice::from_ref(&last));
    pinning.close().await;
    let report = Collector::new(volume.clone()).run().await.unwrap();
    assert_eq!(report.removed_turtles, 0, "{report}");
    let follower = open().await.follower().await.unwrap();
    assert_eq!(read(&follower, 1).await, "of the second 2");
    follower.close().await;
    is_clean(&ground, "").await;
    put(&second, 1, "on and on").await;
    complete(&second).await;
}

macro_rules! databases {
    ($($test:ident),*) => {
        mod bucket {
            use super::Ground;
            $(#[tokio::test]
            async fn $test() {
                super::$test(Ground::bucket()).await;
            })*
        }
        mod ickpt {
            use super::Ground;
            $(#[tokio::test]
            async fn $test() {
                super::$test(Ground::ickpt().await).await;
            })*
        }
        mod etcd {
            use super::Ground;
            $(#[tokio::test]
            async fn $test() {
                super::$test(Ground::etcd().await).await;
            })*
        }
    };
}

databases!(
    a_follower_picks_up_what_a_leader_completes,
    a_takeover_fences_the_leader_before_it,
    history_is_listed_restored_and_cloned,
    garbage_goes_and_what_is_reached_or_pinned_stays
);
