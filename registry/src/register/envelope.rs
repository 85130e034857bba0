//! What stands in a register: the newest turtle object, and who led before its leader. Byte table: `docs/src/formats/register.md`.

use bytes::Bytes;

use crate::cursor::Cursor;
use crate::error::Fault;
use crate::turtle_object::TurtleObject;
use crate::version::Version;

const MAGIC: &[u8; 8] = b"PLSTREGV";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 16;
const LEADER_BYTES: usize = 32;
/// Leaders that are remembered.
pub(crate) const MAX_LEADERS: usize = 16;

/// Bytes around a turtle object.
pub(crate) const MAX_FRAME_BYTES: usize = HEADER_BYTES + MAX_LEADERS * LEADER_BYTES + 4;

/// One who led.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leader {
    /// Its epoch.
    pub(crate) epoch: u64,
    /// The number with which it took over.
    pub(crate) opened_at: u64,
    /// Its random bits.
    pub(crate) writer: u128,
}

/// The value of a register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// The newest turtle.
    pub(crate) turtle: TurtleObject,
    /// Its version.
    pub(crate) version: Version,
    /// Those who led before its leader, the last of them first.
    pub(crate) leaders: Vec<Leader>,
}

impl Envelope {
    /// The turtle in an envelope, as bytes.
    pub(crate) fn encode(turtle: &TurtleObject, leaders: &[Leader]) -> Result<(Bytes, Version), Fault> {
        let (object, version) = turtle.encode()?;
        let mut to = Vec::with_capacity(MAX_FRAME_BYTES + object.len());
        to.extend(MAGIC);
        to.extend(VERSION.to_le_bytes());
        to.extend((leaders.len().min(MAX_LEADERS) as u16).to_le_bytes());
        to.extend((object.len() as u32).to_le_bytes());
        for Leader { epoch, opened_at, writer } in leaders.iter().take(MAX_LEADERS) {
            to.extend(epoch.to_le_bytes());
            to.extend(opened_at.to_le_bytes());
            to.extend(writer.to_le_bytes());
        }
        to.extend(&object);
        let checksum = crc32c::crc32c(&to);
        to.extend(checksum.to_le_bytes());
        Ok((to.into(), version))
    }

    /// Reads an envelope.
    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(bytes, 0);
        if cursor.take(MAGIC.len(), "the magic of a register's value")? != MAGIC {
            return Err(Fault::corrupt(0, "this is no value of a registry: its magic is wrong"));
        }
        match cursor.u16("the version")? {
            0 => return Err(Fault::corrupt(8, "a register's value has version 0")),
            VERSION => {}
            newer => {
                return Err(Fault::Unsupported(format!(
                    "the register's value has version {newer}, and this program reads up to {VERSION}; use a newer one"
                )));
            }
        }
        let body = bytes.get(..bytes.len().saturating_sub(4)).unwrap_or_default();
        let sum = Cursor::new(bytes.get(body.len()..).unwrap_or_default(), body.len()).u32("the checksum")?;
        let found = crc32c::crc32c(body);
        if found != sum {
            return Err(Fault::corrupt(
                body.len(),
                format!("the CRC32C of the register's value is {found:08x}, and {sum:08x} is written"),
            ));
        }
        let mut cursor = Cursor::new(body.get(10..).unwrap_or_default(), 10);
        let count = usize::from(cursor.u16("the number of leaders")?);
        let length = cursor.u32("the turtle's length")? as usize;
        if count > MAX_LEADERS {
            return Err(Fault::corrupt(10, format!("{count} leaders are more than {MAX_LEADERS}")));
        }
        let mut leaders = Vec::new();
        for _ in 0..count {
            let (epoch, opened_at) = (cursor.u64("an epoch")?, cursor.u64("an epoch's first number")?);
            leaders.push(Leader { epoch, opened_at, writer: cursor.u128("a writer")? });
        }
        let at = cursor.at();
        cursor.take(length, "the turtle")?;
        cursor.end()?;
        let (turtle, version) = TurtleObject::decode(&bytes.slice(at..at + length))?;
        Ok(Self { turtle, version, leaders })
    }

    /// All who led up to this one, for the envelope of the next: the last of them first.
    pub(crate) fn and_before(&self) -> Vec<Leader> {
        let TurtleObject { epoch, opened_at, writer, .. } = self.turtle;
        let mut leaders = vec![Leader { epoch, opened_at, writer }];
        leaders.extend(self.leaders.iter().take(MAX_LEADERS - 1));
        leaders
    }
}

#[cfg(test)]
mod test {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    fn turtle(sequence: u64, content: Option<Vec<u8>>) -> TurtleObject {
        let owner = Arc::from("here:1");
        TurtleObject {
            sequence,
            epoch: 1,
            opened_at: 1,
            writer: 7,
            owner,
            previous: u32::from(sequence > 1),
            content: content.map(Bytes::from),
        }
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(
            sequence in 1_u64..100,
            content in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)),
            leaders in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u128>()), 0..20),
            at: prop::sample::Index,
        ) {
            let leaders: Vec<_> = leaders.into_iter().map(|(epoch, opened_at, writer)| Leader { epoch, opened_at, writer }).collect();
            let turtle = turtle(sequence, content);
            let (bytes, version) = Envelope::encode(&turtle, &leaders).unwrap();
            let found = Envelope::decode(&bytes).unwrap();
            prop_assert_eq!((&found.turtle, found.version), (&turtle, version));
            prop_assert_eq!(&found.leaders[..], &leaders[..leaders.len().min(MAX_LEADERS)]);
            prop_assert_eq!(Envelope::encode(&found.turtle, &found.leaders).unwrap().0, bytes.clone());
            let at = at.index(bytes.len());
            prop_assert!(Envelope::decode(&bytes.slice(..at)).is_err());
            let mut wrong = bytes.to_vec();
            wrong[at] ^= 1;
            prop_assert!(Envelope::decode(&wrong.into()).is_err());
        }
    }

    #[test]
    fn golden_value() {
        let leaders =
            [Leader { epoch: 3, opened_at: 9, writer: 0x33 }, Leader { epoch: 2, opened_at: 5, writer: 0x22 }];
        let mut turtle = turtle(12, Some(b"content".to_vec()));
        (turtle.epoch, turtle.opened_at) = (4, 11);
        let (bytes, version) = Envelope::encode(&turtle, &leaders).unwrap();
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/register-1.bin");
        if !path.exists() && std::env::var_os("PLASTRON_WRITE_FIXTURES").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        let golden = Bytes::from(std::fs::read(path).unwrap());
        assert_eq!(golden, bytes);
        assert_eq!(Envelope::decode(&golden).unwrap(), Envelope { turtle, version, leaders: leaders.to_vec() });
    }

    #[test]
    fn the_last_leaders_are_remembered() {
        let mut leaders = Vec::new();
        for sequence in 1..40 {
            let mut turtle = turtle(sequence, None);
            (turtle.epoch, turtle.opened_at) = (sequence, sequence);
            let found = Envelope::decode(&Envelope::encode(&turtle, &leaders).unwrap().0).unwrap();
            assert!(found.leaders.len() <= MAX_LEADERS);
            leaders = found.and_before();
            assert_eq!(leaders[0].epoch, sequence);
        }
        assert_eq!((leaders.len(), leaders[15].epoch), (16, 24));
    }
}
