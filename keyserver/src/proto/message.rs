//! The trait of everything that has a framed form.

use crate::encoding::{Reader, Writer, frame, unframe};
use crate::{Error, Result};

/// Something with bytes of its own.
///
/// Implemented by the messages of this module only.
pub trait Message: Sized {
    /// What it is called in errors.
    const WHAT: &'static str;
    /// The number that tells it from others.
    const KIND: u8;
    /// The newest version.
    const VERSION: u8 = 1;
    /// The most bytes of a body.
    const MOST: usize;

    #[doc(hidden)]
    fn write(&self, writer: &mut Writer);

    #[doc(hidden)]
    fn read(reader: &mut Reader<'_>) -> Result<Self>;

    /// The body: what is hashed and signed.
    fn body(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.write(&mut writer);
        writer.finish()
    }

    /// The message from its body.
    ///
    /// # Errors
    /// `Corrupt`.
    fn from_body(body: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(Self::WHAT, body);
        let message = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(message)
    }

    /// The framed form.
    fn to_bytes(&self) -> Vec<u8> {
        frame(Self::KIND, Self::VERSION, &self.body())
    }

    /// The message from its framed form.
    ///
    /// # Errors
    /// `Corrupt`, or `Unsupported` for a version that is newer.
    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_body(unframe(Self::WHAT, Self::KIND, Self::VERSION, Self::MOST, bytes)?)
    }

    /// The framed form, if it is not larger than anybody would read.
    ///
    /// # Errors
    /// `Invalid`.
    fn to_bounded_bytes(&self) -> Result<Vec<u8>> {
        let body = self.body();
        if body.len() > Self::MOST {
            let why = format!("{} bytes, of at most {}", body.len(), Self::MOST);
            return Err(Error::Invalid { what: Self::WHAT, why });
        }
        Ok(frame(Self::KIND, Self::VERSION, &body))
    }
}
