//! ProxyFS's checkpoint header: `"%016X %016X %016X %016X"`, 67 bytes.
//!
//! | offset | bytes | field |
//! | ---: | ---: | --- |
//! | 0 | 16 | version of what follows, hexadecimal in capitals |
//! | 16 | 1 | space |
//! | 17 | 16 | number of the object that holds the super block |
//! | 33 | 1 | space |
//! | 34 | 16 | bytes of the super block, at the end of that object |
//! | 50 | 1 | space |
//! | 51 | 16 | nonces are reserved up to this one |

use std::fmt;

/// Bytes of the form.
pub const CHECK_POINT_BYTES: usize = 67;

/// ProxyFS's checkpoint. It is ordered by the nonces reserved, then by the number of the super block's object: both only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CheckPoint {
    /// Version of the layout.
    pub version: u64,
    /// Number of the object with the super block.
    pub super_block_object_number: u64,
    /// Bytes of the super block.
    pub super_block_length: u64,
    /// Nonces up to this one are taken.
    pub reserved_to_nonce: u64,
}

impl CheckPoint {
    /// Reads the form; none for any other bytes, such as with small letters or a line's end.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() == CHECK_POINT_BYTES)?;
        let mut fields = text.split(' ').map(|field| {
            let plain = field.len() == 16 && field.bytes().all(|c| matches!(c, b'0'..=b'9' | b'A'..=b'F'));
            u64::from_str_radix(field, 16).ok().filter(|_| plain)
        });
        let mut next = || fields.next().flatten();
        let (version, super_block_object_number) = (next()?, next()?);
        let (super_block_length, reserved_to_nonce) = (next()?, next()?);
        let found = Self { version, super_block_object_number, super_block_length, reserved_to_nonce };
        fields.next().is_none().then_some(found)
    }

    /// What it is ordered by.
    pub fn order(&self) -> (u64, u64) {
        (self.reserved_to_nonce, self.super_block_object_number)
    }
}

impl fmt::Display for CheckPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, super_block_object_number, super_block_length, reserved_to_nonce } = self;
        write!(f, "{version:016X} {super_block_object_number:016X} {super_block_length:016X} {reserved_to_nonce:016X}")
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_form_is_exact() {
        let text = b"0000000000000003 00000000000000A1 0000000000001000 FFFFFFFFFFFFFFFF";
        let found = CheckPoint::parse(text).unwrap();
        assert_eq!(found.order(), (u64::MAX, 0xa1));
        for wrong in [
            &text[..66],
            b"0000000000000003 00000000000000a1 0000000000001000 FFFFFFFFFFFFFFFF",
            b"0000000000000003  0000000000000A1 0000000000001000 FFFFFFFFFFFFFFFF",
            b"+000000000000003 00000000000000A1 0000000000001000 FFFFFFFFFFFFFFFF",
            b"000000000000000300000000000000A1 0000000000001000 FFFFFFFFFFFFFFFF ",
            b"0000000000000003 00000000000000A1 0000000000001000 FFFFFFFFFFFFFFF\n",
        ] {
            assert_eq!(CheckPoint::parse(wrong), None);
        }
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(version: u64, object: u64, length: u64, nonce: u64) {
            let all = CheckPoint { version, super_block_object_number: object, super_block_length: length, reserved_to_nonce: nonce };
            prop_assert_eq!(all.to_string().len(), CHECK_POINT_BYTES);
            prop_assert_eq!(CheckPoint::parse(all.to_string().as_bytes()), Some(all));
        }

        #[test]
        fn takes_one_form_only(bytes in proptest::collection::vec(proptest::sample::select(b"0123456789ABCDEFabcdef \n+".to_vec()), 60..70)) {
            if let Some(found) = CheckPoint::parse(&bytes) {
                let text = found.to_string();
                prop_assert_eq!(text.as_bytes(), &bytes[..]);
            }
        }
    }
}
