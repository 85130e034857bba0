//! A pin: an object that keeps what one checkpoint reaches from being removed while somebody reads it.
//!
//! Written by followers, restores and clones, read by GC. It carries the whole turtle, so that GC knows what the checkpoint reaches even after the turtle
//! object itself is gone. A pin is a lease: it holds until some time after it was created, by the provider's clock, and whoever
//! needs it longer creates the next one under the same id with the next renewal number. A lease of 0 seconds holds until the object is
//! removed, which is what a clone does to the database that it shares objects with. Byte table: `docs/src/formats/pin.md`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::cursor::Cursor;
use crate::error::Fault;
use crate::turtle_object::{MAX_CONTENT_BYTES, MAX_OWNER_BYTES};

const MAGIC: &[u8; 8] = b"PLSTCPIN";
const VERSION: u16 = 1;
/// Where pins stand.
const PREFIX: &str = "_plastron/pin/";
const SUFFIX: &str = ".pin";
/// Hexadecimal digits of an id, decimal ones of a renewal.
const ID_DIGITS: usize = 32;
const RENEWAL_DIGITS: usize = 20;

/// One pin.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin {
    /// Which pin and which renewal of it.
    pub name: PinName,
    /// Sequence of the turtle that is pinned.
    pub sequence: u64,
    /// How long it holds after it was created, whole seconds; 0 for as long as it is there.
    pub lease_seconds: u64,
    /// Who needs it, such as `host:process`; for people.
    pub owner: Arc<str>,
    /// The turtle that is pinned, encoded.
    pub turtle: Bytes,
}

/// Which pin, and which renewal of it: what stands in the object's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PinName {
    /// 128 random bits.
    pub id: u128,
    /// Counts from 1.
    pub renewal: u64,
}

impl PinName {
    /// Where all pins stand.
    pub const PREFIX: &'static str = PREFIX;

    /// The name of the object.
    pub fn object_name(&self) -> String {
        let Self { id, renewal } = self;
        format!("{PREFIX}{id:0ID_DIGITS$x}-{renewal:0RENEWAL_DIGITS$}{SUFFIX}")
    }

    /// The pin in an object's name; none for names that are not of pins.
    pub fn parse(object: &str) -> Option<Self> {
        let (id, renewal) = object.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.split_once('-')?;
        let name = Self { id: u128::from_str_radix(id, 16).ok()?, renewal: renewal.parse().ok()? };
        (name.renewal > 0 && name.object_name() == object).then_some(name)
    }
}

impl Pin {
    /// How long it holds after it was created; none for ever.
    pub fn lease(&self) -> Option<Duration> {
        (self.lease_seconds > 0).then(|| Duration::from_secs(self.lease_seconds))
    }

    /// The pin in bytes.
    ///
    /// # Errors
    /// [`Fault::Size`] for an owner or a turtle that is too long.
    pub fn encode(&self) -> Result<Bytes, Fault> {
        for (what, size, high) in [
            ("the owner of a pin", self.owner.len(), MAX_OWNER_BYTES),
            ("a pinned turtle", self.turtle.len(), MAX_CONTENT_BYTES),
        ] {
            if size > high {
                return Err(Fault::Size { what, size: size as u64, high: high as u64 });
            }
        }
        let mut to = Vec::with_capacity(72 + self.owner.len() + self.turtle.len());
        to.extend(MAGIC);
        to.extend(VERSION.to_le_bytes());
        to.extend((self.owner.len() as u16).to_le_bytes());
        to.extend((self.turtle.len() as u32).to_le_bytes());
        to.extend(self.name.id.to_le_bytes());
        for number in [self.name.renewal, self.sequence, self.lease_seconds] {
            to.extend(number.to_le_bytes());
        }
        to.extend(self.owner.as_bytes());
        to.extend(&self.turtle);
        let checksum = crc32c::crc32c(&to);
        to.extend(checksum.to_le_bytes());
        Ok(to.into())
    }

    /// The pin in `bytes`, without copying the turtle.
    ///
    /// # Errors
    /// [`Fault::Corrupt`], or [`Fault::Unsupported`] for a later version.
    pub fn decode(bytes: &Bytes) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(bytes, 0);
        if cursor.take(MAGIC.len(), "the magic of a pin")? != MAGIC {
            return Err(Fault::corrupt(0, "this is no pin: its magic is wrong"));
        }
        match cursor.u16("the version")? {
            0 => return Err(Fault::corrupt(8, "a pin has version 0")),
            VERSION => {}
            newer => {
                return Err(Fault::Unsupported(format!(
                    "the pin has version {newer}, and this program reads up to {VERSION}; use a newer one"
                )));
            }
        }
        let body = bytes.len().checked_sub(4).and_then(|at| bytes.split_at_checked(at));
        let (body, sum) = body.ok_or_else(|| Fault::corrupt(bytes.len(), "a pin has no checksum"))?;
        let (found, written) = (crc32c::crc32c(body), Cursor::new(sum, body.len()).u32("the checksum")?);
        if found != written {
            let check = format!("the CRC32C of the pin is {found:08x}, and {written:08x} is written");
            return Err(Fault::corrupt(body.len(), check));
        }
        let owner = usize::from(cursor.u16("the length of the owner")?);
        let turtle = cursor.u32("the length of the turtle")? as usize;
        let id = cursor.u128("the id")?;
        let renewal = cursor.u64("the renewal")?;
        let sequence = cursor.u64("the sequence")?;
        let lease_seconds = cursor.u64("the lease")?;
        if owner > MAX_OWNER_BYTES || turtle > MAX_CONTENT_BYTES || renewal == 0 {
            let check = format!("an owner of {owner} bytes, a turtle of {turtle} and renewal {renewal} cannot be");
            return Err(Fault::corrupt(10, check));
        }
        let owner = Arc::from(cursor.text(owner, "the owner")?);
        let at = cursor.at();
        cursor.take(turtle, "the turtle")?;
        let end = cursor.at();
        cursor.take(4, "the checksum")?;
        cursor.end()?;
        let name = PinName { id, renewal };
        Ok(Self { name, sequence, lease_seconds, owner, turtle: bytes.slice(at..end) })
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, sequence, lease_seconds, owner, turtle } = self;
        write!(f, "Pin({name:?} on turtle {sequence} for {lease_seconds} s by {owner:?}, {} bytes)", turtle.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        let name = PinName { id: 0xab, renewal: 3 };
        assert_eq!(name.object_name(), "_plastron/pin/000000000000000000000000000000ab-00000000000000000003.pin");
        assert_eq!(PinName::parse(&name.object_name()), Some(name));
        for other in ["_plastron/pin/ab-3.pin", "_plastron/pin/x.pin", "_plastron/turtle/1.turtle"] {
            assert_eq!(PinName::parse(other), None, "{other}");
        }
        assert_eq!(PinName::parse(&PinName { id: 1, renewal: 0 }.object_name()), None);
    }

    #[test]
    fn any_flipped_bit_is_found() {
        let pin = Pin {
            name: PinName { id: 7, renewal: 1 },
            sequence: 9,
            lease_seconds: 600,
            owner: "here:1".into(),
            turtle: Bytes::from_static(b"a turtle"),
        };
        let bytes = pin.encode().unwrap();
        assert_eq!(Pin::decode(&bytes).unwrap(), pin);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Pin::decode(&damaged.into()).is_err(), "bit {bit}");
        }
        for end in 0..bytes.len() {
            assert!(Pin::decode(&bytes.slice(..end)).is_err(), "{end} bytes");
        }
    }
}
