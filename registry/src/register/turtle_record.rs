//! The turtle objects of a database whose registry is a register: their names, and how they are written and read.
//!
//! The register says which turtle is the newest; its object is in the bucket before the register names it. So that two who try for one number never
//! meet, the name has everything that tells them apart: number, epoch and checksum. The name of the turtle before one can be told from that one: by its
//! checksum, and its epoch, for epochs have no gaps. So a history is read without listings.

use std::time::SystemTime;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use plastron_config::ErrorKind;
use plastron_sources::{Bucket, ListOptions};

use crate::bucket::ListedTurtle;
use crate::error::Fault;
use crate::turtle_object::TurtleObject;
use crate::version::Version;

const SUFFIX: &str = ".turtle";
const DIGITS: usize = 20;
const CHECKSUM_DIGITS: usize = 8;

/// The name of the object of that turtle.
pub(crate) fn record_name(version: &Version) -> String {
    let Version { sequence, epoch, checksum } = version;
    format!("{}{sequence:0DIGITS$}-{epoch:0DIGITS$}-{checksum:0CHECKSUM_DIGITS$x}{SUFFIX}", ListedTurtle::PREFIX)
}

/// The turtle in a name; none for names that are not of records.
pub(crate) fn record_in(name: &str) -> Option<Version> {
    let mut parts = name.strip_prefix(ListedTurtle::PREFIX)?.strip_suffix(SUFFIX)?.split('-');
    let (sequence, epoch, checksum) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
    let version = Version { sequence, epoch, checksum: u32::from_str_radix(checksum, 16).ok()? };
    (sequence > 0 && epoch > 0 && record_name(&version) == name).then_some(version)
}

/// The turtle before `turtle`, whose version is known from it; none for the first.
pub(crate) fn before(turtle: &TurtleObject) -> Option<Version> {
    let sequence = turtle.sequence.checked_sub(1).filter(|sequence| *sequence > 0)?;
    let epoch = if turtle.opened_at == turtle.sequence { turtle.epoch.saturating_sub(1) } else { turtle.epoch };
    Some(Version { sequence, epoch, checksum: turtle.previous })
}

/// A record that is listed.
#[derive(Debug, Clone)]
pub(crate) struct ListedRecord {
    pub(crate) version: Version,
    pub(crate) size: u64,
    pub(crate) created: SystemTime,
}

/// The records in a bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct TurtleRecordObjects(Bucket);

impl TurtleRecordObjects {
    pub(crate) fn new(bucket: &Bucket) -> Self {
        Self(bucket.system())
    }

    /// All names under the turtles' prefix, whose beginning is `within`.
    fn names(&self, within: &str) -> BoxStream<'static, plastron_sources::Result<(String, u64, SystemTime)>> {
        let entries = self.0.list(&format!("{}{within}", ListedTurtle::PREFIX), ListOptions::default());
        let objects = entries.try_filter_map(|entry| std::future::ready(Ok(entry.into_object())));
        objects.map_ok(|object| (object.name, object.size, object.created)).boxed()
    }

    /// Records of that number, or of all.
    pub(crate) async fn list(&self, sequence: Option<u64>) -> Result<Vec<ListedRecord>, Fault> {
        let within = sequence.map(|sequence| format!("{sequence:0DIGITS$}-")).unwrap_or_default();
        let record = |(name, size, created): (String, u64, SystemTime)| {
            std::future::ready(Ok(record_in(&name).map(|version| ListedRecord { version, size, created })))
        };
        Ok(self.names(&within).try_filter_map(record).try_collect().await?)
    }

    /// A turtle that shows that there is a database already: one of the bucket's own registry, or a record that is not just an attempt to
    /// begin. What an attempt leaves behind has number 1 and no content.
    pub(crate) async fn any(&self) -> Result<Option<String>, Fault> {
        let mut names = self.names("");
        while let Some((name, ..)) = names.try_next().await? {
            let begins = record_in(&name).is_some_and(|version| version.sequence == 1);
            if !begins && ListedTurtle::sequence_in(&name).is_some() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Creates the record of `turtle`; one that is there already is fine, if it is the same.
    pub(crate) async fn create(&self, turtle: &TurtleObject) -> Result<Version, Fault> {
        let (bytes, version) = turtle.encode()?;
        let name = record_name(&version);
        match self.0.put(&name, bytes.clone()).await {
            Ok(_) => Ok(version),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let (_, found) = self.0.get(&name).await?;
                if found == bytes {
                    return Ok(version);
                }
                // Two who took over at once drew random bits that give one checksum.
                Err(Fault::Invalid(format!(
                    "{name} is there, and holds another turtle of the same checksum; try again"
                )))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The record of that turtle, its size and when it was created; none if it is not there.
    pub(crate) async fn get(&self, version: &Version) -> Result<Option<(TurtleObject, u64, SystemTime)>, Fault> {
        let (info, bytes): (_, Bytes) = match self.0.get(&record_name(version)).await {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (turtle, found) = TurtleObject::decode(&bytes)?;
        if found != *version {
            return Err(Fault::corrupt(
                16,
                format!("it says that it is turtle {found:?}, and stands in the place of {version:?}"),
            ));
        }
        Ok(Some((turtle, bytes.len() as u64, info.created)))
    }

    pub(crate) async fn exists(&self, version: &Version) -> Result<bool, Fault> {
        Ok(self.0.exists(&record_name(version)).await?)
    }

    /// Removes one; says whether it was there.
    pub(crate) async fn remove(&self, version: &Version) -> Result<bool, Fault> {
        match self.0.delete(&record_name(version)).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn names_are_read_back_and_sorted_by_number() {
        let version = Version { sequence: 12, epoch: 3, checksum: 0xbeef };
        let name = "_plastron/turtle/00000000000000000012-00000000000000000003-0000beef.turtle";
        assert_eq!((record_name(&version).as_str(), record_in(name)), (name, Some(version)));
        for other in [
            "_plastron/turtle/00000000000000000012.turtle",
            "_plastron/turtle/00000000000000000012-00000000000000000003-0000BEEF.turtle",
            "_plastron/turtle/00000000000000000000-00000000000000000003-0000beef.turtle",
            "_plastron/turtle/00000000000000000012-00000000000000000003-0000beef-1.turtle",
            "_plastron/turtle/12-3-beef.turtle",
        ] {
            assert_eq!(record_in(other), None, "{other}");
        }
        assert!(record_name(&version) < record_name(&Version { sequence: 100, epoch: 1, checksum: 0 }));
    }

    #[test]
    fn the_one_before_is_named_by_the_one_behind() {
        let turtle = |sequence, epoch, opened_at| TurtleObject {
            sequence,
            epoch,
            opened_at,
            writer: 1,
            owner: "o".into(),
            previous: if sequence > 1 { 7 } else { 0 },
            content: None,
        };
        let of = |sequence, epoch| Some(Version { sequence, epoch, checksum: 7 });
        assert_eq!(before(&turtle(9, 3, 7)), of(8, 3));
        assert_eq!(before(&turtle(7, 3, 7)), of(6, 2));
        assert_eq!(before(&turtle(1, 1, 1)), None);
    }
}
