//! The `localstack` command, as a person or a script uses it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what it expects by failing")]
#![allow(clippy::panic, reason = "see above")]
#![allow(clippy::disallowed_methods, reason = "these tests wait for processes of the real machine")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// The command as started outside of any other: these tests may themselves run under `localstack run`.
fn localstack(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_localstack"));
    command.args(arguments);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PLASTRON_LOCALSTACK_") {
            command.env_remove(name);
        }
    }
    command
}

fn output(arguments: &[&str]) -> Output {
    localstack(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..9000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("not after 180 s: {what}");
}

fn kill(signal: &str, child: &Child) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

fn answers(url: &str) -> bool {
    TcpStream::connect(url.split('/').nth(2).unwrap()).is_ok()
}

/// Starts `localstack run moto` with a command that tells where moto and its data are, then waits.
fn run_moto() -> (Child, String, String) {
    let script = r#"echo "$PLASTRON_LOCALSTACK_MOTO_URL"; exec sleep 1000"#;
    let mut child = localstack(&["run", "moto", "--", "sh", "-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let url = url.trim().to_owned();
    assert!(answers(&url));
    let port = url.rsplit(':').next().unwrap().to_owned();
    (child, url, data_of_the_process_with(&format!("-p\0{port}\0")))
}

/// The working directory of the process whose command line contains `text`.
fn data_of_the_process_with(text: &str) -> String {
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(text) && line.starts_with(b"/") {
            return std::fs::read_link(entry.path().join("cwd")).unwrap().display().to_string();
        }
    }
    panic!("no process with {text:?}");
}

#[test]
fn run_tells_the_command_where_servers_are_and_exits_as_it_does() {
    let script = "echo $PLASTRON_LOCALSTACK_GCS_URL; echo $PLASTRON_LOCALSTACK_MOTO_URL; exit 7";
    let output = output(&["run", "gcs", "--", "sh", "-c", script]);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.starts_with("http://127.0.0.1:") && said.ends_with("\n\n"), "{said:?}");
    assert!(!answers(said.trim()));
    assert!(text(&output.stderr).contains("gcs          http://127.0.0.1:"), "{}", text(&output.stderr));
}

#[test]
fn inside_another_its_own_servers_are_seen_whole_and_the_others_stay() {
    let script = "echo $PLASTRON_LOCALSTACK_GCS_URL; echo $PLASTRON_LOCALSTACK_GCS_NOT_RUN$PLASTRON_LOCALSTACK_GCS_REGION; \
                  echo $PLASTRON_LOCALSTACK_MOTO_URL";
    let mut inner = localstack(&["run", "gcs", "--", "sh", "-c", script]);
    for (name, value) in
        [("GCS_URL", "http://outer"), ("GCS_NOT_RUN", "outer"), ("GCS_REGION", "outer"), ("MOTO_URL", "http://outer")]
    {
        inner.env(format!("PLASTRON_LOCALSTACK_{name}"), value);
    }
    let said = text(&inner.output().unwrap().stdout);
    assert!(said.starts_with("http://127.0.0.1:") && said.ends_with("\n\nhttp://outer\n"), "{said:?}");
}

#[test]
fn a_command_that_dies_by_a_signal() {
    assert_eq!(output(&["run", "gcs", "--", "sh", "-c", "kill -9 $$"]).status.code(), Some(128 + 9));
}

#[test]
fn a_command_that_is_not_there() {
    let output = output(&["run", "gcs", "--", "no-such-command"]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("no-such-command"), "{}", text(&output.stderr));
}

#[test]
fn names_are_checked() {
    let output = output(&["run", "nimbus", "--", "true"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("no server is called \"nimbus\"; there are seaweedfs, moto,"), "{said}");
}

#[test]
fn nothing_is_left_when_the_launcher_is_terminated() {
    let (mut child, url, data) = run_moto();
    kill("-TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
    assert!(!answers(&url) && !Path::new(&data).exists());
}

#[test]
fn nothing_is_left_when_the_launcher_is_killed() {
    let (mut child, url, data) = run_moto();
    assert!(Path::new(&data).exists());
    kill("-KILL", &child);
    child.wait().unwrap();
    eventually("the server ends", || !answers(&url));
    eventually("its data is removed", || !Path::new(&data).exists());
}

#[test]
fn up_status_down() {
    let name = format!("test-{}", std::process::id());
    let set = ["--name", name.as_str()];
    let with = |arguments: &[&str]| output(&[arguments, &set].concat());
    assert!(text(&with(&["status"]).stdout).contains("is not up"));

    let up = with(&["up", "gcs", "moto", "--json"]);
    assert!(up.status.success(), "{}", text(&up.stderr));
    let told: serde_json::Value = serde_json::from_slice(&up.stdout).unwrap();
    let url = told["servers"]["moto"]["url"].as_str().unwrap().to_owned();
    assert_eq!(told["environment"]["PLASTRON_LOCALSTACK_MOTO_URL"], url);
    assert!(answers(&url));

    // Asked again, it says the same; asked for more, it refuses.
    let again: serde_json::Value = serde_json::from_slice(&with(&["up", "moto", "--json"]).stdout).unwrap();
    assert_eq!(again, told);
    assert!(!with(&["up", "azurite"]).status.success());

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("env").display().to_string();
    assert!(with(&["up", "--env-file", &file]).status.success());
    let script = format!(". {file}; echo $PLASTRON_LOCALSTACK_MOTO_URL");
    let read = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(text(&read.stdout).trim(), url);

    let status = text(&with(&["status"]).stdout);
    assert!(status.contains(&format!("moto         answers         {url}")), "{status}");
    let down = with(&["down"]);
    assert!(down.status.success(), "{}", text(&down.stderr));
    assert!(!answers(&url));
    assert!(text(&with(&["status"]).stdout).contains("is not up"));
    assert!(with(&["down"]).status.success(), "nothing to stop is fine");
}

#[test]
fn list() {
    let said = text(&output(&["list", "--json"]).stdout);
    let names: Vec<String> = said
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 10);
    assert!(names.contains(&"seaweedfs".to_owned()));
}

#[test]
fn proxy() {
    let rules = tempfile::NamedTempFile::new().unwrap();
    let status = |code: u16| format!(r#"{{"rules":[{{"fault":{{"status":{{"code":{code}}}}}}}]}}"#);
    std::fs::write(rules.path(), status(503)).unwrap();
    let arguments = ["proxy", "--upstream", "http://127.0.0.1:9", "--rules", rules.path().to_str().unwrap()];
    let mut child = localstack(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let ask = || {
        let mut stream = TcpStream::connect(url.trim().strip_prefix("http://").unwrap()).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(ask(), "503");
    std::fs::write(rules.path(), status(429)).unwrap();
    kill("-HUP", &child);
    eventually("the new rules are in force", || ask() == "429");
    kill("-INT", &child);
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success());
    let said = text(&ended.stderr);
    assert!(said.contains(" requests, 0 bytes up, ") && said.contains("status"), "{said}");
}
