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
    for _ in 0..3_000 {
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

/// An address that nobody has, below those that the system gives to outgoing connections: it is still free when a server takes it, later and again.
pub(crate) fn free_address() -> String {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(97);
    loop {
        let port = 10_000 + first.wrapping_add(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) % 10_000;
        let address = format!("127.0.0.1:{port}");
        if std::net::TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}
