//! What a data key and the records under it are bound to.

use std::fmt;

/// Bytes of an encoded binding.
pub(crate) const BINDING_BYTES: usize = 33;

/// The sort of object whose payloads are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum SealedObject {
    /// A segment of the page log.
    Segment = 1,
    /// An index run.
    IndexRun = 2,
}

/// The one object that a data key belongs to.
///
/// A segment that is read through a clone is bound to the database that wrote it: take `database` from the object's own header, after
/// checking that it is one that may be there.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Binding {
    /// The id of the database that wrote the object.
    pub database: [u8; 16],
    /// What sort of object it is.
    pub object: SealedObject,
    /// The writer's epoch.
    pub epoch: u64,
    /// The object's number in that epoch.
    pub sequence: u64,
}

impl Binding {
    /// A segment of the page log.
    pub const fn segment(database: [u8; 16], epoch: u64, sequence: u64) -> Self {
        Self { database, object: SealedObject::Segment, epoch, sequence }
    }

    /// Object, database, epoch, sequence; numbers little-endian.
    pub fn to_bytes(self) -> [u8; BINDING_BYTES] {
        let mut bytes = [0; BINDING_BYTES];
        let fields =
            [&[self.object as u8][..], &self.database, &self.epoch.to_le_bytes(), &self.sequence.to_le_bytes()];
        for (to, from) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = match self.object {
            SealedObject::Segment => "segment",
            SealedObject::IndexRun => "index run",
        };
        write!(f, "{object} {}-{} of database ", self.epoch, self.sequence)?;
        self.database.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Binding({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_its_place() {
        let binding = Binding::segment([0xAB; 16], 0x0102_0304_0506_0708, 9);
        let mut expected = vec![1];
        expected.extend([0xAB; 16]);
        expected.extend([8, 7, 6, 5, 4, 3, 2, 1, 9, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(binding.to_bytes().to_vec(), expected);
        assert_eq!(
            format!("{binding:?}"),
            "Binding(segment 72623859790382856-9 of database abababababababababababababababab)"
        );
    }
}
