//! Scenarios 2, 3 and 18: rules of updates, of quorum expressions, and replays, as tables.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use plastron_keyserver::policy::{Expression, MAX_EXPRESSION_DEPTH, MAX_POLICY_KEYS};
use plastron_keyserver::proto::*;
use plastron_keyserver::{AuthorizationPolicy, Digest, PublicKey, Refusal, check_change};
use support::{Book, first_update, key, next_update, publics, sign_head};

fn expression(text: &str) -> Expression {
    // `k` for a key, `n(a b)` for n of a and b.
    fn parse(text: &mut &str) -> Expression {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number = text[..digits].parse().unwrap();
        *text = &text[digits..];
        let Some(rest) = text.strip_prefix('(') else { return Expression::Key(number) };
        *text = rest;
        let mut of = Vec::new();
        loop {
            *text = text.trim_start();
            if let Some(rest) = text.strip_prefix(')') {
                *text = rest;
                return Expression::Threshold { threshold: number, of };
            }
            of.push(parse(text));
        }
    }
    parse(&mut &text[..])
}

fn sorted(count: u8) -> Vec<PublicKey> {
    let mut keys = publics(&(1..=count).collect::<Vec<_>>());
    keys.sort();
    keys
}

#[test]
fn scenario_03_quorum_expressions_that_are_accepted_and_refused() {
    for (keys, text, refused) in [
        (1, "0", ""),
        (3, "2(0 1 2)", ""),
        (3, "3(2 1 0)", ""),
        (5, "2(0 2(1 2) 1(3 4))", ""),
        (2, "0", "not used"),
        (3, "2(0 1)", "not used"),
        (2, "0(0 1)", "threshold of 0"),
        (2, "3(0 1)", "never be met"),
        (2, "2(0 0)", "twice"),
        (3, "2(0 1(0 1 2))", "twice"),
        (2, "1(0 2)", "key 2 of 2"),
        (1, "1(0)", "is that thing"),
        (1, "1()", "never be met"),
        (1, "0()", "threshold of 0"),
        (2, "1(0 1(1))", "is that thing"),
    ] {
        match (AuthorizationPolicy::new(sorted(keys), expression(text)), refused) {
            (Ok(_), "") => {}
            (Ok(_), _) => panic!("{text} is accepted"),
            (Err(error), _) => assert!(!refused.is_empty() && error.to_string().contains(refused), "{text}: {error}"),
        }
    }
    // Keys twice, out of order, none, too many.
    let mut keys = sorted(3);
    keys.swap(0, 1);
    assert!(AuthorizationPolicy::new(keys.clone(), expression("2(0 1 2)")).is_err());
    keys[0] = keys[1];
    assert!(AuthorizationPolicy::new(keys, expression("2(0 1 2)")).unwrap_err().to_string().contains("twice"));
    assert!(AuthorizationPolicy::threshold(1, publics(&[1, 1])).is_err());
    assert!(AuthorizationPolicy::threshold(1, Vec::new()).is_err());
    let many: Vec<u8> = (0..=MAX_POLICY_KEYS as u8).collect();
    assert!(AuthorizationPolicy::threshold(1, publics(&many)).is_err());
    assert!(AuthorizationPolicy::threshold(1, publics(&many[1..])).is_ok());
    // A depth bomb, as a value and as bytes, which are refused before they are gone down.
    let deep = |depth: usize| {
        let mut expression = Expression::Key(0);
        for at in 1..depth {
            expression = Expression::Threshold { threshold: 1, of: vec![expression, Expression::Key(at as u16)] };
        }
        AuthorizationPolicy::new(sorted(depth as u8), expression)
    };
    assert!(deep(MAX_EXPRESSION_DEPTH).is_ok() && deep(MAX_EXPRESSION_DEPTH + 1).is_err());
    let entry = first_entry();
    let body = entry.body();
    let place = 32 + 8 + 4 + 32;
    let bomb = [&body[..place], &[1, 0, 1, 0, 0, 0, 1].repeat(10_000)[..]].concat();
    assert!(Entry::from_body(&bomb).unwrap_err().to_string().contains("deeper"));
}

fn first_entry() -> Entry {
    Book::new().update("node/a/1", 0).signed.entry
}

/// Which of five keys it takes for `2(0 2(1 2) 1(3 4))`: all 32 sets against the words of it.
#[test]
fn scenario_03_quorums_are_met_by_right_signatures_only() {
    let keys = sorted(5);
    let policy = AuthorizationPolicy::new(keys.clone(), expression("2(0 2(1 2) 1(3 4))")).unwrap();
    let secret = |public: &PublicKey| (1..=5).map(key).find(|key| key.public() == *public).unwrap();
    let book = Book::new();
    let head = book.answer("a", &[]).0.head;
    for set in 0..32_u8 {
        let has = |at: u8| set >> at & 1 == 1;
        let expected = u8::from(has(0)) + u8::from(has(1) && has(2)) + u8::from(has(3) || has(4)) >= 2;
        let mut signed = SignedHead { head: head.clone(), signatures: Default::default() };
        for (at, public) in keys.iter().enumerate() {
            let by = secret(public);
            // Who is not in the set signs something else, and strangers sign, too.
            let other = EpochHead { epoch: 9, ..head.clone() };
            signed.signatures.insert(*public, if has(at as u8) { head.sign(&by) } else { other.sign(&by) });
        }
        signed.signatures.insert(key(77).public(), head.sign(&key(77)));
        assert_eq!(signed.meets(&policy), expected, "{set:05b}");
        signed.signatures.retain(|public, _| keys.iter().position(|key| key == public).is_some_and(|at| has(at as u8)));
        assert_eq!(signed.meets(&policy), expected, "{set:05b}");
    }
}

#[test]
fn scenario_02_rules_of_updates() {
    let book = Book::new();
    let (realm, id) = (&book.realm, book.realm.id());
    let first = first_update(realm, &book.secret, "node/a/1", 20, 0);
    let check = |before: Option<&Update>, signed: &SignedEntry| {
        check_change(&id, &realm.policy.operators, before.map(|update| &update.signed.entry), signed)
    };
    // Changes the entry, and signs it anew as the operator and these owners.
    let anew = |update: &Update, owners: &[u8], change: &dyn Fn(&mut Entry)| {
        let mut entry = update.signed.entry.clone();
        change(&mut entry);
        let keys: Vec<_> = owners.iter().map(|number| key(*number)).collect();
        let mut signed = entry.clone().signed(&id, &keys);
        if !update.signed.admission.is_empty() {
            signed.admission.insert(key(30).public(), entry.admit(&id, &key(30)));
        }
        signed
    };
    assert_eq!(check(None, &first.signed), Ok(()));
    assert_eq!(check(None, &anew(&first, &[20], &|entry| entry.version = 1)), Err(Refusal::FirstVersion { found: 1 }));
    let astray = |entry: &mut Entry| entry.previous = Digest([1; 32]);
    assert_eq!(check(None, &anew(&first, &[20], &astray)), Err(Refusal::Predecessor));
    assert_eq!(check(None, &anew(&first, &[], &|_| {})), Err(Refusal::NewPolicy));
    assert_eq!(check(None, &anew(&first, &[21], &|_| {})), Err(Refusal::NewPolicy));
    let mut unadmitted = first.signed.clone();
    unadmitted.admission.clear();
    assert_eq!(check(None, &unadmitted), Err(Refusal::NotAdmitted));
    unadmitted.admission = first.signed.signatures.clone();
    assert_eq!(check(None, &unadmitted), Err(Refusal::NotAdmitted));

    // The owner goes on; hands over, which both must sign.
    let next = next_update(realm, &first, 20, &[20], 1);
    assert_eq!(check(Some(&first), &next.signed), Ok(()));
    assert_eq!(check(Some(&first), &next_update(realm, &first, 21, &[20, 21], 1).signed), Ok(()));
    assert_eq!(check(Some(&first), &next_update(realm, &first, 21, &[21], 1).signed), Err(Refusal::OldPolicy));
    assert_eq!(check(Some(&first), &next_update(realm, &first, 21, &[20], 1).signed), Err(Refusal::NewPolicy));
    assert_eq!(check(Some(&first), &next_update(realm, &first, 20, &[], 1).signed), Err(Refusal::OldPolicy));
    assert_eq!(check(Some(&first), &next_update(realm, &first, 20, &[30], 1).signed), Err(Refusal::OldPolicy));
    for (version, expected) in
        [(0, Err(Refusal::Version { have: 0, found: 0 })), (1, Ok(())), (7, Ok(())), (u64::MAX, Ok(()))]
    {
        assert_eq!(check(Some(&first), &anew(&next, &[20], &|entry| entry.version = version)), expected);
    }
    assert_eq!(check(Some(&first), &anew(&next, &[20], &astray)), Err(Refusal::Predecessor));
    let elsewhere = |entry: &mut Entry| entry.index = Digest([1; 32]);
    assert_eq!(check(Some(&first), &anew(&next, &[20], &elsewhere)), Err(Refusal::Index));
    let mut admitted = next.signed.clone();
    admitted.admission = first.signed.admission.clone();
    assert_eq!(check(Some(&first), &admitted), Err(Refusal::Admission));
    // Anything changed after it was signed.
    let mut altered = next.signed.clone();
    altered.entry.commitment = Digest([1; 32]);
    assert_eq!(check(Some(&first), &altered), Err(Refusal::OldPolicy));
}

#[test]
fn scenario_18_replays_are_refused() {
    let book = Book::new();
    let (realm, id) = (&book.realm, book.realm.id());
    let first = first_update(realm, &book.secret, "node/a/1", 20, 0);
    let second = next_update(realm, &first, 20, &[20], 1);
    let check = |before: Option<&Update>, update: &Update| {
        check_change(&id, &realm.policy.operators, before.map(|update| &update.signed.entry), &update.signed)
    };
    // An old update again.
    assert_eq!(check(Some(&first), &first), Err(Refusal::Version { have: 0, found: 0 }));
    assert_eq!(check(Some(&second), &first), Err(Refusal::Version { have: 1, found: 0 }));
    assert_eq!(check(Some(&second), &second), Err(Refusal::Version { have: 1, found: 1 }));
    // One of another realm that is alike but for its nonce, so that index and predecessor fit.
    let twin = Realm { nonce: [43; 32], ..realm.clone() };
    let foreign = first_update(&twin, &book.secret, "node/a/1", 20, 0);
    assert_eq!(check(None, &foreign), Err(Refusal::NotAdmitted));
    let mut foreign = next_update(&twin, &first, 20, &[20], 1);
    assert_eq!(check(Some(&first), &foreign), Err(Refusal::Predecessor));
    foreign.signed.entry = second.signed.entry.clone();
    assert_eq!(check(Some(&first), &foreign), Err(Refusal::OldPolicy));
    // A signature of one thing as that of another: the owner's of an entry as his of a head, and the other way round.
    let head = book.answer("a", &[]).0.head;
    let owner = key(20);
    let as_head = SignedHead { head: head.clone(), signatures: second.signed.signatures.clone() };
    assert!(!as_head.meets(&support::majority(&[20])));
    assert!(sign_head(head.clone(), &[20]).meets(&support::majority(&[20])));
    let mut as_entry = second.clone();
    as_entry.signed.signatures = [(owner.public(), head.sign(&owner))].into();
    assert_eq!(check(Some(&first), &as_entry), Err(Refusal::OldPolicy));
    // The owner's signature of the entry as an operator's admission of it.
    let operated =
        Realm { policy: RealmPolicy { operators: support::majority(&[20]), ..realm.policy.clone() }, ..realm.clone() };
    let mut entry = first.signed.entry.clone().signed(&operated.id(), [&owner]);
    entry.admission = entry.signatures.clone();
    let found = check_change(&operated.id(), &operated.policy.operators, None, &entry);
    assert_eq!(found, Err(Refusal::NotAdmitted));
    // A change of the realm policy as one of another realm.
    let policy = RealmPolicy { generation: 1, ..realm.policy.clone() };
    let here = PolicyChange::signed(policy.clone(), &id, [&key(30)]);
    assert_ne!(here.signatures, PolicyChange::signed(policy, &twin.id(), [&key(30)]).signatures);
}
