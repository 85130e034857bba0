//! The bytes beneath every format of the keyserver: numbers, byte strings, lists, and the frame around a message.
//!
//! Invariants: numbers are big-endian and of fixed width, so that there is one form only of every value; what is read has a bound on its
//! size before memory is taken; bytes left over are a fault. `docs/src/formats/keyserver.md` has the tables.

use crate::{Digest, Error, Result};

/// First bytes of every framed message.
pub(crate) const MAGIC: &[u8; 4] = b"PLKS";

/// Bytes of a frame before its payload: magic, kind, version, two of zero, length.
pub(crate) const HEADER_BYTES: usize = 4 + 1 + 1 + 2 + 4;

/// Bytes of a frame besides its payload: with a checksum behind it.
pub(crate) const FRAME_BYTES: usize = HEADER_BYTES + 4;

/// Builds the bytes of a message.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.array(&value.to_be_bytes())
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.array(&value.to_be_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.array(&value.to_be_bytes())
    }

    pub(crate) fn array(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn digest(&mut self, digest: &Digest) -> &mut Self {
        self.array(&digest.0)
    }

    /// A count or a length. What is written was bounded when it was made, far below what fits.
    pub(crate) fn count(&mut self, count: usize) -> &mut Self {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX))
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len()).array(bytes)
    }

    pub(crate) fn option<T>(&mut self, value: Option<&T>, write: impl FnOnce(&T, &mut Self)) -> &mut Self {
        match value {
            None => self.u8(0),
            Some(value) => {
                self.u8(1);
                write(value, self);
                self
            }
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads the bytes of a message; every fault says what was read, and where.
#[derive(Debug)]
pub struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes, at: 0 }
    }

    /// A fault where the reader stands.
    pub(crate) fn fault(&self, check: impl Into<String>) -> Error {
        Error::Corrupt { what: self.what, offset: self.at, check: check.into() }
    }

    pub(crate) fn slice(&mut self, length: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let Some(taken) = taken else {
            let left = self.bytes.len().saturating_sub(self.at);
            return Err(self.fault(format!("{length} bytes are to follow, and {left} do")));
        };
        self.at += length;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.slice(N)?);
        Ok(out)
    }

    pub(crate) fn digest(&mut self) -> Result<Digest> {
        Ok(Digest(self.array()?))
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A count of things that take at least `each` bytes: a lying one is found before memory is taken.
    pub(crate) fn count(&mut self, most: usize, each: usize) -> Result<usize> {
        let count = self.u32()? as usize;
        let left = self.bytes.len().saturating_sub(self.at);
        if count > most {
            return Err(self.fault(format!("{count} of at most {most}")));
        }
        if count.saturating_mul(each) > left {
            return Err(self.fault(format!("{count} things of {each} bytes or more are to follow in {left} bytes")));
        }
        Ok(count)
    }

    pub(crate) fn bytes(&mut self, most: usize) -> Result<&'a [u8]> {
        let length = self.count(most, 1)?;
        self.slice(length)
    }

    pub(crate) fn text(&mut self, most: usize) -> Result<String> {
        let bytes = self.bytes(most)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| self.fault("text is not UTF-8"))
    }

    pub(crate) fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        match self.u8()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            other => Err(self.fault(format!("a presence byte is {other}"))),
        }
    }

    pub(crate) fn finish(self) -> Result<()> {
        if self.at == self.bytes.len() {
            return Ok(());
        }
        Err(self.fault(format!("{} bytes too many", self.bytes.len() - self.at)))
    }
}

/// `payload` with magic, kind, version, length and a checksum over all of it.
pub(crate) fn frame(kind: u8, version: u8, payload: &[u8]) -> Vec<u8> {
    // With room for the checksum of the database.
    let mut writer = Writer::with_capacity(payload.len() + FRAME_BYTES + 4);
    writer.array(MAGIC).u8(kind).u8(version).u16(0).bytes(payload);
    let checksum = crc32c::crc32c(&writer.0);
    writer.u32(checksum);
    writer.finish()
}

/// The payload of a frame of that kind and version, of at most `most` bytes.
pub(crate) fn unframe<'a>(what: &'static str, kind: u8, version: u8, most: usize, bytes: &'a [u8]) -> Result<&'a [u8]> {
    let mut reader = Reader::new(what, bytes);
    if reader.slice(MAGIC.len())? != MAGIC {
        return Err(Error::Corrupt { what, offset: 0, check: "it does not begin with PLKS".to_owned() });
    }
    let (found, newer) = (reader.u8()?, reader.u8()?);
    if found != kind {
        return Err(reader.fault(format!("it is of kind {found}, not {kind}")));
    }
    if newer > version {
        return Err(Error::Unsupported { what, version: newer, known: version });
    }
    if newer != version {
        return Err(reader.fault(format!("version {newer} never was")));
    }
    if reader.u16()? != 0 {
        return Err(reader.fault("reserved bytes are not zero"));
    }
    let payload = reader.bytes(most)?;
    let checksum = reader.u32()?;
    let summed = bytes.get(..FRAME_BYTES - 4 + payload.len()).unwrap_or_default();
    if checksum != crc32c::crc32c(summed) {
        return Err(reader.fault("the checksum is wrong"));
    }
    reader.finish()?;
    Ok(payload)
}

/// `N` bytes from their hexadecimal digits.
pub(crate) fn hex_array<const N: usize>(what: &'static str, text: &str) -> Result<[u8; N]> {
    let fault = || Error::Invalid { what, why: format!("{} hexadecimal digits are expected", N * 2) };
    let text = text.as_bytes();
    if text.len() != N * 2 {
        return Err(fault());
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(text.chunks(2)) {
        for digit in pair {
            let value = (*digit as char).to_digit(16).ok_or_else(fault)?;
            *byte = *byte << 4 | value as u8;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_back_and_any_flipped_bit_is_found() {
        let bytes = frame(7, 1, b"payload");
        assert_eq!(unframe("test", 7, 1, 7, &bytes).unwrap(), b"payload");
        assert!(matches!(unframe("test", 7, 1, 6, &bytes), Err(Error::Corrupt { .. })));
        assert!(matches!(unframe("test", 8, 1, 7, &bytes), Err(Error::Corrupt { .. })));
        assert!(matches!(unframe("test", 7, 2, 7, &bytes), Err(Error::Corrupt { .. })));
        assert!(matches!(unframe("test", 7, 1, 7, &frame(7, 2, b"")), Err(Error::Unsupported { .. })));
        for bit in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(unframe("test", 7, 1, 7, &other).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(unframe("test", 7, 1, 7, &bytes[..length]).is_err());
        }
        assert!(unframe("test", 7, 1, 7, &[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn a_lying_count_takes_no_memory() {
        let bytes = u32::MAX.to_be_bytes();
        assert!(Reader::new("test", &bytes).count(usize::MAX, 32).is_err());
        assert!(Reader::new("test", &bytes).bytes(10).is_err());
    }

    #[test]
    fn hexadecimal_digits_are_checked() {
        assert_eq!(hex_array::<2>("test", "0aFf").unwrap(), [10, 255]);
        for text in ["", "0a", "0aff0", "0ag0", "0a+1", "é0a"] {
            assert!(hex_array::<2>("test", text).is_err(), "{text}");
        }
    }
}
