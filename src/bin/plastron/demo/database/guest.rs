//! The guest: a reader that is revoked after the first checkpoint.

use plastron_keyserver::proto::Quorum;

use super::pace::Pace;
use super::player::{Cost, Player};
use super::realm::GUEST;
use super::revocation::{Audit, Revocation, told};
use super::role::Role;
use super::stage::Stage;
use super::story::{Compared, Story};
use crate::audit::Audited;
use crate::context::Context;
use crate::demo::input::Input;
use crate::failure::{Failure, Result};

/// The guest's process, revoked.
pub(super) struct Guest {
    player: Player,
    epoch: u64,
    before: Compared,
}

impl Guest {
    /// Has the guest read what there is, and revokes it; none if the keys are not with a keyserver.
    pub(super) async fn revoke(
        context: &Context,
        pace: &mut Pace,
        stage: &Stage,
        input: &Input,
    ) -> Result<Option<Self>> {
        let Some(realm) = &stage.realm else { return Ok(None) };
        pace.act(context, "a guest reads the first checkpoint").await;
        let mut player = Player::start("the guest", Role::Guest, &stage.text(GUEST)?, input)?;
        let answer = player.answer().await?;
        if let (kind, message) = told(&answer)
            && !kind.is_empty()
        {
            return Err(Failure::other(format!("the guest could not read what it may: {message}")));
        }
        let before = Compared::of(&answer);
        let epoch = realm.revoke_guest().await?;
        Ok(Some(Self { player, epoch, before }))
    }

    /// Has the guest try the checkpoint that came after, and what it had; and a new process of it.
    pub(super) async fn be_refused(mut self, stage: &Stage, input: &Input, story: &mut Story) -> Result<Cost> {
        let refused = told(&self.player.order("advance").await?);
        let after = self.player.order("compare").await?;
        let after = after.get("error").is_none().then(|| Compared::of(&after));
        let mut cost = self.player.quit().await?;
        let mut anew = Player::start("the guest, anew", Role::Guest, &stage.text(GUEST)?, input)?;
        let told_anew = told(&anew.answer().await?);
        cost.add(anew.quit().await?);
        let (epoch, before, audit) = (self.epoch, self.before, Audit::default());
        story.revocation = Some(Revocation { epoch, before, told: refused, after, told_anew, audit });
        Ok(cost)
    }
}

/// Checks every wrap that is there.
pub(super) async fn audit(stage: &Stage, story: &mut Story) -> Result<()> {
    let (Some(realm), Some(revocation)) = (&stage.realm, &mut story.revocation) else { return Ok(()) };
    let audited = Audited::of(stage.store.bucket(), &realm.file(), &Quorum::Verifiers).await?;
    let readers = audited.readers();
    revocation.audit = Audit {
        guest: readers.get(GUEST).into_iter().flatten().copied().collect(),
        all: readers.values().flatten().copied().collect::<std::collections::BTreeSet<u64>>().into_iter().collect(),
        pages: audited.pages(),
        faults: audited.faults(),
    };
    Ok(())
}
