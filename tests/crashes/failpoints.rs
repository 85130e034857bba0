//! A leader dies at every failpoint.

use std::os::unix::process::ExitStatusExt;

use plastron_sources::failpoint::Failpoint;

use crate::scene::Scene;

/// After so many cycles a leader has come to every failpoint, over and over.
const CYCLES: u64 = 60;
/// How often a leader dies at each, unless it is said otherwise: the first time that it comes there, and once at a later time.
const TIMES: u64 = 2;
/// The latest time that is drawn.
const LATEST: u64 = 7;

/// Whether a leader comes there once in its life only.
fn is_once(point: Failpoint) -> bool {
    matches!(point, Failpoint::TakeoverBefore | Failpoint::TakeoverAfter)
}

/// Dies everywhere, and looks after each death at what is left.
pub(crate) async fn die_everywhere() {
    let times = std::env::var("PLASTRON_ROUNDS").map_or(TIMES, |text| text.parse::<u64>().unwrap().clamp(1, 20));
    let mut scene = Scene::prepare(None).await.unwrap();
    let mut first = scene.leader(None, 4);
    assert!(first.end().success());
    scene.hear(&mut first);
    for point in Failpoint::ALL.iter().copied() {
        for time in 1..=if is_once(point) { 1 } else { times } {
            let count = match time {
                1 => 1,
                _ if times == TIMES => 2 + scene.dice.below(LATEST - 1),
                later => later,
            };
            let when = format!("at {point}, time {count}");
            let mut leader = scene.leader(Some(&format!("{point}:{count}")), CYCLES);
            let ended = leader.end();
            scene.hear(&mut leader);
            assert_eq!(ended.signal(), Some(6), "a leader was to die {when}, and did not get there: {ended}");
            scene.judge(&format!("after a death {when}")).await;
        }
    }
    let tally = scene.finish().await;
    println!("{tally:?}");
    assert!(tally.collected > 0 && tally.unacknowledged > 0 && tally.seen > 0, "{tally:?}");
}
