//! What single operations take: the limits that no arrangement of them gets below.

use std::hint::black_box;

use plastron_keyserver::vrf::VrfSecret;
use plastron_keyserver::{PublicKey, check_change};

use crate::Failure;
use crate::cpu::{median, timed};
use crate::ours::{first_update, key, realm};
use crate::rounds::Results;

const ROUNDS: usize = 9;
const EACH: usize = 500;

/// Microseconds of processor time, the median of rounds.
fn each<T>(mut work: impl FnMut(usize) -> T) -> f64 {
    let round = |_| {
        let ((), time) = timed(|| (0..EACH).for_each(|number| drop(black_box(work(number)))));
        time / EACH as f64 * 1e6
    };
    median((0..ROUNDS).map(round).collect())
}

pub(crate) fn run() -> Result<Results, Failure> {
    let secret = VrfSecret::from_random(&[5; 64])?;
    let realm = realm(1, &secret, 1_800_000_000_000)?;
    let names: Vec<String> = (0..EACH).map(|number| format!("node/cluster/{number}")).collect();
    let name = |number: usize| names.get(number).map_or("", String::as_str);
    let proofs: Vec<_> = names.iter().map(|name| secret.prove(name).1).collect();
    let public = secret.public();
    let update = first_update(&realm, secret.index("node/a"), "node/a")?;
    let id = realm.id();
    let spelled = *key(7).public().as_bytes();
    Ok(vec![
        ("index of a name, microseconds", each(|number| secret.index(name(number)))),
        ("index with its proof, microseconds", each(|number| secret.prove(name(number)))),
        ("proof checked, microseconds", each(|number| public.verify(name(number), proofs.get(number)?))),
        (
            "two signatures checked, microseconds",
            each(|_| check_change(&id, &realm.policy.operators, None, &update.signed)),
        ),
        ("public key read, microseconds", each(|_| PublicKey::from_bytes(spelled).is_ok())),
    ])
}
