//! Scenario 25: the tree against a `BTreeMap`, and against a plain recursive definition of its root.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use plastron_keyserver::Digest;
use plastron_keyserver::merkle::{Page, Root, Terminal, Tree, TreeHasher, TreeProof};
use proptest::prelude::*;
use support::Pages;

/// The root by its definition: no pages, no order, no sharing.
fn defined(hasher: &TreeHasher, leaves: &[(Digest, Digest)], path: Digest, depth: usize) -> Digest {
    match leaves {
        [] => hasher.empty(&path, depth),
        [(index, value)] => hasher.leaf(index, value),
        _ => {
            let split = leaves.partition_point(|(index, _)| !index.bit(depth));
            let mut right = path;
            right.0[depth / 8] |= 0x80 >> (depth % 8);
            let left = defined(hasher, &leaves[..split], path, depth + 1);
            hasher.node(&left, &defined(hasher, &leaves[split..], right, depth + 1))
        }
    }
}

/// Indices that share long prefixes, as no honest ones do, and some that do not.
fn index() -> impl Strategy<Value = Digest> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(Digest),
        (0..4_u8, 0..8_usize, any::<u8>()).prop_map(|(first, place, byte)| {
            let mut bytes = [0; 32];
            bytes[0] = first;
            bytes[31 - place * 4] = byte;
            Digest(bytes)
        }),
    ]
}

struct Realm {
    hasher: TreeHasher,
    pages: Pages,
    root: Root,
    next: u64,
    model: BTreeMap<Digest, Digest>,
}

impl Realm {
    fn new() -> Self {
        let hasher = TreeHasher::new(&Digest([7; 32]));
        let root = Tree::<Pages>::empty(&hasher);
        Self { hasher, pages: Pages::default(), root, next: 1, model: BTreeMap::new() }
    }

    fn tree(&self) -> Tree<'_, Pages> {
        Tree::new(&self.hasher, &self.pages)
    }

    /// An epoch; gives the pages that it retires.
    fn epoch(&mut self, changes: &BTreeMap<Digest, Digest>) -> Vec<u64> {
        let change = self.tree().apply(&self.root, changes, self.next).unwrap();
        for (id, page) in change.written {
            assert_eq!(Page::decode(&page.encode()).unwrap(), page);
            assert!(self.pages.0.insert(id, Arc::new(page)).is_none(), "page {id} is written twice");
        }
        (self.root, self.next) = (change.root, change.next_page);
        self.model.extend(changes);
        change.retired
    }

    fn check(&self, root: &Root, model: &BTreeMap<Digest, Digest>, others: &[Digest]) {
        let leaves: Vec<_> = model.iter().map(|(index, value)| (*index, *value)).collect();
        assert_eq!(root.hash, defined(&self.hasher, &leaves, Digest::NONE, 0));
        let mut walked = Vec::new();
        self.tree().walk(root, |index, value| walked.push((index, value)), |_| {}).unwrap();
        assert_eq!(walked, leaves);
        for index in model.keys().chain(others) {
            let value = model.get(index);
            assert_eq!(self.tree().get(root, index).unwrap().as_ref(), value);
            let proof = self.tree().prove(root, index).unwrap();
            assert_eq!(matches!(proof.terminal(), Terminal::Present), value.is_some());
            assert!(proof.proves(&self.hasher, &root.hash, index, value));
            // Nothing else: not another value, not the contrary, not another index, root or realm.
            let wrong = Digest([0xee; 32]);
            assert!(!proof.proves(&self.hasher, &root.hash, index, Some(&wrong)));
            assert!(!proof.proves(&self.hasher, &wrong, index, value));
            assert!(!proof.proves(&TreeHasher::new(&wrong), &root.hash, index, value));
            let contrary = if value.is_some() { None } else { Some(&wrong) };
            assert!(!proof.proves(&self.hasher, &root.hash, index, contrary));
            if value.is_some() {
                let mut near = *index;
                near.0[31] ^= 1;
                assert!(!proof.proves(&self.hasher, &root.hash, &near, value));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every epoch that is retained can be looked up; what is retired is in no later one.
    #[test]
    fn scenario_25_the_tree_agrees_with_a_map_at_every_epoch(
        epochs in prop::collection::vec(prop::collection::btree_map(index(), any::<[u8; 32]>().prop_map(Digest), 0..12), 1..6),
        others in prop::collection::vec(index(), 4),
    ) {
        let mut realm = Realm::new();
        let mut kept = Vec::new();
        let mut retired = Vec::new();
        for changes in &epochs {
            let gone = realm.epoch(changes);
            retired.extend(gone);
            kept.push((realm.root, realm.model.clone()));
        }
        for (root, model) in &kept {
            realm.check(root, model, &others);
        }
        // In whatever portions it comes, the tree is the same.
        let mut whole = Realm::new();
        whole.epoch(&realm.model);
        prop_assert_eq!(whole.root.hash, realm.root.hash);
        // The last epoch lives without what was retired, and what is left is what it needs.
        for id in &retired {
            realm.pages.0.remove(id);
        }
        let (root, model) = kept.last().unwrap();
        realm.check(root, model, &others);
        let mut pages = 0;
        realm.tree().walk(root, |_, _| {}, |_| pages += 1).unwrap();
        prop_assert_eq!(pages, realm.pages.0.len());
    }

    #[test]
    fn any_bytes_are_no_page_or_have_one_form(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_ne!(plastron_keyserver::fuzzing::tree_page(&bytes), Some(false));
        prop_assert_ne!(plastron_keyserver::fuzzing::message(&bytes), Some(false));
    }
}

#[test]
fn a_large_directory_has_short_proofs() {
    let mut realm = Realm::new();
    let names = 20_000_u64;
    let spread = |number: u64| {
        Digest(
            *TreeHasher::new(&Digest([9; 32]))
                .leaf(
                    &Digest::NONE,
                    &Digest({
                        let mut bytes = [0; 32];
                        bytes[..8].copy_from_slice(&number.to_be_bytes());
                        bytes
                    }),
                )
                .as_bytes(),
        )
    };
    for batch in 0..4 {
        let changes = (batch * names / 4..(batch + 1) * names / 4).map(|number| (spread(number), Digest([1; 32])));
        realm.epoch(&changes.collect());
    }
    let longest =
        (0..100).map(|number| proof_bytes(&realm.tree().prove(&realm.root, &spread(number * 7)).unwrap())).max();
    // 2¹⁴·³ names: some fifteen siblings, and a few more where two indices are close.
    assert!(longest.unwrap() < 24 * 32, "{longest:?}");
}

fn proof_bytes(proof: &TreeProof) -> usize {
    use plastron_keyserver::proto::Message;
    let mut answer = support::Book::new().answer("node/a/1", &[]).1;
    let without = answer.body().len();
    answer.tree = proof.clone();
    answer.body().len() - without
}

#[test]
fn a_page_that_is_damaged_or_in_the_wrong_place_is_found() {
    let mut realm = Realm::new();
    let changes: BTreeMap<_, _> =
        (0..64_u8).map(|number| (Digest([number.wrapping_mul(37); 32]), Digest([number; 32]))).collect();
    realm.epoch(&changes);
    let pages: Vec<u64> = realm.pages.0.keys().copied().collect();
    for id in &pages {
        let page = realm.pages.0[id].clone();
        let bytes = page.encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Page::decode(&flipped).is_err());
        }
        // Another page in its place, and none at all.
        for other in pages.iter().filter(|other| *other != id) {
            let swapped = realm.pages.0[other].clone();
            realm.pages.0.insert(*id, swapped);
            assert!(realm.tree().walk(&realm.root, |_, _| {}, |_| {}).is_err());
        }
        realm.pages.0.remove(id);
        assert!(realm.tree().walk(&realm.root, |_, _| {}, |_| {}).is_err());
        realm.pages.0.insert(*id, page);
    }
    realm.tree().walk(&realm.root, |_, _| {}, |_| {}).unwrap();
}
