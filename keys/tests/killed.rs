//! A process that rotates keys is killed at any moment: the keyring opens, and every key that was acknowledged is in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use plastron_keys::KeyEnvironment;
use support::{Machine, checkpoint, try_open};

const ROUNDS: u64 = 40;
/// Set for the process that is to be killed: the configuration it opens.
const VICTIM: &str = "PLASTRON_TEST_VICTIM";

/// By itself: a few rotations, counted. As the victim: rotations until it is killed, each said once it is acknowledged.
#[tokio::test]
async fn rotates() {
    let machine = Machine::new();
    let victim = std::env::var(VICTIM).ok();
    let section = victim.clone().unwrap_or_else(|| machine.section(&machine.key_file()));
    let keys = try_open(&section, &KeyEnvironment::default()).unwrap();
    if victim.is_none() {
        checkpoint(&keys, 1).await;
    }
    let before = keys.show().await.unwrap().len();
    for rotated in 1.. {
        keys.rotate().await.unwrap();
        let known = keys.show().await.unwrap().len();
        assert_eq!(known, before + rotated);
        if victim.is_some() {
            println!("\nacknowledged {known}");
            std::io::stdout().flush().unwrap();
        } else if rotated == 3 {
            return;
        }
    }
}

#[tokio::test]
async fn a_killed_process_leaves_a_keyring_that_opens() {
    let machine = Machine::new();
    let blob = checkpoint(&machine.open(), 1).await;
    for round in 0..ROUNDS {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "rotates", "--nocapture"])
            .env(VICTIM, machine.section(&machine.key_file()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut number = || said.find_map(|line| line.strip_prefix("acknowledged ")?.parse::<usize>().ok());
        let mut acknowledged = number().expect("a first rotation");
        // Anywhere in the next few.
        std::thread::sleep(Duration::from_micros(round * 997 % 10_000));
        victim.kill().unwrap();
        victim.wait().unwrap();
        while let Some(later) = number() {
            acknowledged = later;
        }
        let keys = machine.open();
        let known = keys.show().await.unwrap().len();
        assert!((acknowledged..=acknowledged + 1).contains(&known), "round {round}: {known} of {acknowledged} keys");
        keys.load_key_blob(blob.clone()).await.unwrap();
    }
}
