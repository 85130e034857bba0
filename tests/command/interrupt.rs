//! Ctrl-C, and readers that go away.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use crate::run::{Done, Place, bytes, tree};

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill {signal} {}", child.id())]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn an_interrupted_put_leaves_nothing() {
    for (name, number) in [("-INT", "SIGINT"), ("-TERM", "SIGTERM")] {
        let place = Place::new();
        let mut child = place.command(&["--json", "put", "-", "--as", "half"]).stdin(Stdio::piped()).spawn().unwrap();
        // More than one part, so that an upload is under way, and no end of input.
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&bytes(20 << 20)).unwrap();
        signal(&child, name);
        let done = Done::from(child.wait_with_output().unwrap());
        drop(stdin);
        assert_eq!(done.code, 130, "{number}: {done:?}");
        assert_eq!(done.complaints().pop().unwrap()["error"]["kind"], "interrupted", "{done:?}");
        assert!(tree(&place.path("bucket")).is_empty(), "nor is anything hidden");
        place.write("half", "whole");
        place.ok(&["put", "half"]);
    }
}

#[test]
fn an_interrupted_directory_leaves_whole_files_only() {
    let content = bytes(12 << 20);
    // The signal may come when all of them are stored, if this process is held up: then it is tried again.
    for _ in 0..20 {
        let place = Place::new();
        for name in 0..24 {
            place.write(&format!("data/{name:02}"), &content);
        }
        let mut child = place.command(&["put", "data"]).spawn().unwrap();
        // The first line says that one is stored; others are under way.
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        signal(&child, "-INT");
        let done = Done::from(child.wait_with_output().unwrap());
        let stored = tree(&place.path("bucket"));
        assert!(line.starts_with("stored ") && !stored.is_empty(), "{line} {done:?}");
        for (name, found) in &stored {
            assert!(name.len() == 2 && *found == content, "{name}");
        }
        if stored.len() == 24 {
            assert!(matches!(done.code, 0 | 130), "{done:?}");
            continue;
        }
        assert_eq!(done.code, 130, "{done:?}");
        place.ok(&["put", "data", "--skip-existing"]);
        assert_eq!(place.names().len(), 24);
        return;
    }
    panic!("all files were stored before the signal, 20 times");
}

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let place = Place::new();
    place.write("a", bytes(30 << 20));
    place.ok(&["put", "a"]);
    let mut child = place.command(&["cat", "a"]).spawn().unwrap();
    let mut first = [0; 10];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let done = Done::from(child.wait_with_output().unwrap());
    assert_eq!((done.code, done.stderr.as_str()), (141, ""), "{done:?}");
}

#[test]
fn standard_output_is_written_as_it_comes() {
    let place = Place::new();
    let content = bytes(10 << 20);
    place.write("a", &content);
    place.ok(&["put", "a"]);
    let mut child = place.command(&["cat", "a"]).spawn().unwrap();
    let mut reader = BufReader::with_capacity(1000, child.stdout.take().unwrap());
    let mut seen = Vec::new();
    while !reader.fill_buf().unwrap().is_empty() {
        seen.extend_from_slice(reader.buffer());
        let length = reader.buffer().len();
        reader.consume(length);
    }
    assert!(child.wait().unwrap().success() && seen == content);
}
