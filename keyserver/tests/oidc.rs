//! Registration of names by identity tokens, checked inside the step.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plastron_keyserver::identity::{TokenFault, keys_of_jwks};
use plastron_keyserver::machine::{Accepted, Machine, Tables};
use plastron_keyserver::proto::*;
use plastron_keyserver::{Digest, Refusal, check_change};
use serde_json::{Value, json};
use support::world::World;
use support::{key, next_update};

const ISSUER: &str = "https://accounts.example";
const NAME: &str = "person/alice@example.com";

enum Signer {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    fn jwk(&self, id: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa(key) => {
                // A sequence of two integers, in DER: of 2,048 bits, with a zero in front, and 65537.
                let der = key.public_key().as_ref();
                assert_eq!((der.len(), &der[265..267]), (270, &[2, 3][..]));
                let (n, e) = (&der[9..265], &der[267..]);
                json!({ "kid": id, "kty": "RSA", "alg": "RS256", "use": "sig", "n": text(n), "e": text(e) })
            }
            Self::P256(key) => {
                let point = key.public_key().as_ref();
                json!({ "kid": id, "kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..]) })
            }
            Self::Ed25519(key) => {
                json!({ "kid": id, "kty": "OKP", "crv": "Ed25519", "x": text(key.public_key().as_ref()) })
            }
        }
    }

    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature).unwrap();
                signature
            }
            Self::P256(key) => key.sign(&random, bytes).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(bytes).as_ref().to_vec(),
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn token(&self, header: &Value, claims: &Value) -> Vec<u8> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}").into_bytes()
    }
}

fn signers() -> [(&'static str, Signer); 3] {
    [
        ("rsa", Signer::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())),
        ("p256", Signer::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())),
        ("ed", Signer::Ed25519(Ed25519KeyPair::generate().unwrap())),
    ]
}

fn issuer(signers: &[(&str, Signer)]) -> Issuer {
    let keys: Vec<Value> = signers.iter().map(|(id, signer)| signer.jwk(id)).collect();
    let keys = keys_of_jwks(&json!({ "keys": keys }).to_string()).unwrap();
    Issuer { issuer: ISSUER.to_owned(), audience: "plastron".to_owned(), prefix: "person/".to_owned(), keys }
}

fn change(world: &World, generation: u64, issuers: Vec<Issuer>, by: u8) -> LogEntry {
    let issuers = Issuers { generation, issuers };
    LogEntry::Issuers(Box::new(IssuersChange::signed(issuers, &world.realm().id(), [&key(by)])))
}

fn claims(world: &World, update: &Update) -> Value {
    let now = world.now_ms / 1_000;
    json!({
        "iss": ISSUER, "aud": "plastron", "sub": "1234", "iat": now - 5, "exp": now + 3_600,
        "email": "Alice@Example.com", "email_verified": true,
        "nonce": update.signed.entry.hash(&world.realm().id()).to_string(),
    })
}

fn registration(update: &Update, token: Vec<u8>) -> LogEntry {
    LogEntry::Registration(Box::new(Registration { update: update.clone(), token: token.into() }))
}

#[test]
fn scenario_21_each_wrong_claim_of_an_identity_token_is_refused() {
    let mut world = World::that_admits();
    world.epoch();
    let signers = signers();
    let update = world.without_admission(NAME, 20);
    let right = claims(&world, &update);
    let header = |id: &str, signer: &Signer| json!({ "alg": signer.algorithm(), "typ": "JWT", "kid": id });
    let (id, rsa) = &signers[0];
    let refused = |world: &mut World, token: Vec<u8>, fault: TokenFault, what: &str| {
        let result = world.one(&registration(&update, token));
        assert_eq!(result, Err(Refusal::Token(fault)), "{what}");
    };
    // Nobody is believed before operators say so.
    refused(&mut world, rsa.token(&header(id, rsa), &right), TokenFault::Issuer, "no issuers");
    let named = change(&world, 1, vec![issuer(&signers)], 30);
    assert_eq!(world.one(&named), Ok(Accepted::Issuers(1)));
    let now = world.now_ms / 1_000;
    let wrong: &[(&str, Value, TokenFault)] = &[
        ("iss", json!("https://elsewhere.example"), TokenFault::Issuer),
        ("iss", Value::Null, TokenFault::Issuer),
        ("aud", json!("another"), TokenFault::Issuer),
        ("aud", json!(["plastron", "another"]), TokenFault::Issuer),
        ("aud", json!([]), TokenFault::Issuer),
        ("aud", Value::Null, TokenFault::Issuer),
        ("exp", json!(now), TokenFault::Expired),
        ("exp", json!(-1), TokenFault::Expired),
        ("exp", Value::Null, TokenFault::Expired),
        ("exp", json!(now + 90_000), TokenFault::Time),
        ("iat", json!(now + 4_000), TokenFault::Time),
        ("iat", Value::Null, TokenFault::Time),
        ("nbf", json!(now + 4_000), TokenFault::Time),
        ("nbf", json!("soon"), TokenFault::Time),
        ("email_verified", json!(false), TokenFault::Unverified),
        ("email_verified", json!("true"), TokenFault::Unverified),
        ("email_verified", Value::Null, TokenFault::Unverified),
        ("email", json!("mallory@example.com"), TokenFault::Name),
        ("email", json!("alice@example.com "), TokenFault::Name),
        ("email", json!("alıce@example.com"), TokenFault::Name),
        ("email", Value::Null, TokenFault::Name),
        ("nonce", json!(Digest::NONE.to_string()), TokenFault::Nonce),
        ("nonce", Value::Null, TokenFault::Nonce),
    ];
    for (field, value, fault) in wrong {
        for (id, signer) in &signers {
            let mut claims = right.clone();
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(*field)),
                value => claims[*field] = value.clone(),
            }
            refused(
                &mut world,
                signer.token(&header(id, signer), &claims),
                *fault,
                &format!("{field} {value} by {id}"),
            );
        }
    }
    for (id, signer) in &signers {
        let (other, _) = signers.iter().find(|(other, _)| other != id).unwrap();
        let good = signer.token(&header(id, signer), &right);
        // Another's key, no key of that name, none named, another algorithm, none, something critical.
        for (changed, fault) in [
            (json!({ "alg": signer.algorithm(), "kid": other }), TokenFault::Algorithm),
            (json!({ "alg": signer.algorithm(), "kid": "old" }), TokenFault::Key),
            (json!({ "alg": signer.algorithm() }), TokenFault::Key),
            (json!({ "alg": "none", "kid": id }), TokenFault::Algorithm),
            (json!({ "alg": "HS256", "kid": id }), TokenFault::Algorithm),
            (json!({ "kid": id }), TokenFault::Algorithm),
            (json!({ "alg": signer.algorithm(), "kid": id, "crit": ["b64"] }), TokenFault::Form),
        ] {
            refused(&mut world, signer.token(&changed, &right), fault, &format!("{changed}"));
        }
        // Signed by somebody else, or changed, or cut off.
        let stranger = signers.iter().zip(self::signers()).find(|((same, _), _)| same == id).unwrap().1.1;
        refused(&mut world, stranger.token(&header(id, signer), &right), TokenFault::Signature, "a stranger");
        let dot = good.iter().rposition(|byte| *byte == b'.').unwrap();
        for at in dot + 1..good.len() - 1 {
            let mut flipped = good.clone();
            flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
            refused(&mut world, flipped, TokenFault::Signature, "a changed signature");
        }
        refused(&mut world, good[..dot].to_vec(), TokenFault::Form, "no signature");
    }
    for garbage in [&b""[..], b"...", b"a.b", b"\xff.\xff.\xff", b"e30.e30.e30"] {
        let result = world.one(&registration(&update, garbage.to_vec()));
        assert!(matches!(result, Err(Refusal::Token(_))), "{result:?}");
    }
    // The token is good for its entry alone: not for another owner's, and not for another name.
    let good = rsa.token(&header(id, rsa), &right);
    let thief = world.without_admission(NAME, 21);
    assert_eq!(world.one(&registration(&thief, good.clone())), Err(Refusal::Token(TokenFault::Nonce)));
    let elsewhere = world.without_admission("person/bob@example.com", 20);
    assert_eq!(world.one(&registration(&elsewhere, good.clone())), Err(Refusal::Token(TokenFault::Name)));
    // And then it is right, and the name is there, as verifiers see it, too.
    assert_eq!(world.one(&registration(&update, good.clone())), Ok(Accepted::Change(2)));
    assert_eq!(world.one(&registration(&update, good.clone())), Ok(Accepted::Known));
    world.epoch();
    let found = world.look_up(1, NAME, Quorum::Replicas).unwrap().found.unwrap();
    assert_eq!(found.0, update.signed.entry);
    let page = world.directory(2).stream(StreamPosition { epoch: 2, change: 0 }).unwrap();
    let StreamItem::Change(signed) = &page.items[0] else { panic!("{page:?}") };
    assert_eq!(check_change(&world.realm().id(), &world.realm().policy.operators, None, signed), Ok(()));
    // Asked again after it has expired, the answer is the same; anew it is not accepted.
    world.now_ms += 4_000_000;
    world.epoch();
    assert_eq!(world.one(&registration(&update, good)), Ok(Accepted::Known));
    let bob = world.without_admission("person/bob@example.com", 20);
    let mut old = right.clone();
    old["email"] = json!("bob@example.com");
    old["nonce"] = json!(bob.signed.entry.hash(&world.realm().id()).to_string());
    // The log's time has passed it.
    let late = registration(&bob, rsa.token(&header(id, rsa), &old));
    assert_eq!(world.one(&late), Err(Refusal::Token(TokenFault::Expired)));
    // From now on the owner's key is what counts.
    world.update(&next_update(world.realm(), &update, 20, &[20], 1));
    assert!(world.epoch().iter().all(Result::is_ok));
}

#[test]
fn scenario_21_issuers_change_their_keys_and_only_operators_say_so() {
    let mut world = World::that_admits();
    world.epoch();
    let (before, after) = (signers(), signers());
    let token = |world: &World, signer: &Signer, update: &Update, address: &str| {
        let mut claims = claims(world, update);
        claims["email"] = json!(address);
        signer.token(&json!({ "alg": signer.algorithm(), "kid": "p256" }), &claims)
    };
    let alice = world.without_admission(NAME, 20);
    let bob = world.without_admission("person/bob@example.com", 21);
    let by = |by: u8, generation: u64, signers: &[(&str, Signer)], world: &World| {
        change(world, generation, vec![issuer(signers)], by)
    };
    for (entry, expected) in [
        (by(20, 1, &before, &world), Err(Refusal::PolicyUnsigned)),
        (by(30, 2, &before, &world), Err(Refusal::Generation { have: 0, found: 2 })),
        (by(30, 1, &before, &world), Ok(Accepted::Issuers(1))),
        (by(30, 1, &before, &world), Ok(Accepted::Known)),
        (by(30, 1, &after, &world), Err(Refusal::Generation { have: 1, found: 1 })),
    ] {
        assert_eq!(world.one(&entry), expected);
    }
    let right = token(&world, &before[1].1, &alice, "alice@example.com");
    assert_eq!(world.one(&registration(&alice, right)), Ok(Accepted::Change(2)));
    // Both during the change, then the new ones alone.
    let bobs = |world: &World, signer: &Signer| registration(&bob, token(world, signer, &bob, "bob@example.com"));
    let entry = bobs(&world, &after[1].1);
    assert_eq!(world.one(&entry), Err(Refusal::Token(TokenFault::Signature)));
    let changed = by(30, 2, &after, &world);
    assert_eq!(world.one(&changed), Ok(Accepted::Issuers(2)));
    let entry = bobs(&world, &before[1].1);
    assert_eq!(world.one(&entry), Err(Refusal::Token(TokenFault::Signature)));
    // A replica that starts anew knows them from its database.
    let kv = std::sync::Arc::new(world.replicas[0].kv.clone());
    world.replicas[0].machine = Some(Machine::open(std::sync::Arc::clone(&world.options), kv).unwrap());
    assert_eq!(Tables::new(&world.replicas[0].kv).issuers().unwrap().generation, 2);
    let entry = bobs(&world, &after[1].1);
    assert_eq!(world.one(&entry), Ok(Accepted::Change(2)));
}

#[test]
fn scenario_21_no_single_replica_can_admit_a_name() {
    let mut world = World::that_admits();
    world.epoch();
    let registrar = world.options.secret.registrar();
    let realm = world.realm().id();
    // Every replica has the key; whoever uses it himself is refused by all others.
    let mut update = world.without_admission(NAME, 20);
    update.signed.admission = [(registrar.public(), update.signed.entry.admit(&realm, &registrar))].into();
    assert_eq!(world.one(&LogEntry::Update(Box::new(update.clone()))), Err(Refusal::Registrar));
    assert_eq!(world.one(&registration(&update, Vec::new())), Err(Refusal::Admission));
    // Nor is it an operator in anything else.
    let issuers = Issuers { generation: 1, issuers: Vec::new() };
    let entry = LogEntry::Issuers(Box::new(IssuersChange::signed(issuers, &realm, [&registrar])));
    assert_eq!(world.one(&entry), Err(Refusal::PolicyUnsigned));
    let policy = RealmPolicy { generation: 1, ..world.realm().policy.clone() };
    let entry = LogEntry::PolicyChange(Box::new(PolicyChange::signed(policy, &realm, [&registrar])));
    assert_eq!(world.one(&entry), Err(Refusal::PolicyUnsigned));
    // A realm whose operators do not want it has no such registrations.
    let mut plain = World::new(&[1, 2, 3], &[11]);
    plain.epoch();
    let signers = signers();
    let named = change(&plain, 1, vec![issuer(&signers)], 30);
    assert_eq!(plain.one(&named), Ok(Accepted::Issuers(1)));
    let update = plain.without_admission(NAME, 20);
    let token = signers[2].1.token(&json!({ "alg": "EdDSA", "kid": "ed" }), &claims(&plain, &update));
    assert_eq!(plain.one(&registration(&update, token)), Err(Refusal::NotAdmitted));
    // An operator admits names as ever.
    let by_operator = plain.first(NAME, 20);
    assert_eq!(plain.one(&LogEntry::Update(Box::new(by_operator))), Ok(Accepted::Change(2)));
}

#[test]
fn a_jwks_gives_the_keys_that_can_check_tokens_and_no_others() {
    let good = Signer::Ed25519(Ed25519KeyPair::generate().unwrap()).jwk("a");
    let mut encrypting = good.clone();
    encrypting["use"] = json!("enc");
    let other = json!({ "kty": "EC", "crv": "P-384", "x": "AA", "y": "AA" });
    let keys = keys_of_jwks(&json!({ "keys": [good, encrypting, other] }).to_string()).unwrap();
    assert_eq!(keys.len(), 1);
    for text in ["", "{}", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}"] {
        assert!(keys_of_jwks(text).is_err(), "{text}");
    }
}
