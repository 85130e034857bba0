//! `plastron follow`: picks up checkpoints as they are completed.

use std::time::Duration;

use clap::Args;
use plastron::checkpoint::Follower;
use plastron::clock::{Clock, SystemClock};
use plastron::{ErrorKind, Store};

use crate::checkpoint::{line, record};
use crate::context::{Access, Context};
use crate::failure::{Failure, Result};
use crate::log::print_verification;

/// Between two looks for a first checkpoint.
const PATIENCE: Duration = Duration::from_millis(500);

const AFTER_HELP: &str = "\
Waits for the first checkpoint if there is none yet, prints each one that it picks up, and pins the one it is on, so that nothing of
it is collected. Ends after --count checkpoints, or on Ctrl-C (code 130), and gives up its pin then; those that it has moved on from
hold for the rest of their lease. With --json each checkpoint is a line, as in `checkpoint list`.

Examples:
  plastron follow
  plastron --json follow --count 1
  plastron --store 's3://bucket/db1?key_management.name=file&...' follow --verify";

/// Options of `follow`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Follow {
    /// End after so many checkpoints
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Read and check every record of each checkpoint
    #[arg(long)]
    verify: bool,
}

impl Follow {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let store = context.open(Access::Write).await?;
        let follower = first(&store).await?;
        context.close_at_the_end(&follower);
        self.follow(context, &follower).await
    }

    async fn follow(&self, context: &Context, follower: &Follower) -> Result<()> {
        let mut news = follower.checkpoints();
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 {
            let info = news.borrow_and_update().clone();
            if let Some(fault) = follower.failure() {
                return Err(plastron::Error::from(fault).into());
            }
            context.output.result(&record(&info), || line(&info)).await?;
            if self.verify {
                print_verification(context, &follower.log().verify().await).await?;
            }
            left -= 1;
            if left > 0 {
                news.changed().await.map_err(|_| Failure::other("the follower has ended"))?;
            }
        }
        Ok(())
    }
}

/// The follower, as soon as there is something to follow.
async fn first(store: &Store) -> Result<Follower> {
    loop {
        match store.follower().await {
            Ok(follower) => return Ok(follower),
            Err(error) if error.kind() == ErrorKind::NotFound => SystemClock.sleep(PATIENCE).await,
            Err(error) => return Err(error.into()),
        }
    }
}
