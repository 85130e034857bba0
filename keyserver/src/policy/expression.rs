//! Threshold expressions over keys.

use crate::encoding::{Reader, Writer};
use crate::{Error, Result};

/// How deep an expression can be: a key alone has depth 1.
pub const MAX_EXPRESSION_DEPTH: usize = 8;

/// What it takes: a key, or so many of several expressions. Keys are named by their place in the policy's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// A signature by the key at that place.
    Key(u16),
    /// That many of these.
    Threshold {
        /// How many, from 1 to as many as there are.
        threshold: u16,
        /// Of which.
        of: Vec<Expression>,
    },
}

impl Expression {
    /// `threshold` of the first `keys` keys.
    pub fn of_keys(threshold: u16, keys: u16) -> Self {
        if keys == 1 && threshold == 1 {
            return Self::Key(0);
        }
        Self::Threshold { threshold, of: (0..keys).map(Self::Key).collect() }
    }

    /// Checks that it can be met, and that it uses each of `keys` keys exactly once; `used` collects them.
    pub(crate) fn check(&self, keys: usize) -> Result<()> {
        let mut used = vec![false; keys];
        self.check_at(1, &mut used)?;
        match used.iter().position(|used| !used) {
            Some(at) => Err(invalid(format!("key {at} is listed and not used; take it out of the list"))),
            None => Ok(()),
        }
    }

    fn check_at(&self, depth: usize, used: &mut [bool]) -> Result<()> {
        if depth > MAX_EXPRESSION_DEPTH {
            return Err(invalid(format!("it is deeper than {MAX_EXPRESSION_DEPTH}")));
        }
        match self {
            Self::Key(at) => {
                let keys = used.len();
                match used.get_mut(usize::from(*at)) {
                    None => Err(invalid(format!("it asks for key {at} of {keys}"))),
                    Some(true) => Err(invalid(format!("it asks for key {at} twice"))),
                    Some(used) => {
                        *used = true;
                        Ok(())
                    }
                }
            }
            Self::Threshold { threshold: 0, .. } => Err(invalid("a threshold of 0 asks for nobody")),
            Self::Threshold { threshold, of } if usize::from(*threshold) > of.len() => {
                Err(invalid(format!("{threshold} of {} can never be met", of.len())))
            }
            Self::Threshold { of, .. } if of.len() == 1 => {
                Err(invalid("a threshold over one thing is that thing; write it so"))
            }
            Self::Threshold { of, .. } => of.iter().try_for_each(|inner| inner.check_at(depth + 1, used)),
        }
    }

    /// Whether it is met where `signed` says which keys have signed. Only for what was checked.
    pub(crate) fn is_met(&self, signed: &impl Fn(u16) -> bool) -> bool {
        match self {
            Self::Key(at) => signed(*at),
            Self::Threshold { threshold, of } => {
                of.iter().filter(|inner| inner.is_met(signed)).take(usize::from(*threshold)).count()
                    == usize::from(*threshold)
            }
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Key(at) => {
                writer.u8(0).u16(*at);
            }
            Self::Threshold { threshold, of } => {
                writer.u8(1).u16(*threshold).count(of.len());
                of.iter().for_each(|inner| inner.write(writer));
            }
        }
    }

    /// Reads an expression that may be over `keys` keys; the depth is bounded before it is gone down.
    pub(crate) fn read(reader: &mut Reader<'_>, keys: usize) -> Result<Self> {
        Self::read_at(reader, keys, 1)
    }

    fn read_at(reader: &mut Reader<'_>, keys: usize, depth: usize) -> Result<Self> {
        if depth > MAX_EXPRESSION_DEPTH {
            return Err(reader.fault(format!("an expression is deeper than {MAX_EXPRESSION_DEPTH}")));
        }
        match reader.u8()? {
            0 => Ok(Self::Key(reader.u16()?)),
            1 => {
                let threshold = reader.u16()?;
                let count = reader.count(keys, 3)?;
                let of = (0..count).map(|_| Self::read_at(reader, keys, depth + 1)).collect::<Result<_>>()?;
                Ok(Self::Threshold { threshold, of })
            }
            other => Err(reader.fault(format!("{other} is no sort of expression"))),
        }
    }
}

fn invalid(why: impl Into<String>) -> Error {
    Error::Invalid { what: "quorum expression", why: why.into() }
}
