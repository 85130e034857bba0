//! Proof of a lie, for anybody who has the realm's file.

use super::entry::{Entry, SignedEntry};
use super::epoch_head::SignedHead;
use super::lookup::PolicyStep;
use super::message::Message;
use super::realm::Realm;
use crate::Result;
use crate::encoding::{Reader, Writer};
use crate::merkle::TreeProof;

/// A lie, with all that it takes to see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The realm. Who checks compares it with the one he knows.
    pub realm: Realm,
    /// How the realm's first policy became the one that the heads are signed under.
    pub steps: Vec<PolicyStep>,
    /// What was done.
    pub lie: Lie,
}

/// What the replicas signed, and must not have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lie {
    /// Two heads of one epoch.
    Equivocation {
        /// One.
        one: SignedHead,
        /// The other.
        other: SignedHead,
    },
    /// An index got an entry that it must not have got from what it had.
    Change {
        /// The head before.
        before: SignedHead,
        /// What was at the index, and the proof.
        was: Box<(Option<Entry>, TreeProof)>,
        /// The head that follows.
        after: SignedHead,
        /// What the replicas showed as the change, and the proof that it is in the tree.
        is: Box<(SignedEntry, TreeProof)>,
    },
    /// A head that does not follow from the one before: another realm, epoch, time, predecessor or policy than it must have.
    Chain {
        /// The head before.
        before: SignedHead,
        /// The one that claims to follow.
        after: SignedHead,
    },
}

impl Message for Evidence {
    const WHAT: &'static str = "evidence";
    const KIND: u8 = 14;
    const MOST: usize = 4 << 20;

    fn write(&self, writer: &mut Writer) {
        self.realm.write(writer);
        PolicyStep::write_all(&self.steps, writer);
        match &self.lie {
            Lie::Equivocation { one, other } => {
                one.write(writer.u8(0));
                other.write(writer);
            }
            Lie::Change { before, was, after, is } => {
                before.write(writer.u8(1));
                writer.option(was.0.as_ref(), Entry::write);
                was.1.write(writer);
                after.write(writer);
                is.0.write(writer);
                is.1.write(writer);
            }
            Lie::Chain { before, after } => {
                before.write(writer.u8(2));
                after.write(writer);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let realm = Realm::read(reader)?;
        let steps = PolicyStep::read_all(reader)?;
        let lie = match reader.u8()? {
            0 => Lie::Equivocation { one: SignedHead::read(reader)?, other: SignedHead::read(reader)? },
            1 => Lie::Change {
                before: SignedHead::read(reader)?,
                was: Box::new((reader.option(Entry::read)?, TreeProof::read(reader)?)),
                after: SignedHead::read(reader)?,
                is: Box::new((SignedEntry::read(reader)?, TreeProof::read(reader)?)),
            },
            2 => Lie::Chain { before: SignedHead::read(reader)?, after: SignedHead::read(reader)? },
            other => return Err(reader.fault(format!("{other} is no sort of lie"))),
        };
        Ok(Self { realm, steps, lie })
    }
}
