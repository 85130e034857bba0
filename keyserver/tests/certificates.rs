//! Registration of names by client certificates, checked inside the step.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use plastron_keyserver::identity::{CertificateFault, Credential, authority_certificate};
use plastron_keyserver::machine::{Accepted, Machine};
use plastron_keyserver::proto::*;
use plastron_keyserver::{Digest, ErrorKind, Refusal, check_change};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, NameConstraints, SanType,
};
use support::world::World;
use support::{key, next_update};

const NAME: &str = "host/a.example.com";
const LIFETIME_S: u64 = 3_600;

/// What a certificate is to be like.
type Change = Box<dyn FnOnce(&mut CertificateParams)>;

/// An authority with a key of its own; all of them have the same distinguished name.
struct Ca {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

fn day(seconds: u64) -> impl Fn(&mut CertificateParams) {
    move |params| params.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Ca {
    fn new() -> Self {
        let (params, key) = (ca_params("site"), KeyPair::generate().unwrap());
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// An authority below this one.
    fn below(&self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (mut params, key) = (ca_params("below"), KeyPair::generate().unwrap());
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn authority(&self, label: &str, prefix: &str) -> Authority {
        let certificate = Bytes::copy_from_slice(self.certificate.der());
        Authority { label: label.to_owned(), prefix: prefix.to_owned(), certificate }
    }
}

/// Somebody with a certificate and its key in files.
struct Owner(tempfile::TempDir);

impl Owner {
    /// For `a.example.com` and clients, unless that is changed; behind it are the authorities between it and the first.
    fn of(path: &[&Ca], key: KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new(["a.example.com".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let (last, _) = path.split_last().unwrap();
        let certificate = params.signed_by(&key, &last.issuer).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let between: String = path[1..].iter().rev().map(|ca| ca.certificate.pem()).collect();
        std::fs::write(folder.path().join("pem"), certificate.pem() + &between).unwrap();
        std::fs::write(folder.path().join("key"), key.serialize_pem()).unwrap();
        Self(folder)
    }

    fn new(ca: &Ca, change: impl FnOnce(&mut CertificateParams)) -> Self {
        Self::of(&[ca], KeyPair::generate().unwrap(), change)
    }

    fn credential(&self) -> Credential {
        Credential::open(&self.0.path().join("pem"), &self.0.path().join("key")).unwrap()
    }

    fn registration(&self, world: &World, update: &Update) -> CertifiedRegistration {
        self.credential().certify(&world.realm().id(), update.clone()).unwrap()
    }
}

fn change(world: &World, generation: u64, authorities: Vec<Authority>, by: u8) -> LogEntry {
    let authorities = Authorities { generation, authorities };
    LogEntry::Authorities(Box::new(AuthoritiesChange::signed(authorities, &world.realm().id(), [&key(by)])))
}

fn register(world: &mut World, registration: CertifiedRegistration) -> Result<Accepted, Refusal> {
    world.one(&LogEntry::Certified(Box::new(registration)))
}

fn refused(world: &mut World, registration: CertifiedRegistration, fault: CertificateFault, what: &str) {
    assert_eq!(register(world, registration), Err(Refusal::Certificate(fault)), "{what}");
}

#[test]
fn each_wrong_certificate_and_each_wrong_signature_is_refused() {
    use CertificateFault::*;
    let mut world = World::that_admits();
    world.epoch();
    let ca = Ca::new();
    let update = world.without_admission(NAME, 20);
    let right = Owner::new(&ca, |_| {});
    // Nobody is taken before operators say so.
    let registration = right.registration(&world, &update);
    refused(&mut world, registration.clone(), Authority, "no authorities");
    let named = change(&world, 1, vec![ca.authority("site", "host/")], 30);
    assert_eq!(world.one(&named), Ok(Accepted::Authorities(1)));
    let now = world.now_ms / 1_000;
    // Another authority, of the same name.
    let stranger = Owner::new(&Ca::new(), |_| {}).registration(&world, &update);
    refused(&mut world, stranger, Authority, "another authority");
    // What is in the certificate.
    let from = |seconds: u64| {
        move |params: &mut CertificateParams| {
            params.not_before = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
        }
    };
    let usages = |usages: &'static [ExtendedKeyUsagePurpose]| {
        move |params: &mut CertificateParams| params.extended_key_usages = usages.to_vec()
    };
    let names = |names: Vec<SanType>| move |params: &mut CertificateParams| params.subject_alt_names = names;
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let wrong: Vec<(&str, Change, CertificateFault)> = vec![
        ("expired", Box::new(day(now - 1)), Expired),
        ("not valid before the latest that it can be now", Box::new(from(now + LIFETIME_S + 1)), NotYet),
        ("no usage", Box::new(usages(&[])), Usage),
        ("for servers", Box::new(usages(&[ExtendedKeyUsagePurpose::ServerAuth])), Usage),
        (
            "for code",
            Box::new(usages(&[ExtendedKeyUsagePurpose::CodeSigning, ExtendedKeyUsagePurpose::OcspSigning])),
            Usage,
        ),
        ("for anything", Box::new(usages(&[ExtendedKeyUsagePurpose::Any])), Usage),
        ("another's name", Box::new(names(vec![dns("b.example.com")])), Name),
        ("a name above", Box::new(names(vec![dns("example.com")])), Name),
        ("a name below", Box::new(names(vec![dns("a.a.example.com")])), Name),
        ("a wildcard", Box::new(names(vec![dns("*.example.com")])), Name),
        ("an address", Box::new(names(vec![SanType::Rfc822Name("a.example.com".try_into().unwrap())])), Name),
        ("the name with its prefix", Box::new(names(vec![SanType::URI(NAME.try_into().unwrap())])), Name),
        (
            "no name but the common one",
            Box::new(|params| {
                params.subject_alt_names = Vec::new();
                params.distinguished_name.push(DnType::CommonName, "a.example.com");
            }),
            Name,
        ),
        ("an authority", Box::new(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), Chain),
    ];
    for (what, change, fault) in wrong {
        let registration = Owner::new(&ca, change).registration(&world, &update);
        refused(&mut world, registration, fault, what);
    }
    // What is above it.
    let below: Vec<(&str, Change, CertificateFault)> = vec![
        ("above it expired", Box::new(day(now - 1)), Expired),
        ("above it for servers", Box::new(usages(&[ExtendedKeyUsagePurpose::ServerAuth])), Usage),
        ("above it is no authority", Box::new(|params| params.is_ca = IsCa::NoCa), Chain),
        (
            "above it for other names",
            Box::new(|params| {
                params.name_constraints = Some(NameConstraints {
                    permitted_subtrees: vec![GeneralSubtree::DnsName("example.org".to_owned())],
                    excluded_subtrees: Vec::new(),
                });
            }),
            Chain,
        ),
    ];
    for (what, change, fault) in below {
        let between = ca.below(change);
        let owner = Owner::of(&[&ca, &between], KeyPair::generate().unwrap(), |_| {});
        let registration = owner.registration(&world, &update);
        refused(&mut world, registration, fault, what);
    }
    let between = ca.below(|_| {});
    let owner = Owner::of(&[&ca, &between], KeyPair::generate().unwrap(), |_| {});
    let mut registration_below = owner.registration(&world, &update);
    registration_below.chain.truncate(1);
    refused(&mut world, registration_below, Authority, "the one between is missing");
    // What was signed, and by whom.
    let other = Owner::new(&ca, |_| {}).registration(&world, &update);
    refused(
        &mut world,
        CertifiedRegistration { chain: other.chain.clone(), ..registration.clone() },
        Signature,
        "by another key",
    );
    let thief = world.without_admission(NAME, 21);
    refused(&mut world, CertifiedRegistration { update: thief, ..registration.clone() }, Signature, "another entry");
    let elsewhere = World::of(&[1, 2, 3], &[11], 100, |realm, _| realm.nonce = [43; 32]);
    let replayed = right.credential().certify(&elsewhere.realm().id(), update.clone()).unwrap();
    refused(&mut world, replayed, Signature, "another realm");
    for at in 0..registration.signature.len() {
        let mut signature = registration.signature.to_vec();
        signature[at] ^= 1;
        let flipped = CertifiedRegistration { signature: signature.into(), ..registration.clone() };
        refused(&mut world, flipped, Signature, "a changed signature");
    }
    for (scheme, fault) in
        [(0x0503, Signature), (0x0807, Signature), (0x0401, Algorithm), (0x0201, Algorithm), (0, Algorithm)]
    {
        refused(&mut world, CertifiedRegistration { scheme, ..registration.clone() }, fault, "another algorithm");
    }
    for chain in [Vec::new(), vec![Bytes::new()], vec![Bytes::from_static(b"certificate")]] {
        refused(&mut world, CertifiedRegistration { chain, ..registration.clone() }, Form, "no certificate");
    }
    let mut admitted = registration.clone();
    admitted.update = world.first(NAME, 20);
    assert_eq!(register(&mut world, admitted), Err(Refusal::Admission));
    // Another name, with all else right.
    let bob = world.without_admission("host/b.example.com", 20);
    let registration_of_bob = right.registration(&world, &bob);
    refused(&mut world, registration_of_bob, Name, "another name");
    // And then it is right, and the name is there, as verifiers see it, too.
    assert_eq!(register(&mut world, registration.clone()), Ok(Accepted::Change(2)));
    assert_eq!(register(&mut world, registration.clone()), Ok(Accepted::Known));
    world.epoch();
    assert_eq!(world.look_up(1, NAME, Quorum::Replicas).unwrap().found.unwrap().0, update.signed.entry);
    let page = world.directory(2).stream(StreamPosition { epoch: 2, change: 0 }).unwrap();
    let StreamItem::Change(signed) = &page.items[0] else { panic!("{page:?}") };
    assert_eq!(check_change(&world.realm().id(), &world.realm().policy.operators, None, signed), Ok(()));
    // Nobody registers it anew, and from now on the owner's key is what counts.
    let again = world.without_admission(NAME, 21);
    let again = right.registration(&world, &again);
    assert!(register(&mut world, again).is_err());
    world.update(&next_update(world.realm(), &update, 20, &[20], 1));
    assert!(world.epoch().iter().all(Result::is_ok));
}

#[test]
fn every_kind_of_key_and_name_and_a_chain_are_taken() {
    let mut world = World::that_admits();
    world.epoch();
    let ca = Ca::new();
    let named = change(
        &world,
        1,
        vec![Ca::new().authority("old", "host/"), ca.authority("site", "host/"), ca.authority("all", "")],
        30,
    );
    assert_eq!(world.one(&named), Ok(Accepted::Authorities(1)));
    let now = world.now_ms / 1_000;
    let algorithms = [
        (&rcgen::PKCS_ECDSA_P256_SHA256, 0x0403),
        (&rcgen::PKCS_ECDSA_P384_SHA384, 0x0503),
        (&rcgen::PKCS_ED25519, 0x0807),
        (&rcgen::PKCS_RSA_SHA256, 0x0806),
    ];
    for (number, (algorithm, scheme)) in algorithms.into_iter().enumerate() {
        let host = format!("{number}.example.com");
        let key = KeyPair::generate_for(algorithm).unwrap();
        let owner = Owner::of(&[&ca], key, |params| {
            // The case of a DNS name says nothing.
            params.subject_alt_names = vec![SanType::DnsName(host.to_ascii_uppercase().try_into().unwrap())];
        });
        let update = world.without_admission(&format!("host/{host}"), 20);
        let registration = owner.registration(&world, &update);
        assert_eq!(registration.scheme, scheme);
        assert_eq!(register(&mut world, registration), Ok(Accepted::Change(2)), "{host}");
    }
    // By a URI, and where the prefix is empty; through two authorities, the lower of which says nothing about usage.
    let (one_below, two_below);
    one_below = ca.below(|_| {});
    two_below = one_below.below(|params| params.distinguished_name.push(DnType::CommonName, "two below"));
    let workload = "spiffe://example.org/ns/prod/sa/db";
    let owner = Owner::of(&[&ca, &one_below, &two_below], KeyPair::generate().unwrap(), |params| {
        params.subject_alt_names = vec![SanType::URI(workload.try_into().unwrap())];
        // A moment ago by the machine's clock, which the log is behind.
        params.not_before = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(now + LIFETIME_S);
    });
    for name in [workload.to_owned(), format!("host/{workload}")] {
        let update = world.without_admission(&name, 20);
        let registration = owner.registration(&world, &update);
        assert_eq!(registration.chain.len(), 3);
        assert_eq!(register(&mut world, registration), Ok(Accepted::Change(2)), "{name}");
    }
}

#[test]
fn what_was_taken_in_time_stays_and_what_comes_late_is_refused() {
    let mut world = World::that_admits();
    world.epoch();
    let ca = Ca::new();
    let named = change(&world, 1, vec![ca.authority("site", "host/")], 30);
    assert_eq!(world.one(&named), Ok(Accepted::Authorities(1)));
    let owner = Owner::new(&ca, |params| {
        params.subject_alt_names.push(SanType::DnsName("b.example.com".try_into().unwrap()));
        day(world.now_ms / 1_000 + 100)(params);
    });
    let update = world.without_admission(NAME, 20);
    let registration = owner.registration(&world, &update);
    assert_eq!(register(&mut world, registration.clone()), Ok(Accepted::Change(2)));
    // The log's time is that of its heads.
    world.now_ms += 1_000_000;
    world.epoch();
    assert_eq!(register(&mut world, registration), Ok(Accepted::Known));
    let late = world.without_admission("host/b.example.com", 20);
    let late = owner.registration(&world, &late);
    refused(&mut world, late, CertificateFault::Expired, "late");
}

#[test]
fn only_operators_name_authorities_and_no_single_replica_can_admit_a_name() {
    let mut world = World::that_admits();
    world.epoch();
    let (ca, other) = (Ca::new(), Ca::new());
    let by = |world: &World, by: u8, generation: u64, ca: &Ca| {
        change(world, generation, vec![ca.authority("site", "host/")], by)
    };
    for (by_whom, generation, ca, expected) in [
        (20, 1, &ca, Err(Refusal::PolicyUnsigned)),
        (30, 2, &ca, Err(Refusal::Generation { have: 0, found: 2 })),
        (30, 1, &ca, Ok(Accepted::Authorities(1))),
        (30, 1, &ca, Ok(Accepted::Known)),
        (30, 1, &other, Err(Refusal::Generation { have: 1, found: 1 })),
    ] {
        let entry = by(&world, by_whom, generation, ca);
        assert_eq!(world.one(&entry), expected);
    }
    // What is signed for another realm, or as another list, is no change here.
    let list = Authorities { generation: 2, authorities: vec![other.authority("site", "host/")] };
    let elsewhere = AuthoritiesChange::signed(list.clone(), &Digest([9; 32]), [&key(30)]);
    assert_eq!(world.one(&LogEntry::Authorities(Box::new(elsewhere))), Err(Refusal::PolicyUnsigned));
    // The registrar's key is every replica's, and no operator's.
    let (realm, registrar) = (world.realm().id(), world.options.secret.registrar());
    let own = AuthoritiesChange::signed(list, &realm, [&registrar]);
    assert_eq!(world.one(&LogEntry::Authorities(Box::new(own))), Err(Refusal::PolicyUnsigned));
    // Another authority takes the place of the first; a replica that starts anew knows it from its database.
    let owner = Owner::new(&ca, |_| {});
    let update = world.without_admission(NAME, 20);
    let entry = by(&world, 30, 2, &other);
    assert_eq!(world.one(&entry), Ok(Accepted::Authorities(2)));
    let kv = std::sync::Arc::new(world.replicas[0].kv.clone());
    world.replicas[0].machine = Some(Machine::open(std::sync::Arc::clone(&world.options), kv).unwrap());
    let registration = owner.registration(&world, &update);
    refused(&mut world, registration, CertificateFault::Authority, "the authority of before");
    assert_eq!(world.directory(0).authorities().unwrap().generation, 2);
    let registration = Owner::new(&other, |_| {}).registration(&world, &update);
    assert_eq!(register(&mut world, registration), Ok(Accepted::Change(2)));
    // A realm whose operators do not want it has no such registrations.
    let mut plain = World::new(&[1, 2, 3], &[11]);
    plain.epoch();
    let named = by(&plain, 30, 1, &ca);
    assert_eq!(plain.one(&named), Ok(Accepted::Authorities(1)));
    let update = plain.without_admission(NAME, 20);
    let registration = owner.registration(&plain, &update);
    assert_eq!(register(&mut plain, registration), Err(Refusal::NotAdmitted));
}

#[test]
fn files_of_certificates_that_cannot_be_used_are_named() {
    let ca = Ca::new();
    let owner = Owner::new(&ca, |_| {});
    let folder = owner.0.path();
    let (pem, private, nowhere) = (folder.join("pem"), folder.join("key"), folder.join("nowhere"));
    let six = folder.join("six");
    std::fs::write(&six, ca.certificate.pem().repeat(6)).unwrap();
    let one = |path: &Path| Credential::open(path, &private).unwrap_err();
    for error in [
        one(&nowhere),
        one(&private),
        one(&six),
        Credential::open(&pem, &nowhere).unwrap_err(),
        Credential::open(&pem, &pem).unwrap_err(),
        authority_certificate(&nowhere).unwrap_err(),
        authority_certificate(&private).unwrap_err(),
        authority_certificate(&six).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(folder.to_str().unwrap()), "{error}");
    }
    assert!(format!("{:?}", owner.credential()).find("PRIVATE").is_none());
}

/// With `PLASTRON_WRITE_FIXTURES` set, files that are missing are written, those of the fuzz corpus too.
#[test]
fn the_golden_registration_is_accepted_for_ever_and_nothing_near_it_is() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = |name: &str| here.join("tests/fixtures").join(name);
    let book = support::Book::new();
    if std::env::var_os("PLASTRON_WRITE_FIXTURES").is_some() && !path("certificate-right.bin").exists() {
        let ca = Ca::new();
        let owner = Owner::of(&[&ca, &ca.below(|_| {})], KeyPair::generate().unwrap(), |_| {});
        let mut update = book.update(NAME, 0);
        update.signed.admission.clear();
        let right = owner.credential().certify(&book.realm.id(), update).unwrap();
        let list = Authorities { generation: 1, authorities: vec![ca.authority("site", "host/")] };
        std::fs::write(path("certificate-right.bin"), right.to_bytes()).unwrap();
        std::fs::write(path("certificate-authorities.bin"), list.to_bytes()).unwrap();
        std::fs::write(path("certificate-realm.bin"), book.realm.to_bytes()).unwrap();
        let corpus = here.join("../fuzz/corpus/keyserver_certificate");
        std::fs::create_dir_all(&corpus).unwrap();
        std::fs::write(corpus.join("registration"), right.to_bytes()).unwrap();
        std::fs::write(corpus.join("body"), right.body()).unwrap();
        std::fs::write(corpus.join("leaf"), &right.chain[0]).unwrap();
        std::fs::write(corpus.join("authority"), ca.certificate.der()).unwrap();
        std::fs::write(corpus.join("signature"), &right.signature).unwrap();
    }
    let read = |name: &str| std::fs::read(path(name)).unwrap();
    let (realm, list, right) =
        (read("certificate-realm.bin"), read("certificate-authorities.bin"), read("certificate-right.bin"));
    assert_eq!(realm, book.realm.to_bytes());
    let holds = |bytes: &[u8]| plastron_keyserver::fuzzing::certificate(&realm, &list, &right, bytes).unwrap();
    let body = CertifiedRegistration::from_bytes(&right).unwrap();
    assert!(holds(&right) && holds(&body.chain[0]) && holds(&body.signature));
    assert!(holds(&Authorities::from_bytes(&list).unwrap().authorities[0].certificate));
    // One bit of each byte of it, with a right checksum.
    let body = body.body();
    for at in 0..body.len() {
        let mut other = body.clone();
        other[at] ^= 1 << (at % 8);
        assert!(holds(&other), "byte {at}");
    }
}
