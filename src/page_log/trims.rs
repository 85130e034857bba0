//! The trims in force: below which LSN a table's history is given back.

use std::collections::BTreeMap;

use super::codec::Trim;
use super::lsn::Lsn;

/// All trims of a log, and the highest start of each table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trims {
    list: Vec<Trim>,
    starts: BTreeMap<u64, Lsn>,
}

impl Trims {
    /// The trims in `list`.
    pub(crate) fn new(list: impl IntoIterator<Item = Trim>) -> Self {
        let mut trims = Self::default();
        list.into_iter().for_each(|trim| trims.push(trim));
        trims
    }

    /// Adds a trim that is above all others; one that is there already changes nothing.
    pub(crate) fn push(&mut self, trim: Trim) {
        if self.list.last().is_some_and(|last| last.lsn >= trim.lsn) {
            return;
        }
        self.list.push(trim);
        let start = self.starts.entry(trim.table).or_insert(trim.start);
        *start = trim.start.max(*start);
    }

    /// Where the table's history begins.
    pub(crate) fn start(&self, table: u64) -> Lsn {
        self.starts.get(&table).copied().unwrap_or(Lsn::NONE)
    }

    /// Those that are not above `lsn`.
    pub(crate) fn up_to(&self, lsn: Lsn) -> Self {
        Self::new(self.list.iter().copied().filter(|trim| trim.lsn <= lsn))
    }

    /// In the order of their LSNs, one a table being enough where nothing lies between them: a trim that a later one covers is left
    /// out, if both are not above `settled`.
    pub(crate) fn list(&self, settled: Lsn) -> Vec<Trim> {
        let mut covered: BTreeMap<u64, Lsn> = BTreeMap::new();
        let mut list = Vec::new();
        for trim in self.list.iter().rev() {
            if covered.get(&trim.table).is_none_or(|start| *start < trim.start) {
                list.push(*trim);
            }
            if trim.lsn <= settled {
                let start = covered.entry(trim.table).or_insert(trim.start);
                *start = trim.start.max(*start);
            }
        }
        list.reverse();
        list
    }
}
