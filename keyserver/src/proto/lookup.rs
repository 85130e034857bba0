//! A question and its answer.

use super::entry::Entry;
use super::epoch_head::SignedHead;
use super::message::Message;
use super::profile::Profile;
use super::realm::{MAX_NAME_BYTES, RealmPolicy, check_name};
use crate::Result;
use crate::encoding::{Reader, Writer};
use crate::merkle::TreeProof;
use crate::policy::AuthorizationPolicy;
use crate::vrf::VrfProof;

/// The most changes of the realm's policy that one answer leads through; who is further behind asks again.
pub const MAX_POLICY_STEPS: usize = 16;

/// Whose signatures a client wants on a head. Those of the replicas are needed in any case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Quorum {
    /// Nobody else's.
    Replicas,
    /// The quorum of verifiers of the realm policy that the head is signed under.
    #[default]
    Verifiers,
    /// A quorum of the client's own choice.
    Of(AuthorizationPolicy),
}

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupRequest {
    /// The name.
    pub name: String,
    /// At which epoch; 0 for the newest that meets `quorum`.
    pub epoch: u64,
    /// Whose signatures the head must bear.
    pub quorum: Quorum,
    /// Generation of the realm policy that the client knows: the answer leads from there to the head's.
    pub known_generation: u64,
}

impl Message for LookupRequest {
    const WHAT: &'static str = "lookup request";
    const KIND: u8 = 11;
    const MOST: usize = 16 << 10;

    fn write(&self, writer: &mut Writer) {
        writer.bytes(self.name.as_bytes()).u64(self.epoch);
        match &self.quorum {
            Quorum::Replicas => writer.u8(0),
            Quorum::Verifiers => writer.u8(1),
            Quorum::Of(policy) => {
                policy.write(writer.u8(2));
                writer
            }
        }
        .u64(self.known_generation);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let name = reader.text(MAX_NAME_BYTES)?;
        check_name(&name).map_err(|error| reader.fault(error.to_string()))?;
        Ok(Self {
            name,
            epoch: reader.u64()?,
            quorum: match reader.u8()? {
                0 => Quorum::Replicas,
                1 => Quorum::Verifiers,
                2 => Quorum::Of(AuthorizationPolicy::read(reader)?),
                other => return Err(reader.fault(format!("{other} is no sort of quorum"))),
            },
            known_generation: reader.u64()?,
        })
    }
}

/// How one realm policy gave way to the next: the last head that was signed under the former names the latter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyStep {
    /// That head.
    pub head: SignedHead,
    /// The policy that it names as the next.
    pub policy: RealmPolicy,
}

impl PolicyStep {
    pub(crate) fn write(&self, writer: &mut Writer) {
        self.head.write(writer);
        self.policy.write(writer);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { head: SignedHead::read(reader)?, policy: RealmPolicy::read(reader)? })
    }

    pub(crate) fn write_all(steps: &[Self], writer: &mut Writer) {
        writer.count(steps.len());
        steps.iter().for_each(|step| step.write(writer));
    }

    pub(crate) fn read_all(reader: &mut Reader<'_>) -> Result<Vec<Self>> {
        let count = reader.count(MAX_POLICY_STEPS, 256)?;
        (0..count).map(|_| Self::read(reader)).collect()
    }
}

/// The answer. It proves itself to who knows the realm; until it is checked it says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupAnswer {
    /// That the name has the index.
    pub index: VrfProof,
    /// How the policy known to the client became that of the head.
    pub steps: Vec<PolicyStep>,
    /// The head.
    pub head: SignedHead,
    /// What is at the index in the head's tree.
    pub tree: TreeProof,
    /// The entry and its profile; none if the name is absent.
    pub found: Option<(Entry, Profile)>,
}

impl Message for LookupAnswer {
    const WHAT: &'static str = "lookup answer";
    const KIND: u8 = 12;
    const MOST: usize = 2 << 20;

    fn write(&self, writer: &mut Writer) {
        writer.array(&self.index.0);
        PolicyStep::write_all(&self.steps, writer);
        self.head.write(writer);
        self.tree.write(writer);
        writer.option(self.found.as_ref(), |(entry, profile), writer| {
            entry.write(writer);
            profile.write(writer);
        });
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            index: VrfProof(reader.array()?),
            steps: PolicyStep::read_all(reader)?,
            head: SignedHead::read(reader)?,
            tree: TreeProof::read(reader)?,
            found: reader.option(|reader| Ok((Entry::read(reader)?, Profile::read(reader)?)))?,
        })
    }
}
