//! A new name, with an identity token in place of an operator's admission.

use bytes::Bytes;

use super::entry::Update;
use super::message::Message;
use crate::Result;
use crate::encoding::{Reader, Writer};

/// The most bytes of a token.
pub const MAX_TOKEN_BYTES: usize = 16 << 10;

/// A first entry, whose owner shows who he is. Only replicas see the token.
#[derive(Clone, PartialEq, Eq)]
pub struct Registration {
    /// The entry, without an admission.
    pub update: Update,
    /// A JSON Web Token in its compact form. Its nonce is the hash of the entry, in hexadecimal digits.
    pub token: Bytes,
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration").field("update", &self.update).field("token", &"[secret]").finish()
    }
}

impl Message for Registration {
    const WHAT: &'static str = "registration";
    const KIND: u8 = 21;
    const MOST: usize = Update::MOST + 4 + MAX_TOKEN_BYTES;

    fn write(&self, writer: &mut Writer) {
        self.update.write(writer);
        writer.bytes(&self.token);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { update: Update::read(reader)?, token: Bytes::copy_from_slice(reader.bytes(MAX_TOKEN_BYTES)?) })
    }
}
