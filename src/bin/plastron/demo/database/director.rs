//! The demo's plot.

use plastron::ErrorKind;
use plastron::checkpoint::Inspector;
use serde_json::Value;

#[cfg(feature = "keyserver")]
use super::guest::Guest;
use super::pace::Pace;
use super::player::{Cost, Player};
use super::role::Role;
use super::stage::Stage;
use super::story::{Checkpoint, Compared, Story};
use crate::context::{Context, Stopwatch};
use crate::demo::DemoKeys;
use crate::demo::input::Input;
use crate::failure::{Failure, Result};

/// Times that a checkpoint is completed again whose publication is in doubt.
const AGAIN: u32 = 5;

/// How the demo is played.
pub(crate) struct Setting {
    /// Another registry than the store string says.
    pub(crate) registry: Option<String>,
    /// Who keeps the keys, unless the store string says.
    pub(crate) keys: DemoKeys,
    /// Whether each act waits for Enter.
    pub(crate) step: bool,
    /// Whether everything is left in the bucket.
    pub(crate) keep: bool,
}

/// Directs the demo on `input`, and prints what happened.
pub(crate) async fn direct(context: &Context, input: Input, setting: Setting) -> Result<()> {
    let Setting { registry, keys, step, keep } = setting;
    let stage = Stage::prepare(context, registry.as_deref(), keys).await?;
    let played = play(context, &stage, &input, Pace::new(step)).await;
    let cleared = if keep { Ok(()) } else { stage.clear().await };
    let story = played?;
    context.output.result(&story.record(), || story.text()).await?;
    cleared?;
    story.verdict()
}

/// The follower, and what it is still to answer.
struct Audience {
    player: Player,
    compared: Vec<Compared>,
}

impl Audience {
    /// Waits until it has compared the checkpoint at `lsn`, or a later one.
    async fn sees(&mut self, lsn: u64) -> Result<()> {
        while self.compared.last().is_none_or(|last| last.lsn < lsn) {
            let answer = self.player.answer().await?;
            self.compared.push(Compared::of(&answer));
        }
        Ok(())
    }
}

async fn play(context: &Context, stage: &Stage, input: &Input, mut pace: Pace) -> Result<Story> {
    let watch = Stopwatch::start();
    let files = input.walk.files.len();
    let (third, two_thirds, almost) = (files / 3, files * 2 / 3, files - files / 6);
    let mut story = Story::new(input, stage.store.bucket().address());
    let mut cost = Cost::default();
    let leader = |name, node| Player::start(name, Role::Leader, &stage.text(node)?, input);

    pace.act(context, "the first leader loads a third of the files").await;
    let mut first = leader("the first leader", "leader-1")?;
    first.answer().await?;
    story.loaded(&first.order(&format!("load 0 {third}")).await?);
    let checkpoint = complete(&mut first, &mut story, "first").await?;
    let follower = Player::start("the follower", Role::Follower, &stage.text("follower")?, input)?;
    let mut audience = Audience { player: follower, compared: Vec::new() };
    audience.sees(checkpoint).await?;

    #[cfg(feature = "keyserver")]
    let guest = Guest::revoke(context, &mut pace, stage, input).await?;
    #[cfg(feature = "keyserver")]
    let rotated = guest.is_some();
    #[cfg(not(feature = "keyserver"))]
    let rotated = false;
    if rotated {
        pace.act(context, "the guest is revoked, and another third is loaded").await;
    } else {
        pace.act(context, "the keys are rotated, and it loads another third").await;
        first.order("rotate").await?;
    }
    story.loaded(&first.order(&format!("load {third} {two_thirds}")).await?);
    let checkpoint = complete(&mut first, &mut story, "first").await?;
    audience.sees(checkpoint).await?;
    #[cfg(feature = "keyserver")]
    if let Some(guest) = guest {
        cost.add(guest.be_refused(stage, input, &mut story).await?);
    }
    // Accepted, and in no checkpoint: its successor writes it again.
    first.order(&format!("load {two_thirds} {files}")).await?;
    first.stall()?;

    pace.act(context, "the first leader is stalled, and a second one takes over").await;
    let mut second = leader("the second leader", "leader-2")?;
    second.answer().await?;
    story.loaded(&second.order(&format!("load {two_thirds} {almost}")).await?);
    let checkpoint = complete(&mut second, &mut story, "second").await?;
    audience.sees(checkpoint).await?;
    second.tell(&format!("load {almost} {files}")).await?;
    cost.add(second.kill().await?);

    pace.act(context, "the second leader was killed in the middle of its work, and a third one goes on").await;
    let mut third_leader = leader("the third leader", "leader-3")?;
    let ready = third_leader.answer().await?;
    story.survived = ready.get("files").and_then(Value::as_u64).unwrap_or(0);
    story.loaded(&third_leader.order(&format!("load {almost} {files}")).await?);
    let checkpoint = complete(&mut third_leader, &mut story, "third").await?;
    audience.sees(checkpoint).await?;

    pace.act(context, "the first leader is let go on, and wants to complete a checkpoint").await;
    first.resume()?;
    let refused = first.order("checkpoint").await?;
    let error = refused.get("error");
    let word = |key: &str| error.and_then(|error| error.get(key)).and_then(Value::as_str).unwrap_or("").to_owned();
    (story.refusal_kind, story.refusal) = (word("kind"), word("message"));
    cost.add(first.quit().await?);

    #[cfg(feature = "keyserver")]
    super::guest::audit(stage, &mut story).await?;

    pace.act(context, "everything is written once more, and garbage is collected").await;
    third_leader.order(&format!("load 0 {third}")).await?;
    third_leader.order("merge").await?;
    let checkpoint = complete(&mut third_leader, &mut story, "third").await?;
    audience.sees(checkpoint).await?;
    story.collected(&third_leader.order("collect").await?);
    cost.add(third_leader.quit().await?);
    let Audience { player, compared } = audience;
    cost.add(player.quit().await?);
    story.compared = compared;

    pace.act(context, "everything that is left is inspected").await;
    let volume = stage.store.volume().await?;
    story.inspection = Inspector::new(volume).all(true).run().await.map_err(plastron::Error::from)?;
    story.cost = cost;
    story.elapsed = watch.elapsed();
    Ok(story)
}

/// Has a leader complete a checkpoint, and says at which LSN. One of which the leader can't say whether it was published is completed again, as
/// engines do.
async fn complete(player: &mut Player, story: &mut Story, leader: &'static str) -> Result<u64> {
    let mut answer = player.order("checkpoint").await?;
    for _ in 0..AGAIN {
        let kind = answer.pointer("/error/kind").and_then(Value::as_str);
        if kind.is_none_or(|kind| kind != ErrorKind::Unavailable.as_str()) {
            break;
        }
        answer = player.order("checkpoint").await?;
    }
    if let Some(error) = answer.get("error") {
        return Err(Failure::other(format!("the {leader} leader could not complete a checkpoint: {error}")));
    }
    let checkpoint = Checkpoint::of(leader, &answer);
    let lsn = checkpoint.lsn;
    story.checkpoints.push(checkpoint);
    Ok(lsn)
}
