//! The command, run as people run it.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// A process, killed when it is dropped.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(directory: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plastron-keyserver"));
    command.args(arguments.split(' ')).arg("--directory").arg(directory).env_remove("PLASTRON_KEYSERVER_REALM");
    command
}

pub(crate) fn start(directory: &Path, arguments: &str) -> Running {
    Running(command(directory, arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

pub(crate) fn run(directory: &Path, arguments: &str) -> Output {
    command(directory, arguments).output().unwrap()
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + &String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs until it succeeds: a server takes a moment to come up.
pub(crate) fn until_done(directory: &Path, arguments: &str) -> String {
    let mut last = String::new();
    for _ in 0..600 {
        let output = run(directory, arguments);
        last = text(&output);
        if output.status.success() {
            return last;
        }
        #[allow(clippy::disallowed_methods, reason = "another process is waited for")]
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("{arguments}: {last}")
}

pub(crate) fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
