//! Which instances keep a value, by the identities of their databases.
//!
//! An instance whose disk was lost comes back with a new identity. It is then no member, and has no vote, until it was reseeded.

use std::fmt;

/// Instances of one group.
pub const MAX_MEMBERS: usize = 9;

/// The identity of one instance's database: 128 random bits, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(pub u128);

impl InstanceId {
    /// Reads 32 hexadecimal digits in small letters.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.len() == 32 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        u128::from_str_radix(text, 16).ok().filter(|_| plain).map(Self)
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstanceId({self})")
    }
}

/// The members of a group, in ascending order, each once. Empty for a value that no quorum client wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members(Vec<InstanceId>);

impl Members {
    /// Members in any order. None if one comes twice, or there are too many.
    pub fn new(ids: impl IntoIterator<Item = InstanceId>) -> Option<Self> {
        let mut ids: Vec<_> = ids.into_iter().take(MAX_MEMBERS + 1).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        (ids.len() == count && count <= MAX_MEMBERS).then_some(Self(ids))
    }

    /// Reads identities with commas between, in ascending order.
    pub fn parse(text: &str) -> Option<Self> {
        let mut ids = Vec::new();
        for id in text.split(',').take(MAX_MEMBERS + 1) {
            let id = InstanceId::parse(id)?;
            if ids.last().is_some_and(|last| *last >= id) {
                return None;
            }
            ids.push(id);
        }
        (ids.len() <= MAX_MEMBERS).then_some(Self(ids))
    }

    /// The identities.
    pub fn ids(&self) -> &[InstanceId] {
        &self.0
    }

    /// Whether it is one of them.
    pub fn contains(&self, id: InstanceId) -> bool {
        self.0.contains(&id)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, id) in self.0.iter().enumerate() {
            write!(f, "{}{id}", if number == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn one_form() {
        let members = Members::new([InstanceId(7), InstanceId(3)]).unwrap();
        let text = format!("{:032x},{:032x}", 3, 7);
        assert_eq!((members.to_string(), Members::parse(&text)), (text, Some(members)));
        for text in [
            "",
            ",",
            "3",
            &format!("{:032x},{:032x}", 7, 3),
            &format!("{:032x},{:032x}", 7, 7),
            &format!("{:032x},", 7),
        ] {
            assert_eq!(Members::parse(text), None, "{text}");
        }
        let many: Vec<_> = (0..=MAX_MEMBERS as u128).map(InstanceId).collect();
        assert_eq!(Members::new(many.clone()), None);
        assert!(Members::new(many.into_iter().skip(1)).is_some());
        assert_eq!(Members::new([InstanceId(1), InstanceId(1)]), None);
    }
}
