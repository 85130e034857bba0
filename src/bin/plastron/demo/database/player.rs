//! One process of the demo, as the director sees it.

use std::process::Stdio;
use std::time::Duration;

use plastron::clock::{Clock, SystemClock};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::role::Role;
use crate::demo::input::Input;
use crate::failure::{Failure, Result};

/// Longest wait for an answer. A large directory on a slow bucket takes its time; nothing takes for ever.
const LONGEST_ANSWER: Duration = Duration::from_secs(3600);

/// One process of the demo. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Player {
    name: &'static str,
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    /// What it had cost when it answered last.
    pub(super) cost: Cost,
}

/// What processes cost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    pub(super) requests: u64,
    pub(super) bytes_up: u64,
    pub(super) s3_usd: f64,
}

impl Cost {
    pub(super) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.bytes_up += other.bytes_up;
        self.s3_usd += other.s3_usd;
    }
}

impl Player {
    /// Starts a process of this very program. The store string may hold secrets, so it goes through the environment.
    pub(super) fn start(name: &'static str, role: Role, store: &str, input: &Input) -> Result<Self> {
        let program =
            std::env::current_exe().map_err(|error| Failure::other(format!("cannot find this program: {error}")))?;
        let role = match role {
            Role::Leader => "leader",
            Role::Follower => "follower",
            Role::Guest => "guest",
        };
        let mut command = Command::new(program);
        command.args(["--json", "demo", "--role", role, "--input"]).arg(&input.directory).env("PLASTRON_STORE", store);
        // The same files in the same order: orders name them by number.
        command.args(input.checkout.then_some("--checkout"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let failed = |error| Failure::other(format!("cannot start {name}: {error}"));
        let mut child = command.spawn().map_err(failed)?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::other(format!("{name} has no standard streams")));
        };
        Ok(Self { name, child, orders, answers: BufReader::new(answers).lines(), cost: Cost::default() })
    }

    /// Gives an order, and waits for the answer.
    pub(super) async fn order(&mut self, order: &str) -> Result<Value> {
        self.tell(order).await?;
        self.answer().await
    }

    /// Gives an order.
    pub(super) async fn tell(&mut self, order: &str) -> Result<()> {
        let line = format!("{order}\n");
        let failed = |error| Failure::other(format!("{} cannot be told '{order}': {error}", self.name));
        self.orders.write_all(line.as_bytes()).await.map_err(failed)?;
        self.orders.flush().await.map_err(failed)
    }

    /// Waits for the next answer.
    pub(super) async fn answer(&mut self) -> Result<Value> {
        let name = self.name;
        let line = tokio::select! {
            line = self.answers.next_line() => line.map_err(|error| Failure::other(format!("{name} cannot be heard: {error}")))?,
            () = SystemClock.sleep(LONGEST_ANSWER) => return Err(Failure::other(format!("{name} has not answered within {LONGEST_ANSWER:?}"))),
        };
        let line = line.ok_or_else(|| Failure::other(format!("{name} has ended before its time")))?;
        let answer: Value =
            serde_json::from_str(&line).map_err(|error| Failure::other(format!("{name} said '{line}': {error}")))?;
        if let Some(cost) = answer.get("cost") {
            let number = |key: &str| cost.get(key).and_then(Value::as_u64).unwrap_or(0);
            let s3_usd = cost.get("s3_usd").and_then(Value::as_f64).unwrap_or(0.0);
            self.cost = Cost { requests: number("requests"), bytes_up: number("bytes_up"), s3_usd };
        }
        Ok(answer)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        let pid = pid.ok_or_else(|| Failure::other(format!("{} has ended before its time", self.name)))?;
        kill_process(pid, signal).map_err(|error| Failure::other(format!("cannot signal {}: {error}", self.name)))
    }

    /// Stops it where it is.
    pub(super) fn stall(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub(super) fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Kills it, and waits until it is gone.
    pub(super) async fn kill(mut self) -> Result<Cost> {
        self.child.kill().await.map_err(|error| Failure::other(format!("cannot kill {}: {error}", self.name)))?;
        Ok(self.cost)
    }

    /// Tells it to end, and waits until it has.
    pub(super) async fn quit(mut self) -> Result<Cost> {
        self.tell("quit").await?;
        while self.answer().await?.get("ended").is_none() {}
        let ended = self.child.wait().await.map_err(|error| Failure::other(format!("{}: {error}", self.name)))?;
        match ended.success() {
            true => Ok(self.cost),
            false => Err(Failure::other(format!("{} ended with {ended}", self.name))),
        }
    }
}
