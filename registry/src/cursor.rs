//! Reading the fields of a turtle one after the other. Every fault names its offset; nothing is ever read past the end.

use crate::error::Fault;

/// What is left of some bytes, and where it begins.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The fields of `bytes`, of which the first stands at `at`.
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Where the next field begins.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn take(&mut self, length: usize, what: &str) -> Result<&'a [u8], Fault> {
        let Some((field, rest)) = self.bytes.split_at_checked(length) else {
            let left = self.bytes.len();
            return Err(Fault::corrupt(self.at, format!("{what} takes {length} bytes, and {left} are left")));
        };
        self.bytes = rest;
        self.at += length;
        Ok(field)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Fault> {
        let at = self.at;
        let field = self.take(N, what)?;
        field.try_into().map_err(|_| Fault::corrupt(at, format!("{what} takes {N} bytes")))
    }

    pub(crate) fn u16(&mut self, what: &str) -> Result<u16, Fault> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self, what: &str) -> Result<u32, Fault> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, what: &str) -> Result<u64, Fault> {
        self.array(what).map(u64::from_le_bytes)
    }

    pub(crate) fn u128(&mut self, what: &str) -> Result<u128, Fault> {
        self.array(what).map(u128::from_le_bytes)
    }

    /// Text of so many bytes.
    pub(crate) fn text(&mut self, length: usize, what: &str) -> Result<&'a str, Fault> {
        let at = self.at;
        let field = self.take(length, what)?;
        std::str::from_utf8(field)
            .map_err(|error| Fault::corrupt(at + error.valid_up_to(), format!("{what} is not UTF-8")))
    }

    /// Bytes that are not in use.
    pub(crate) fn zeros(&mut self, length: usize) -> Result<(), Fault> {
        let at = self.at;
        match self.take(length, "reserved space")?.iter().position(|byte| *byte != 0) {
            None => Ok(()),
            Some(found) => Err(Fault::corrupt(at + found, "a reserved byte is not zero")),
        }
    }

    /// Nothing is left.
    pub(crate) fn end(&self) -> Result<(), Fault> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(Fault::corrupt(self.at, format!("{left} bytes are left over"))),
        }
    }
}
