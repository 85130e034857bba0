//! Twenty seconds of trouble (more, where it takes longer until each has met some) between WiredTiger and its bucket, during flushes and reads: no panic, no row lost or wrong.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use plastron_localstack::{Fault, FaultProxy, Match, Point, Rule, Server};

use crate::backend::{runtime, serve, settings_at};
use crate::python::{scenario, text};

const TROUBLE: Duration = Duration::from_secs(20);
const AT_PEACE: Duration = Duration::from_secs(3);
/// So often does trouble strike each at the least, however slow this machine is: it is waited for.
const LEAST_STRUCK: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(300);

fn busy() -> Vec<Rule> {
    vec![Rule::new(Fault::Status { code: 503, retry_after_s: None, point: Point::Before })]
}

fn resets() -> Vec<Rule> {
    let reset = |point| Rule::new(Fault::Reset { point }).probability(0.3);
    vec![reset(Point::Before), reset(Point::After)]
}

fn lost_acknowledgements() -> Vec<Rule> {
    vec![Rule::new(Fault::LostAcknowledgement).probability(0.5)]
}

fn corruption() -> Vec<Rule> {
    vec![
        Rule::new(Fault::CorruptResponse { at: None }).when(Match::method("GET")).probability(0.4),
        Rule::new(Fault::CorruptRequest { at: None }).when(Match::method("PUT")).probability(0.4),
        Rule::new(Fault::TruncateResponse { at: 1000, silent: false }).when(Match::method("GET")).probability(0.2),
    ]
}

/// All of it, one after the other and at once.
fn everything() -> Vec<Rule> {
    let mut rules = corruption();
    rules.extend(lost_acknowledgements().into_iter().map(|rule| rule.probability(0.15)));
    rules.extend(resets().into_iter().map(|rule| rule.probability(0.1)));
    rules.extend(busy().into_iter().map(|rule| rule.probability(0.4)));
    rules
}

/// A database at work behind a proxy of its own.
struct Patient {
    name: &'static str,
    proxy: FaultProxy,
    rules: Vec<Rule>,
    child: Child,
    home: tempfile::TempDir,
}

#[test]
fn twenty_seconds_of_trouble() {
    let runtime = runtime();
    let cases = [
        ("503 on S3", Server::SeaweedFs, busy()),
        ("resets on S3", Server::SeaweedFs, resets()),
        ("lost acknowledgements on S3", Server::SeaweedFs, lost_acknowledgements()),
        ("corruption on S3", Server::SeaweedFs, corruption()),
        ("everything on Azure", Server::Azurite, everything()),
        ("everything on GCS", Server::Gcs, everything()),
    ];
    // All at once: they wait most of the time.
    let mut patients: Vec<Patient> = cases
        .into_iter()
        .map(|(name, server, rules)| {
            let found = serve(server).unwrap();
            let proxy = runtime.block_on(FaultProxy::before(&found.url).seed(11).start()).unwrap();
            // A small cache, so that reads go to the bucket.
            let settings = settings_at(&found, &proxy.url()).with("retry=(deadline=15min),cache=(size=0,memory=2MB)");
            let home = tempfile::tempdir().unwrap();
            let child = scenario("through_trouble", &home.path().join("home"), &settings)
                .env("PREFIX", format!("trouble-{}-{}", std::process::id(), name.replace(' ', "-")))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            Patient { name, proxy, rules, child, home }
        })
        .collect();
    for patient in &mut patients {
        // One byte at a time would do; the line is short.
        let mut line = String::new();
        let stdout = patient.child.stdout.as_mut().unwrap();
        BufReader::with_capacity(1, stdout).read_line(&mut line).unwrap();
        if line != "at work\n" {
            let said = said(patient);
            panic!("{}: {said}", patient.name);
        }
    }
    // They are at work before it begins, and when it is over.
    std::thread::sleep(AT_PEACE);
    for patient in &mut patients {
        for rule in patient.rules.drain(..) {
            patient.proxy.add_rule(rule);
        }
    }
    let began = Instant::now();
    std::thread::sleep(TROUBLE);
    for patient in &patients {
        while patient.proxy.faults().values().sum::<u64>() < LEAST_STRUCK && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    for patient in &patients {
        patient.proxy.clear_rules();
    }
    std::thread::sleep(AT_PEACE);
    for patient in &mut patients {
        if patient.child.try_wait().unwrap().is_some() {
            let said = said(patient);
            panic!("{}: it ended: {said}", patient.name);
        }
        // The end of its input tells it to come to its end.
        drop(patient.child.stdin.take());
    }
    for patient in patients {
        let struck: u64 = patient.proxy.faults().values().sum();
        assert!(struck >= LEAST_STRUCK, "{}: only {:?}", patient.name, patient.proxy.faults());
        let output = patient.child.wait_with_output().unwrap();
        assert!(output.status.success(), "{} ({:?}): {}", patient.name, patient.proxy.faults(), text(&output));
        drop(patient.home);
    }
}

fn said(patient: &mut Patient) -> String {
    use std::io::Read;
    patient.child.kill().unwrap();
    let mut text = String::new();
    patient.child.stderr.as_mut().unwrap().read_to_string(&mut text).unwrap();
    text
}
