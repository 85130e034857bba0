//! Leaders and followers in processes of their own, which die: a leader at every named failpoint, and leaders and followers at any moment, on a
//! directory and on every server. After each death everything is held against a plain model (`plot.rs`): what was acknowledged is
//! there, what was not is absent or whole, followers saw complete checkpoints of one history and nothing else, the keys of the last checkpoint
//! are in force, an inspection finds nothing wrong, and collections removed garbage only.
//!
//! `PLASTRON_ROUNDS=100 cargo test --test crashes` dies so often on each back end, and 20 times at each failpoint; a failure names its seed, and
//! `PLASTRON_TEST_SEED` sets it. (The seed fixes what is written and when it is killed, not how the processes run beside each other.)

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expects by failing"
)]
#![allow(clippy::print_stdout, reason = "seeds, what is not run, and what a process has to say")]

mod engine;
mod failpoints;
mod kills;
mod player;
mod plot;
mod role;
mod scene;

use std::collections::BTreeMap;

use plastron_localstack::Server;
use plastron_sources::failpoint::Failpoint;

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test);
}

/// What the processes that are started run; by itself, a rehearsal.
#[test]
fn plays_a_part() {
    run(async {
        match role::Part::of_this_process() {
            Some((role, part)) => part.play(&role).await,
            None => role::rehearse().await,
        }
    });
}

#[test]
fn dies_at_every_failpoint() {
    run(failpoints::die_everywhere());
}

#[test]
fn every_failpoint_is_told_of() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/src/operations/crash-points.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let told: BTreeMap<&str, &str> =
        rows.map(|(name, rest)| (name, rest.split(" | ").next().unwrap().trim_end_matches(" |"))).collect();
    let known: BTreeMap<&str, &str> = Failpoint::ALL.iter().map(|point| (point.name(), point.when())).collect();
    assert_eq!(told, known);
}

/// Makes a test for each back end.
macro_rules! killed_on {
    ($($name:ident: $server:expr;)*) => {$(
        #[test]
        fn $name() {
            run(kills::kill_at_any_moment($server));
        }
    )*};
}

killed_on! {
    dir: None;
    seaweedfs: Some(Server::SeaweedFs);
    moto: Some(Server::Moto);
    azurite: Some(Server::Azurite);
    gcs: Some(Server::Gcs);
}
