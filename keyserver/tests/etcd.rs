//! The log on real etcd: the suite of all logs is in `support/log_suite.rs`, and here is what only this one has.
#![cfg(feature = "etcd")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

#[path = "support/log_suite.rs"]
mod log_suite;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use log_suite::{read, suite};
use plastron_ickpt::etcd::{EtcdClient, EtcdClientOptions, encode_etcd, etcd_number};
use plastron_keyserver::ErrorKind;
use plastron_keyserver::log::{EtcdLog, EtcdLogOptions, ReplicatedLog};
use plastron_localstack::{Server, endpoint};
use plastron_sources::clock::{Clock as _, Entropy as _, SystemClock, SystemEntropy};
use serde_json::json;

/// The options of one replica's end of a new log; the first endpoint is one where nobody is.
async fn options() -> EtcdLogOptions {
    let mut endpoints = vec!["http://127.0.0.1:1".to_owned()];
    endpoints.extend(endpoint(Server::Etcd).await.unwrap().other_urls);
    let prefix = format!("keyserver-test/{:016x}", SystemEntropy::default().next_u64());
    let mut client = EtcdClientOptions::new(endpoints);
    // Longer than an etcd is held up on a machine that is busy with others.
    client.timeout = Duration::from_secs(120);
    let mut options = EtcdLogOptions::new(client, prefix, "one");
    options.lease = Duration::from_secs(1);
    options.idle = Duration::from_millis(500);
    options.report_every = 1;
    options
}

fn named(options: &EtcdLogOptions, replica: &str) -> EtcdLog {
    let mut options = options.clone();
    options.replica = replica.to_owned();
    EtcdLog::open(options).unwrap()
}

async fn pause() {
    SystemClock.sleep(Duration::from_millis(20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn etcd_passes_the_suite_and_goes_on_after_a_restart() {
    let options = options().await;
    suite(Arc::new(named(&options, "one"))).await;
    let log = named(&options, "one");
    assert_eq!(log.wait_committed(0, 10).await.unwrap_err().kind(), ErrorKind::NotFound);
    log.truncate(1).await.unwrap();
    // A place that this etcd has not reached yet: it was restored, or is another.
    assert_eq!(log.wait_committed(1 << 60, 10).await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_compacted_is_read_instead_of_watched() {
    let options = options().await;
    let log = named(&options, "one");
    for number in 0..150_u32 {
        log.propose(Bytes::from(number.to_be_bytes().to_vec())).await.unwrap();
    }
    let watched = read(&log, 0, 150, 40).await;
    let client = EtcdClient::open(&options.client).unwrap();
    let all = json!({ "key": encode_etcd("nothing") });
    let now = client.ask("/v3/kv/range", &all, 1 << 16).await.unwrap();
    let revision = etcd_number(&now["header"], "revision").unwrap();
    // Others on this etcd may have compacted it further.
    let _ =
        client.ask("/v3/kv/compaction", &json!({ "revision": revision.to_string(), "physical": true }), 1 << 16).await;
    let other = named(&options, "two");
    assert_eq!(read(&other, 0, 150, 40).await, watched);
    assert_eq!(read(&other, watched[70].index, 79, 1000).await, watched[71..]);
    // Both go on from the end, by a watch again.
    let last = watched[149].index;
    let waiting = tokio::spawn(async move { other.wait_committed(last, 10).await.unwrap() });
    log.propose(Bytes::from_static(b"next")).await.unwrap();
    assert_eq!(waiting.await.unwrap(), log.wait_committed(last, 10).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_truncated_below_what_all_have_applied_and_not_before() {
    let mut options = options().await;
    options.members = ["one", "two", "three"].map(str::to_owned).to_vec();
    let (one, two) = (named(&options, "one"), named(&options, "two"));
    for number in 0..30_u32 {
        one.propose(Bytes::from(number.to_be_bytes().to_vec())).await.unwrap();
    }
    let all = read(&one, 0, 30, 100).await;
    let at = |number: usize| all[number].index;
    assert_eq!(read(&two, 0, 30, 100).await, all);
    one.applied(at(29));
    two.applied(at(20));
    let reported = |progress: &[(String, u64)]| {
        progress.contains(&("one".to_owned(), at(29))) && progress.contains(&("two".to_owned(), at(20)))
    };
    while !reported(&one.progress().await.unwrap()) {
        pause().await;
    }
    // The third has never been heard of, and all is kept for it.
    let three = named(&options, "three");
    assert_eq!(read(&three, 0, 30, 100).await, all);
    // One that nobody has named, and that has come all the same, is waited for, too.
    let four = named(&options, "four");
    assert_eq!(four.wait_committed(at(4), 1).await.unwrap(), all[5..6]);
    three.applied(at(10));
    while one.progress().await.unwrap().iter().all(|(_, applied)| *applied != at(10)) {
        pause().await;
    }
    // Progress is what makes them look again.
    let mut last = at(29);
    let mut go_on = async |log: &EtcdLog| {
        last += 1;
        log.applied(last);
        pause().await;
    };
    loop {
        match one.wait_committed(at(3), 1).await {
            Ok(entries) => assert_eq!(entries, all[4..5]),
            Err(error) => break assert_eq!(error.kind(), ErrorKind::NotFound),
        }
        go_on(&one).await;
    }
    assert_eq!(one.wait_committed(at(4), 1).await.unwrap(), all[5..6]);
    // Until it has left.
    drop(four);
    one.retire("four").await.unwrap();
    loop {
        match one.wait_committed(at(9), 1).await {
            Ok(entries) => assert_eq!(entries, all[10..11]),
            Err(error) => break assert_eq!(error.kind(), ErrorKind::NotFound),
        }
        go_on(&one).await;
    }
    assert_eq!(one.wait_committed(at(10), 1).await.unwrap(), all[11..12]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_leads_and_another_when_it_is_gone() {
    let options = options().await;
    let mut logs: Vec<EtcdLog> = ["one", "two", "three"].iter().map(|name| named(&options, name)).collect();
    while !logs.is_empty() {
        let leader = loop {
            if let Some(leader) = logs.iter().position(ReplicatedLog::leads) {
                break leader;
            }
            pause().await;
        };
        drop(logs.remove(leader));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_writes_is_garbage_for_all_alike() {
    let options = options().await;
    let (one, two) = (named(&options, "one"), named(&options, "two"));
    let client = EtcdClient::open(&options.client).unwrap();
    one.propose(Bytes::from_static(b"first")).await.unwrap();
    let first = one.wait_committed(0, 1).await.unwrap();
    for (key, value) in [("entry/mine", "garbage"), ("entry/short", ""), ("elsewhere", "garbage")] {
        let key = format!("{}/{key}", options.prefix);
        client
            .ask("/v3/kv/put", &json!({ "key": encode_etcd(key), "value": encode_etcd(value) }), 1 << 16)
            .await
            .unwrap();
    }
    one.propose(Bytes::from_static(b"last")).await.unwrap();
    let found = read(&one, first[0].index, 3, 1).await;
    assert_eq!(found.iter().map(|entry| &entry.entry[..]).collect::<Vec<_>>(), [&b""[..], b"", b"last"]);
    assert_eq!(read(&two, first[0].index, 3, 10).await, found);
}

#[tokio::test]
async fn options_that_cannot_be_are_refused() {
    let client = |endpoints: &[&str]| EtcdClientOptions::new(endpoints.iter().map(|&text| text.to_owned()).collect());
    for (options, why) in [
        (EtcdLogOptions::new(client(&[]), "a", "one"), "there must be an endpoint"),
        (EtcdLogOptions::new(client(&["127.0.0.1"]), "a", "one"), "can't be used"),
        (EtcdLogOptions::new(client(&["http://127.0.0.1:1"]), "a/", "one"), "without a slash at the end"),
        (EtcdLogOptions::new(client(&["http://127.0.0.1:1"]), "a", "one/two"), "is not 1 to 64"),
    ] {
        let error = EtcdLog::open(options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(why), "{error}");
    }
    // Nobody there: an error with the reason, and no wait without end.
    let log = EtcdLog::open(EtcdLogOptions::new(client(&["http://127.0.0.1:1"]), "a", "one")).unwrap();
    let error = log.propose(Bytes::new()).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("http://127.0.0.1:1"), "{error}");
    assert!(!log.leads());
}
