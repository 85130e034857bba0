//! KEK pages: read from their objects, given to the key module, and the one in force.

use bytes::Bytes;
use plastron_keys::KekPage;
use plastron_registry::{Ancestor, KekRef, Turtle};

use super::CheckpointFault;
use super::volume::Volume;
use crate::page_log::Lsn;

/// Where KEK objects stand.
pub(crate) const KEKS: &str = "_plastron/kek/";

/// The KEK page in force.
#[derive(Debug, Clone)]
pub(crate) struct Kek {
    pub(crate) lsn: Lsn,
    /// The page, header included.
    pub(crate) page: Bytes,
    /// False if its record in the page log was abandoned, so that it has to be written again.
    pub(crate) in_log: bool,
}

/// The object with the KEK page of that LSN.
pub(crate) fn object_name(lsn: Lsn) -> String {
    format!("{KEKS}{:020}.kek", lsn.get())
}

/// The LSN in the name of a KEK object; none for other names.
pub(crate) fn lsn_in(name: &str) -> Option<Lsn> {
    let lsn = Lsn::new(name.strip_prefix(KEKS)?.strip_suffix(".kek")?.parse().ok()?);
    (object_name(lsn) == name).then_some(lsn)
}

impl Kek {
    pub(crate) fn reference(&self) -> KekRef {
        KekRef { lsn: self.lsn.get(), object: object_name(self.lsn) }
    }

    /// Reads and checks the KEK page that a turtle names.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`; `NotFound` if it is gone; those of the bucket.
    pub(crate) async fn read(volume: &Volume, kek: &KekRef, ancestors: &[Ancestor]) -> Result<Self, CheckpointFault> {
        let lsn = Lsn::new(kek.lsn);
        if kek.object != object_name(lsn) {
            let check = format!("a turtle names it as the object of the KEK page at LSN {lsn}, which is another");
            return Err(CheckpointFault::Corrupt { object: kek.object.clone(), check });
        }
        let (_, page) = volume.home(lsn.epoch(), ancestors)?.get(&kek.object).await?;
        KekPage::decode(&page).map_err(|fault| CheckpointFault::kek_page("read", kek.object.as_str(), fault))?;
        Ok(Self { lsn, page, in_log: true })
    }

    /// Gives the key module the KEK page that `turtle` names, unless it has it already.
    ///
    /// # Errors
    /// As [`Kek::read`]; what the module says. What was loaded before still is.
    pub(crate) async fn load(
        volume: &Volume,
        turtle: &Turtle,
        loaded: Option<Self>,
    ) -> Result<Option<Self>, CheckpointFault> {
        let Some(wanted) = &turtle.kek else { return Ok(loaded) };
        if let Some(loaded) = loaded.filter(|loaded| loaded.lsn.get() == wanted.lsn) {
            return Ok(Some(loaded));
        }
        let kek = Self::read(volume, wanted, &turtle.ancestors).await?;
        let decoded = KekPage::decode(&kek.page);
        let page = decoded.map_err(|fault| CheckpointFault::kek_page("load", wanted.object.as_str(), fault))?;
        volume.keys.load_key_blob(page.blob).await?;
        tracing::debug!(object = %wanted.object, "loaded a KEK page");
        Ok(Some(kek))
    }
}
