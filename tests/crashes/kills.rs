//! Leaders and followers are killed at any moment, and leaders stalled, on every back end.

use std::time::Duration;

use plastron::clock::{Clock, SystemClock};
use plastron_localstack::Server;

use crate::player::Player;
use crate::scene::Scene;

/// Rounds, unless it is said otherwise: a round on a server takes about a second.
const ROUNDS_ON_DIR: u64 = 12;
const ROUNDS_ON_SERVERS: u64 = 5;

/// Plays so many rounds, each of which ends with the death of a leader.
pub(crate) async fn kill_at_any_moment(server: Option<Server>) {
    let usual = if server.is_none() { ROUNDS_ON_DIR } else { ROUNDS_ON_SERVERS };
    let rounds = std::env::var("PLASTRON_ROUNDS").map_or(usual, |text| text.parse().unwrap());
    let Some(mut scene) = Scene::prepare(server).await else { return };
    // How long it takes here to begin, and to complete some checkpoints.
    let begun = SystemClock.monotonic();
    let mut first = scene.leader(None, 4);
    assert!(first.end().success());
    scene.hear(&mut first);
    let span = SystemClock.monotonic() - begun;
    let mut stalls = 0;
    for round in 1..=rounds {
        let mut leader = scene.leader_elsewhere();
        // Some die while they take over; others have done something for certain.
        if round % 3 > 0 {
            assert!(leader.wait_for("done", 1), "round {round}: it has ended: {:?}", leader.all());
        }
        pause(&mut scene, span).await;
        if round % 5 == 0 {
            scene.replace_follower();
        }
        if round % 4 == 2 {
            stalls += 1;
            leader = stall(&mut scene, leader, span).await;
        }
        leader.kill();
        scene.hear(&mut leader);
        if round % 3 == 1 {
            scene.collect().await;
        }
        scene.judge(&format!("after the kill of round {round} of {rounds}")).await;
    }
    let tally = scene.finish().await;
    println!("{server:?}, {rounds} rounds, {stalls} stalls: {tally:?}");
    assert_eq!(tally.fenced, stalls, "whoever was stalled is fenced: {tally:?}");
    assert!(tally.acknowledged as u64 > rounds / 2 && tally.seen > 0 && tally.collected > 0, "{tally:?}");
}

/// Waits for some part of `span`.
async fn pause(scene: &mut Scene, span: Duration) {
    let part = scene.dice.below(1000) as u32;
    SystemClock.sleep(span * part / 1000).await;
}

/// Stops `leader` where it is, lets another go on and collect, and then lets `leader` find out. Returns the other.
async fn stall(scene: &mut Scene, mut leader: Player, span: Duration) -> Player {
    // One that has not taken over yet would overtake the other when it goes on.
    assert!(leader.wait_for("opened", 1), "a leader could not open: {:?}", leader.all());
    leader.stall();
    scene.hear(&mut leader);
    let other = scene.leader_elsewhere();
    assert!(other.wait_for("done", 2), "the successor of a leader that was stalled has ended: {:?}", other.all());
    if scene.dice.below(2) == 0 {
        assert!(other.wait_for("collected", 1), "the successor has ended: {:?}", other.all());
        scene.collect().await;
    }
    leader.resume();
    let ended = leader.end();
    scene.hear(&mut leader);
    assert!(ended.success(), "whoever was overtaken ends by itself: {ended}");
    pause(scene, span).await;
    other
}
