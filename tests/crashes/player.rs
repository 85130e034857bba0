//! One process, as those see it who started it. Dropped, it is killed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::role::{CYCLES, LIFE, Part, ROLE, SEED, STORE};

/// Nothing that is waited for takes so long, on any machine; whoever waits for ever is told.
const LONGEST_SILENCE: Duration = Duration::from_secs(600);

/// What was said, and whether there will be more.
#[derive(Debug, Default)]
struct Said {
    lines: Vec<String>,
    ended: bool,
}

/// One process.
#[derive(Debug)]
pub(crate) struct Player {
    child: Child,
    said: Arc<(Mutex<Said>, Condvar)>,
    listening: Option<JoinHandle<()>>,
    /// Lines that were taken.
    taken: usize,
}

impl Player {
    /// Starts this very program in a role.
    pub(crate) fn start(role: &str, part: &Part, failpoint: Option<&str>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "plays_a_part", "--nocapture"]);
        command.env(ROLE, role).env(STORE, &part.store).env(SEED, part.seed.to_string());
        command.env(LIFE, part.life.to_string()).env(CYCLES, part.cycles.to_string());
        command.env_remove(plastron_sources::failpoint::VARIABLE);
        if let Some(failpoint) = failpoint {
            command.env(plastron_sources::failpoint::VARIABLE, failpoint);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said: Arc<(Mutex<Said>, Condvar)> = Arc::default();
        let (out, hears) = (child.stdout.take().unwrap(), Arc::clone(&said));
        let listening = std::thread::spawn(move || {
            let (mut out, mut line) = (BufReader::new(out), String::new());
            while out.read_line(&mut line).unwrap() > 0 {
                // What it was saying when it died has no end, and is not heard.
                if let Some(said) = line.strip_prefix('@').and_then(|line| line.strip_suffix('\n')) {
                    hears.0.lock().unwrap().lines.push(said.to_owned());
                    hears.1.notify_all();
                }
                line.clear();
            }
            hears.0.lock().unwrap().ended = true;
            hears.1.notify_all();
        });
        Self { child, said, listening: Some(listening), taken: 0 }
    }

    /// Waits until it has said so many lines that begin with `word`; false if it ended before.
    pub(crate) fn wait_for(&self, word: &str, count: usize) -> bool {
        let enough = |said: &Said| said.lines.iter().filter(|line| line.starts_with(word)).count() >= count;
        let said = self.said.0.lock().unwrap();
        let waited = self.said.1.wait_timeout_while(said, LONGEST_SILENCE, |said| !enough(said) && !said.ended);
        let (said, late) = waited.unwrap();
        assert!(!late.timed_out(), "'{word}' was not said {count} times, but: {:?}", said.lines);
        enough(&said)
    }

    /// All that was said.
    pub(crate) fn all(&self) -> Vec<String> {
        self.said.0.lock().unwrap().lines.clone()
    }

    /// What was said since it was asked for last.
    pub(crate) fn news(&mut self) -> Vec<String> {
        let said = self.said.0.lock().unwrap();
        let news = said.lines.get(self.taken..).unwrap_or_default().to_vec();
        self.taken = said.lines.len();
        news
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Stops it where it is.
    pub(crate) fn stall(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills it, and waits until all that it has said is heard.
    pub(crate) fn kill(&mut self) -> ExitStatus {
        self.child.kill().unwrap();
        self.end()
    }

    /// Waits until it has ended, and all that it has said is heard.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.wait_for("nothing begins with this", 1);
        if let Some(listening) = self.listening.take() {
            listening.join().unwrap();
        }
        self.child.wait().unwrap()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
