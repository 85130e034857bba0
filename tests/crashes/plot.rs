//! What leaders do, and what databases must hold because of it: both follow from a seed alone, so that every process can work them out by itself.
//!
//! A leader works in *cycles*, each of which ends with a checkpoint; a *life* is one leader process. What a cycle does depends on the seed, its
//! number and the life, so that the work of a dead leader is told from the same cycle of the next one. A checkpoint carries its [`Lineage`]: which life
//! did which cycles up to it. That says all that must be in it.

use std::collections::BTreeMap;
use std::fmt;

/// The engine's tables: one like any, and one that is trimmed.
pub(crate) const PLAIN: u64 = 7;
pub(crate) const TRIMMED: u64 = 9;

/// Pages of each.
const PAGES: u64 = 6;
/// Records of a page before it is written as a whole again: two more than an index block or a segment holds here.
const LONGEST_CHAIN: usize = 9;

/// The numbers of SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seeds: &[u64]) -> Self {
        let mut dice = Self(0);
        for seed in seeds {
            dice.0 ^= seed;
            dice.0 = dice.next();
        }
        dice
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// One record's content: who wrote it, and which one it was of that cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    life: u64,
    cycle: u64,
    number: u64,
}

impl Content {
    /// Its bytes: now and then none, mostly some hundreds.
    pub(crate) fn bytes(self, seed: u64) -> Vec<u8> {
        let mut dice = Dice::new(&[seed, self.life, self.cycle, self.number]);
        let length = match dice.below(8) {
            0 => 0,
            1 => dice.below(6000),
            _ => dice.below(900),
        };
        let mut bytes = Vec::new();
        while bytes.len() < length as usize {
            bytes.extend_from_slice(&dice.next().to_le_bytes());
        }
        bytes.truncate(length as usize);
        bytes
    }
}

/// The pages that are there, with the records of their chains, oldest first.
pub(crate) type Pages = BTreeMap<(u64, u64), Vec<Content>>;

/// One thing that a leader does to its pages.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    Full {
        table: u64,
        page: u64,
        content: Content,
    },
    Delta {
        table: u64,
        page: u64,
        content: Content,
    },
    Discard {
        table: u64,
        page: u64,
    },
    /// Of everything in [`TRIMMED`].
    Trim,
}

impl Change {
    pub(crate) fn apply(self, pages: &mut Pages) {
        match self {
            Self::Full { table, page, content } => drop(pages.insert((table, page), vec![content])),
            Self::Delta { table, page, content } => pages.get_mut(&(table, page)).unwrap().push(content),
            Self::Discard { table, page } => drop(pages.remove(&(table, page))),
            Self::Trim => pages.retain(|(table, _), _| *table != TRIMMED),
        }
    }
}

/// What a leader does in one cycle.
#[derive(Debug)]
pub(crate) struct Cycle {
    /// Done, and then abandoned.
    pub(crate) abandoned: Vec<Change>,
    pub(crate) changes: Vec<Change>,
    /// Whether a new key is made first.
    pub(crate) rotates: bool,
    /// Whether all of it is flushed before the checkpoint.
    pub(crate) flushes: bool,
    /// Whether the checkpoint is driven step by step.
    pub(crate) in_steps: bool,
    /// What is done after it.
    pub(crate) merges: bool,
    pub(crate) looks_back: bool,
    pub(crate) collects: bool,
}

impl Cycle {
    /// What life `life` does in cycle `number`, on `pages`.
    pub(crate) fn of(seed: u64, life: u64, number: u64, pages: &Pages) -> Self {
        let mut dice = Dice::new(&[seed, life, number]);
        let mut contents = 0;
        let mut changes = |dice: &mut Dice, pages: &Pages, count: u64| {
            let mut pages = pages.clone();
            let mut changes = Vec::new();
            for _ in 0..count {
                contents += 1;
                let content = Content { life, cycle: number, number: contents };
                let change = draw(dice, &pages, content);
                change.apply(&mut pages);
                changes.push(change);
            }
            changes
        };
        let abandons = dice.below(5) == 0;
        let abandoned = if abandons { changes(&mut dice, pages, 3) } else { Vec::new() };
        let count = 2 + dice.below(9);
        Self {
            abandoned,
            changes: changes(&mut dice, pages, count),
            rotates: dice.below(3) == 0,
            flushes: dice.below(4) == 0,
            in_steps: dice.below(4) == 0,
            merges: dice.below(3) == 0,
            looks_back: dice.below(3) == 0,
            collects: dice.below(3) == 0,
        }
    }
}

fn draw(dice: &mut Dice, pages: &Pages, content: Content) -> Change {
    let (table, page) = ([PLAIN, TRIMMED][dice.below(2) as usize], dice.below(PAGES));
    let chain = pages.get(&(table, page)).map_or(0, Vec::len);
    match dice.below(20) {
        0 => Change::Trim,
        1 | 2 if chain > 0 => Change::Discard { table, page },
        3..14 if (1..LONGEST_CHAIN).contains(&chain) => Change::Delta { table, page, content },
        _ => Change::Full { table, page, content },
    }
}

/// Which life did which cycles: lives with the last cycle of each, in their order. Written `3.12/5.14`: life 3 did the
/// first twelve, life 5 two more; `-` if there was none.
#[derive(Debug, Clone, PartialEq, Eq, Default, PartialOrd, Ord)]
pub(crate) struct Lineage(Vec<(u64, u64)>);

impl Lineage {
    pub(crate) fn parse(text: &str) -> Self {
        let part = |part: &str| {
            let (life, last) = part.split_once('.').unwrap_or_else(|| panic!("no lineage: {text:?}"));
            (life.parse().unwrap(), last.parse().unwrap())
        };
        if matches!(text, "" | "-") {
            return Self::default();
        }
        Self(text.split('/').map(part).collect())
    }

    /// How many cycles there were.
    pub(crate) fn cycles(&self) -> u64 {
        self.0.last().map_or(0, |(_, last)| *last)
    }

    /// One cycle more, by `life`.
    pub(crate) fn then(&self, life: u64) -> Self {
        let mut longer = self.clone();
        let next = self.cycles() + 1;
        match longer.0.last_mut() {
            Some((last, cycles)) if *last == life => *cycles = next,
            _ => longer.0.push((life, next)),
        }
        longer
    }

    fn life_of(&self, cycle: u64) -> Option<u64> {
        self.0.iter().find(|(_, last)| cycle <= *last).map(|(life, _)| *life)
    }

    /// Whether `later` went on from here, or is the same.
    pub(crate) fn leads_to(&self, later: &Self) -> bool {
        let Some(((life, last), before)) = self.0.split_last() else { return true };
        later.0.starts_with(before) && later.0.get(before.len()).is_some_and(|(next, end)| next == life && end >= last)
    }

    /// All that must be there.
    pub(crate) fn pages(&self, seed: u64) -> Pages {
        let mut pages = Pages::new();
        for number in 1..=self.cycles() {
            let life = self.life_of(number).unwrap();
            for change in Cycle::of(seed, life, number, &pages).changes {
                change.apply(&mut pages);
            }
        }
        pages
    }
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(life, last)| format!("{life}.{last}")).collect();
        f.write_str(if parts.is_empty() { "-".to_owned() } else { parts.join("/") }.as_str())
    }
}

#[test]
fn lineages_are_told_apart() {
    let line = Lineage::parse;
    assert_eq!(line("3.12/5.14").to_string(), "3.12/5.14");
    assert_eq!(line("").then(3).then(3).then(4), line("3.2/4.3"));
    for (earlier, later) in
        [("", "1.1"), ("1.1", "1.1"), ("1.1", "1.2"), ("1.2", "1.2/2.3"), ("1.2/2.3", "1.2/2.5/3.6")]
    {
        assert!(line(earlier).leads_to(&line(later)), "{earlier} {later}");
    }
    for (earlier, later) in [
        ("1.2", "1.1"),
        ("1.2", "1.1/2.2"),
        ("1.2/2.3", "1.2"),
        ("1.2/2.3", "1.1/2.3"),
        ("1.1", "2.1"),
        ("1.2/2.4", "1.2/3.3/2.5"),
    ] {
        assert!(!line(earlier).leads_to(&line(later)), "{earlier} {later}");
    }
}
