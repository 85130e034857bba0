//! The proofs of a blob, cut so that what all of them share is there once.

use crate::encoding::{Reader, Writer};
use crate::merkle::TreeProof;
use crate::proto::{
    ClientMemory, Entry, LookupAnswer, LookupRequest, Message as _, PolicyStep, Profile, Quorum, Realm, SignedHead,
};
use crate::vrf::VrfProof;
use crate::{Result, Unverified, verify_lookup};

/// An epoch, as who has the realm's file can check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochProof {
    /// How the realm's first policy became the one that the head is signed under.
    pub steps: Vec<PolicyStep>,
    /// The head.
    pub head: SignedHead,
}

impl EpochProof {
    pub(super) fn write(&self, writer: &mut Writer) {
        PolicyStep::write_all(&self.steps, writer);
        self.head.write(writer);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { steps: PolicyStep::read_all(reader)?, head: SignedHead::read(reader)? })
    }
}

/// What a name has at that epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameProof {
    /// That the name has the index.
    pub index: VrfProof,
    /// That the tree has the entry.
    pub tree: TreeProof,
    /// The entry.
    pub entry: Entry,
    /// The profile that it commits to.
    pub profile: Profile,
}

impl NameProof {
    /// Takes an answer apart; none if the name is absent.
    pub(super) fn of(answer: LookupAnswer) -> (EpochProof, Option<Self>) {
        let LookupAnswer { index, steps, head, tree, found } = answer;
        let proof = found.map(|(entry, profile)| Self { index, tree, entry, profile });
        (EpochProof { steps, head }, proof)
    }

    /// Whether all of it holds: of nothing but the realm's file, with no clock.
    pub(super) fn check(
        &self,
        realm: &Realm,
        epoch: &EpochProof,
        quorum: &Quorum,
        name: String,
    ) -> Result<(), Unverified> {
        let head = epoch.head.head.epoch;
        if head == 0 {
            return Err(Unverified::Epoch { asked: 1, found: 0 });
        }
        let known_generation = realm.policy.generation;
        let request = LookupRequest { name, epoch: head, quorum: quorum.clone(), known_generation };
        let answer = LookupAnswer {
            index: self.index,
            steps: epoch.steps.clone(),
            head: epoch.head.clone(),
            tree: self.tree.clone(),
            found: Some((self.entry.clone(), self.profile.clone())),
        };
        verify_lookup(realm, &ClientMemory::new(realm), &request, &answer, 0).map(drop)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.array(&self.index.0);
        self.tree.write(writer);
        self.entry.write(writer);
        self.profile.write(writer);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            index: VrfProof(reader.array()?),
            tree: TreeProof::read(reader)?,
            entry: Entry::read(reader)?,
            profile: Profile::read(reader)?,
        })
    }
}
