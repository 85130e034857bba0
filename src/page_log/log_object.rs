//! The names of a log's objects: segments and index runs.

/// Digits of every number in a name.
const DIGITS: usize = 20;

/// An object of a log, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum LogObject {
    /// `_plastron/log/<epoch>-<sequence>.seg`.
    Segment { epoch: u64, sequence: u64 },
    /// `_plastron/index/<epoch>-<number>.idx`.
    Run { epoch: u64, number: u64 },
}

impl LogObject {
    /// Where segments stand.
    pub(crate) const SEGMENTS: &'static str = "_plastron/log/";
    /// Where index runs stand.
    pub(crate) const RUNS: &'static str = "_plastron/index/";

    /// Its name: numbers have 20 digits, so that the order of names is the order of numbers.
    pub(crate) fn object_name(self) -> String {
        match self {
            Self::Segment { epoch, sequence } => format!("{}{epoch:0DIGITS$}-{sequence:0DIGITS$}.seg", Self::SEGMENTS),
            Self::Run { epoch, number } => format!("{}{epoch:0DIGITS$}-{number:0DIGITS$}.idx", Self::RUNS),
        }
    }

    /// The object of that name; none for other names.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let segment = name.strip_prefix(Self::SEGMENTS).and_then(|rest| rest.strip_suffix(".seg"));
        let run = name.strip_prefix(Self::RUNS).and_then(|rest| rest.strip_suffix(".idx"));
        let (epoch, number) = segment.or(run)?.split_once('-')?;
        let decimal = |text: &str| {
            let plain = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u64>().ok().filter(|_| plain)
        };
        let (epoch, number) = (decimal(epoch)?, decimal(number)?);
        Some(match segment {
            Some(_) => Self::Segment { epoch, sequence: number },
            None => Self::Run { epoch, number },
        })
    }

    /// The epoch of its writer.
    pub(crate) fn epoch(self) -> u64 {
        match self {
            Self::Segment { epoch, .. } | Self::Run { epoch, .. } => epoch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let segment = "_plastron/log/00000000000000000003-00000000000000000007.seg";
        assert_eq!(LogObject::parse(segment), Some(LogObject::Segment { epoch: 3, sequence: 7 }));
        assert_eq!(LogObject::Segment { epoch: 3, sequence: 7 }.object_name(), segment);
        let run = "_plastron/index/00000000000000000003-00000000000000000007.idx";
        assert_eq!(LogObject::parse(run), Some(LogObject::Run { epoch: 3, number: 7 }));
        assert_eq!(LogObject::Run { epoch: 3, number: 7 }.object_name(), run);
        for other in ["_plastron/log/3-7.seg", "_plastron/log/x.seg", "_plastron/kek/00000000000000000007.kek", ""] {
            assert_eq!(LogObject::parse(other), None, "{other}");
        }
    }
}
