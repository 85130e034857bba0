//! Three replicas, each a process, on real etcd, by the commands of the documentation.
#![cfg(feature = "command")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

#[path = "support/process.rs"]
mod process;

use std::sync::Arc;
use std::time::Duration;

use plastron_keyserver::ErrorKind;
use plastron_keyserver::proto::{Message as _, StreamItem, StreamPosition};
use plastron_keyserver::transport::{HttpTransport, Transport as _};
use plastron_localstack::{Server, endpoint};
use plastron_sources::clock::{Clock as _, SystemClock};
use process::{free_address, run, start, text, until_done};

/// The bodies of all heads from the first epoch to `last`, as that replica has them.
async fn heads(address: &str, last: u64) -> Vec<Vec<u8>> {
    let replica = HttpTransport::new(address, Arc::new(SystemClock), Duration::from_secs(60));
    let (mut heads, mut at) = (Vec::new(), StreamPosition { epoch: 1, change: 0 });
    while heads.len() < last as usize {
        let page = match replica.stream(at).await {
            Ok(page) => page,
            Err(error) => {
                // It is coming up.
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                SystemClock.sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        for item in page.items {
            match item {
                StreamItem::Change(_) => at.change += 1,
                StreamItem::Head { head, .. } => {
                    heads.push(head.head.body());
                    at = StreamPosition { epoch: at.epoch + 1, change: 0 };
                }
            }
        }
    }
    heads.truncate(last as usize);
    heads
}

fn epoch_in(json: &str) -> u64 {
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    json["epoch"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_01_three_replicas_on_etcd_and_one_of_them_killed() {
    let etcd = endpoint(Server::Etcd).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let directory = &place.path().join("realm");
    let refused = run(directory, "init --replicas 3");
    assert!(!refused.status.success() && text(&refused).contains("--log etcd"), "{}", text(&refused));
    let refused = run(directory, "init --replicas 3 --log etcd");
    assert!(!refused.status.success() && text(&refused).contains("--endpoint"), "{}", text(&refused));
    let addresses = [free_address(), free_address(), free_address()];
    let given: String = addresses.iter().map(|address| format!(" --address {address}")).collect();
    let nodes: String = etcd.other_urls.iter().map(|url| format!(" --endpoint {url}")).collect();
    let made = run(directory, &format!("init --replicas 3 --log etcd{given}{nodes}"));
    assert!(made.status.success() && text(&made).contains("--replica replica-1, and so on"), "{}", text(&made));
    let serve = |number: usize| start(directory, &format!("serve --replica replica-{number} --min-epoch-ms 50"));
    let mut replicas = vec![serve(1), serve(2), serve(3)];
    let _verifier = start(directory, "verify");
    until_done(directory, "lookup node/a/1 --quorum replicas");
    for number in 1..=3 {
        let registered = run(directory, &format!("register node/a/{number} --key hpke=0{number}"));
        assert!(registered.status.success(), "{}", text(&registered));
    }
    assert!(until_done(directory, "lookup node/a/3").contains("hpke=03"));
    // Each in turn, whichever leads: it is killed, updates and lookups go on without it, and it comes back to the same heads.
    for number in 1..=3 {
        drop(replicas.remove(0));
        let updated = run(directory, &format!("update node/a/{number} --key hpke=1{number} --json"));
        assert!(updated.status.success(), "{}", text(&updated));
        let epoch = epoch_in(&text(&updated));
        assert!(until_done(directory, &format!("lookup node/a/{number}")).contains(&format!("hpke=1{number}")));
        replicas.push(serve(number));
        let [one, two, three] = &addresses;
        let first = heads(one, epoch).await;
        assert_eq!(first.len() as u64, epoch);
        assert_eq!(first, heads(two, epoch).await);
        assert_eq!(first, heads(three, epoch).await);
    }
    let history = text(&run(directory, "history node/a/2 --quorum replicas"));
    assert!(history.contains("2 entries") && !history.contains("NOT SIGNED"), "{history}");
    assert!(until_done(directory, "lookup node/a/4").contains("is not registered"));
}

/// The value of `field` in what `status` says of the replica at that address, once it answers.
fn status(directory: &std::path::Path, address: &str, field: &str) -> u64 {
    let status: serde_json::Value =
        serde_json::from_str(&until_done(directory, &format!("status --json --at {address}"))).unwrap();
    assert_eq!(status["failure"], serde_json::Value::Null);
    status[field].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_joins_from_a_snapshot_and_counts() {
    let etcd = endpoint(Server::Etcd).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let directory = &place.path().join("realm");
    let addresses: Vec<String> = (0..4).map(|_| free_address()).collect();
    let given: String = addresses[..3].iter().map(|address| format!(" --address {address}")).collect();
    let nodes: String = etcd.other_urls.iter().map(|url| format!(" --endpoint {url}")).collect();
    let made = run(directory, &format!("init --replicas 3 --log etcd{given}{nodes}"));
    assert!(made.status.success(), "{}", text(&made));
    let serve = |number: usize| start(directory, &format!("serve --replica replica-{number} --min-epoch-ms 50"));
    let (first, second, third) = (serve(1), serve(2), serve(3));
    until_done(directory, "lookup node/a/1 --quorum replicas");
    let registered = run(directory, "register node/a/1 --key hpke=01");
    assert!(registered.status.success(), "{}", text(&registered));
    // A replica that runs has its database to itself.
    let file = place.path().join("snapshot").display().to_string();
    let busy = run(directory, &format!("snapshot --replica replica-3 {file}"));
    assert!(!busy.status.success(), "{}", text(&busy));
    drop(third);
    let taken = run(directory, &format!("snapshot --replica replica-3 {file}"));
    assert!(taken.status.success() && text(&taken).contains("keep it safe"), "{}", text(&taken));
    let third = serve(3);
    let join = format!("join --replica replica-4 --address {} --like replica-1 --snapshot {file} --json", addresses[3]);
    let joined = run(directory, &join);
    assert!(joined.status.success(), "{}", text(&joined));
    let joined: serde_json::Value = serde_json::from_str(&text(&joined)).unwrap();
    let fourth = serve(4);
    until_done(directory, &format!("lookup node/a/1 --quorum replicas --at {}", addresses[3]));
    let key = joined["key"].as_str().unwrap();
    let changed = run(directory, &format!("policy --add-replica {key}"));
    assert!(changed.status.success() && text(&changed).contains("generation 1"), "{}", text(&changed));
    // Of four it takes three: with the first gone, nothing is ratified without the new one.
    drop(first);
    until_done(directory, "lookup node/a/1 --quorum replicas");
    let updated = run(directory, "update node/a/1 --key hpke=02 --json");
    assert!(updated.status.success(), "{}", text(&updated));
    let epoch = epoch_in(&text(&updated));
    assert_eq!(heads(&addresses[1], epoch).await, heads(&addresses[3], epoch).await);
    assert_eq!(status(directory, &addresses[3], "policy_generation"), 1);
    assert!(status(directory, &addresses[3], "signatures") >= 3);
    let twice = run(directory, &join);
    assert!(!twice.status.success() && text(&twice).contains("nothing is overwritten"), "{}", text(&twice));
    let retired = run(directory, "retire replica-9 --like replica-1");
    assert!(retired.status.success(), "{}", text(&retired));
    let member = run(directory, "retire replica-2 --like replica-1");
    assert!(!member.status.success() && text(&member).contains("take it out there first"), "{}", text(&member));
    drop((second, third, fourth));
}
