//! Reading numbers out of bytes that may be damaged, and appending them with their checksum. All numbers are little-endian.

use super::Damage;

/// Most bytes of a varint of 64 bits.
const MAX_VARINT_BYTES: usize = 10;

/// Reads front to back; knows where in the object it is, for messages.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    at: u64,
}

impl<'a> Cursor<'a> {
    /// A cursor on `bytes`, which stand at `at` in their object.
    pub(crate) fn new(bytes: &'a [u8], at: u64) -> Self {
        Self { rest: bytes, at }
    }

    /// Where it is.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Bytes left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// What is wrong here.
    pub(crate) fn damage(&self, check: impl Into<String>) -> Damage {
        Damage::corrupt(self.at..self.at, check)
    }

    pub(crate) fn take(&mut self, count: usize, what: &str) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| {
            self.damage(format!("{what} should have {count} bytes, and only {} are left", self.rest.len()))
        })?;
        self.rest = rest;
        self.at += count as u64;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Damage> {
        let taken = self.take(N, what)?;
        Ok(*taken.first_chunk().unwrap_or(&[0; N]))
    }

    pub(crate) fn u8(&mut self, what: &str) -> Result<u8, Damage> {
        Ok(u8::from_le_bytes(self.array(what)?))
    }

    pub(crate) fn u16(&mut self, what: &str) -> Result<u16, Damage> {
        Ok(u16::from_le_bytes(self.array(what)?))
    }

    pub(crate) fn u32(&mut self, what: &str) -> Result<u32, Damage> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub(crate) fn u64(&mut self, what: &str) -> Result<u64, Damage> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    pub(crate) fn u128(&mut self, what: &str) -> Result<u128, Damage> {
        Ok(u128::from_le_bytes(self.array(what)?))
    }

    /// Reserved bytes, which are zero.
    pub(crate) fn zeros(&mut self, count: usize) -> Result<(), Damage> {
        let here = self.clone();
        if self.take(count, "reserved bytes")?.iter().any(|byte| *byte != 0) {
            return Err(here.damage("a reserved byte is not zero"));
        }
        Ok(())
    }

    /// A number in groups of seven bits, lowest first, the eighth bit set on all but the last; in its shortest form.
    pub(crate) fn varint(&mut self, what: &str) -> Result<u64, Damage> {
        let here = self.clone();
        let mut value = 0_u64;
        for index in 0..MAX_VARINT_BYTES {
            let byte = self.u8(what)?;
            let group = u64::from(byte & 0x7f);
            if index == MAX_VARINT_BYTES - 1 && group > 1 {
                break;
            }
            value |= group << (7 * index);
            if byte & 0x80 == 0 {
                if byte == 0 && index > 0 {
                    break;
                }
                return Ok(value);
            }
        }
        Err(here.damage(format!("{what} is not a varint in its shortest form")))
    }

    /// Fails unless everything was read.
    pub(crate) fn end(&self, what: &str) -> Result<(), Damage> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(self.damage(format!("{} bytes too many after {what}", self.rest.len())))
    }
}

/// Appends a varint in its shortest form.
pub(crate) fn put_varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Small numbers for small differences of either sign.
pub(crate) fn zigzag(difference: u64) -> u64 {
    let signed = difference as i64;
    ((signed << 1) ^ (signed >> 63)) as u64
}

/// The difference that [`zigzag`] was given.
pub(crate) fn unzigzag(value: u64) -> u64 {
    (value >> 1) ^ (value & 1).wrapping_neg()
}

/// Appends the CRC32C of everything from `start` on.
pub(crate) fn put_crc(to: &mut Vec<u8>, start: usize) {
    let crc = crc32c::crc32c(to.get(start..).unwrap_or_default());
    to.extend_from_slice(&crc.to_le_bytes());
}

/// The bytes before the CRC32C at the end of `bytes`, once they are found to have it.
pub(crate) fn checked<'a>(bytes: &'a [u8], at: u64, what: &str) -> Result<&'a [u8], Damage> {
    let range = at..at + bytes.len() as u64;
    let Some((content, stored)) = bytes.split_last_chunk::<4>() else {
        return Err(Damage::corrupt(range, format!("{what} has {} bytes, too few for a checksum", bytes.len())));
    };
    let (stored, found) = (u32::from_le_bytes(*stored), crc32c::crc32c(content));
    if stored != found {
        return Err(Damage::corrupt(range, format!("CRC32C of {what}: expected {stored:08x}, found {found:08x}")));
    }
    Ok(content)
}

/// Checks a magic and a version, and refuses newer ones.
pub(crate) fn check_version(
    cursor: &mut Cursor<'_>,
    magic: &[u8; 8],
    supported: u16,
    what: &str,
) -> Result<u16, Damage> {
    let here = cursor.clone();
    if cursor.take(8, "the magic")? != magic {
        return Err(here.damage(format!("it does not begin with the magic of {what}")));
    }
    match cursor.u16("the version")? {
        0 => Err(here.damage("version 0 does not exist")),
        version if version > supported => Err(Damage::Newer { version, supported }),
        version => Ok(version),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(value: u64, small in 0..300_u64) {
            for value in [value, small, u64::MAX - small, value >> (small % 64)] {
                let mut bytes = Vec::new();
                put_varint(&mut bytes, value);
                let mut cursor = Cursor::new(&bytes, 7);
                prop_assert_eq!(cursor.varint("it").unwrap(), value);
                prop_assert_eq!((cursor.left(), cursor.at()), (0, 7 + bytes.len() as u64));
                prop_assert_eq!(unzigzag(zigzag(value)), value);
            }
            prop_assert!(zigzag(small) < 600 && zigzag(0_u64.wrapping_sub(small)) < 600);
        }

        #[test]
        fn any_bytes_are_a_varint_of_one_form_or_none(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            let mut cursor = Cursor::new(&bytes, 0);
            if let Ok(value) = cursor.varint("it") {
                let mut again = Vec::new();
                put_varint(&mut again, value);
                prop_assert_eq!(&again[..], &bytes[..bytes.len() - cursor.left()]);
            }
        }
    }

    #[test]
    fn a_wrong_checksum_names_its_range() {
        let mut bytes = b"xhello".to_vec();
        put_crc(&mut bytes, 1);
        assert_eq!(checked(&bytes[1..], 100, "it").unwrap(), b"hello");
        bytes[3] ^= 1;
        match checked(&bytes[1..], 100, "the thing").unwrap_err() {
            Damage::Corrupt { start: 100, end: 109, check } => assert!(check.starts_with("CRC32C of the thing")),
            other => panic!("{other:?}"),
        }
        assert!(checked(b"abc", 0, "it").is_err());
    }
}
