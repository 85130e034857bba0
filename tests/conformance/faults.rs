//! The same back ends through a proxy that breaks traffic: success or a typed error, never wrong bytes, a duplicate, a leak or a hang.

use std::collections::HashMap;
use std::time::Duration;

use plastron_localstack::{Fault as Break, FaultProxy, Match, Point, Rule};
use plastron_sources::{Bucket, ErrorKind, Event};

use crate::backend::{Backend, Place, body, names, options, read_whole};

/// A proxy before the place's server, and the store string through it; `None` where there is no HTTP to break.
async fn behind_a_proxy(place: &Place, rules: Vec<Rule>) -> Option<(FaultProxy, String)> {
    let url = &place.endpoint.as_ref()?.url;
    let origin: String = url.split('/').take(3).collect::<Vec<_>>().join("/");
    let mut builder = FaultProxy::before(origin).seed(20_261_121);
    for rule in rules {
        builder = builder.rule(rule);
    }
    let proxy = builder.start().await.unwrap();
    let store = place.store_at(&proxy.url());
    Some((proxy, store))
}

async fn open(store: &str, more: &str) -> Bucket {
    Bucket::open(options(&format!("{store},part_size=5MB,{more}"))).await.unwrap_or_else(|error| panic!("{error}"))
}

/// A tenth of all requests fails in one of ten ways. Corruption strikes objects only: no provider has checksums on listings, and
/// TLS is what protects those.
fn ten_percent() -> Vec<Rule> {
    let objects = || Match::method("GET").header("range");
    vec![
        Rule::new(Break::Status { code: 503, retry_after_s: None, point: Point::Before }).probability(0.02),
        Rule::new(Break::Status { code: 500, retry_after_s: None, point: Point::After }).probability(0.01),
        Rule::new(Break::Status { code: 429, retry_after_s: Some(0), point: Point::Before }).probability(0.01),
        Rule::new(Break::Reset { point: Point::Before }).probability(0.01),
        Rule::new(Break::Reset { point: Point::After }).probability(0.01),
        Rule::new(Break::LostAcknowledgement).probability(0.015),
        Rule::new(Break::TruncateResponse { at: 10, silent: false }).probability(0.01),
        Rule::new(Break::TruncateResponse { at: 10, silent: true }).when(objects()).probability(0.02),
        Rule::new(Break::CorruptResponse { at: None }).when(objects()).probability(0.02),
        Rule::new(Break::CorruptRequest { at: None }).when(Match::method("PUT")).probability(0.01),
        Rule::new(Break::Hang { at: None }).probability(0.001),
    ]
}

/// What a name may hold: nothing, an object of that seed, or, after an error, either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Absent,
    Present(u64),
    Either(u64),
}

/// One worker's own corner of the bucket, checked against a plain model.
async fn work(bucket: Bucket, worker: u64, operations: u64) -> (u64, u64) {
    let mut model: HashMap<String, Known> = HashMap::new();
    let mut state = worker * 7_919 + 1;
    let mut random = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let size = |seed: u64| match seed % 20 {
        0 => 0,
        1 => 300_000,
        2 if seed % 200 == 2 => (5 << 20) + 1,
        _ => 100 + (seed % 5_000) as usize,
    };
    let (mut done, mut failed) = (0, 0);
    for operation in 0..operations {
        let name = format!("w{worker}/n{}", random(12));
        let known = model.get(&name).copied().unwrap_or(Known::Absent);
        let seed = worker * 1_000_000 + operation;
        let fault = match random(10) {
            0..4 => match bucket.put(&name, body(size(seed), seed)).await {
                Ok(info) => {
                    assert!(!matches!(known, Known::Present(_)), "{name} was created twice");
                    assert_eq!(info.size, size(seed) as u64);
                    model.insert(name, Known::Present(seed));
                    None
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    assert_ne!(known, Known::Absent, "{name} is taken, but nobody created it");
                    if let Known::Either(old) = known {
                        model.insert(name, Known::Present(old));
                    }
                    None
                }
                Err(error) => {
                    // Either it was created or not; with an older doubt there are three answers, and a read will tell.
                    if known == Known::Absent {
                        model.insert(name, Known::Either(seed));
                    } else if let Known::Either(_) = known {
                        settle(&bucket, &name, &[known, Known::Either(seed)], &mut model, size).await;
                    }
                    Some(error)
                }
            },
            4..8 => match bucket.open_object(&name).await {
                Ok(object) => match object.read(0..object.size()).await {
                    Ok(data) => {
                        let (Known::Present(seed) | Known::Either(seed)) = known else {
                            panic!("{name} should not be there")
                        };
                        assert!(data[..] == body(size(seed), seed)[..], "{name} has wrong bytes");
                        model.insert(name, Known::Present(seed));
                        None
                    }
                    Err(error) => Some(error),
                },
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    assert!(!matches!(known, Known::Present(_)), "{name} is lost");
                    model.insert(name, Known::Absent);
                    None
                }
                Err(error) => Some(error),
            },
            8 => match bucket.delete(&name).await {
                Ok(()) => {
                    model.insert(name, Known::Absent);
                    None
                }
                // A delete whose acknowledgement was lost finds nothing the second time.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    model.insert(name, Known::Absent);
                    None
                }
                Err(error) => {
                    if let Known::Present(old) = known {
                        model.insert(name, Known::Either(old));
                    }
                    Some(error)
                }
            },
            _ => {
                use futures::TryStreamExt;
                let listed: Result<Vec<_>, _> =
                    bucket.list(&format!("w{worker}/"), Default::default()).try_collect().await;
                match listed {
                    Ok(entries) => {
                        let listed: Vec<&str> = entries.iter().map(|entry| entry.name()).collect();
                        assert!(
                            listed.is_sorted_by(|one, next| one < next),
                            "a listing with duplicates or out of order: {listed:?}"
                        );
                        for (name, known) in &model {
                            match known {
                                Known::Present(_) => assert!(listed.contains(&name.as_str()), "{name} is not listed"),
                                Known::Absent => assert!(!listed.contains(&name.as_str()), "{name} is listed"),
                                Known::Either(_) => {}
                            }
                        }
                        None
                    }
                    Err(error) => Some(error),
                }
            }
        };
        match fault {
            None => done += 1,
            Some(error) => {
                assert!(
                    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Corrupt),
                    "an error of the wrong kind under transient faults: {error}"
                );
                failed += 1;
            }
        }
    }
    (done, failed)
}

/// Reads until it is known which of several creations is there.
async fn settle(
    bucket: &Bucket,
    name: &str,
    maybe: &[Known],
    model: &mut HashMap<String, Known>,
    size: impl Fn(u64) -> usize,
) {
    for _ in 0..20 {
        let data = match bucket.open_object(name).await {
            Ok(object) => object.read(0..object.size()).await,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                model.insert(name.to_owned(), Known::Absent);
                return;
            }
            Err(error) => Err(error),
        };
        if let Ok(data) = data {
            let seeds = maybe.iter().filter_map(|known| match known {
                Known::Present(seed) | Known::Either(seed) => Some(*seed),
                Known::Absent => None,
            });
            let found = seeds.into_iter().find(|seed| data[..] == body(size(*seed), *seed)[..]);
            model.insert(name.to_owned(), Known::Present(found.unwrap_or_else(|| panic!("{name} has wrong bytes"))));
            return;
        }
    }
    panic!("{name} could not be read in 20 tries");
}

pub(crate) async fn ten_thousand_operations_under_ten_percent_faults(place: Place) {
    let Some((proxy, store)) = behind_a_proxy(&place, Vec::new()).await else { return };
    let bucket = open(&store, "retry=(deadline=5min,initial=5ms,max=200ms),timeout=(request=8s)").await;
    for rule in ten_percent() {
        proxy.add_rule(rule);
    }
    // The emulators written in Python take a while for a request.
    let operations = match place.backend {
        Backend::Moto | Backend::LocalStack => 2_000,
        _ => 10_000,
    };
    let workers = 16;
    let all = futures::future::join_all(
        (0..workers).map(|worker| tokio::spawn(work(bucket.clone(), worker, operations / workers))),
    );
    let results = tokio::time::timeout(Duration::from_secs(3600), all).await.expect("it hangs");
    let (done, failed) =
        results.into_iter().map(Result::unwrap).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let struck: u64 = proxy.faults().values().sum();
    println!(
        "{done} operations done, {failed} failed; {struck} faults: {:?}; {} retries",
        proxy.faults(),
        bucket.stats().retries()
    );
    assert_eq!(done + failed, operations / workers * workers);
    assert!(struck > operations / 20, "the proxy struck only {struck} times");
    assert!(
        failed * 50 < done,
        "{failed} of {operations} operations failed: retries should have got nearly all through"
    );
    proxy.clear_rules();
    bucket.close().await;
    // Nothing is left behind but the objects: their side objects and nobody else's.
    let leaked: Vec<String> = names(&bucket.system(), "_plastron/").await;
    assert!(leaked.iter().all(|name| name.starts_with("_plastron/sums/")), "{leaked:?}");
    proxy.stop().await;
}

pub(crate) async fn a_lost_acknowledgement_is_success(place: Place) {
    let Some((proxy, store)) = behind_a_proxy(&place, Vec::new()).await else { return };
    let bucket = open(&store, "").await;
    let completing = match place.backend {
        Backend::Azurite => Match::method("PUT").query("comp=blocklist"),
        _ => Match::method("POST").query("uploadId="),
    };
    for (name, size, when) in [("small", 1_000, Match::method("PUT")), ("large", 11 << 20, completing)] {
        for lost in [Break::LostAcknowledgement, Break::Status { code: 500, retry_after_s: None, point: Point::After }]
        {
            proxy.clear_counters();
            proxy.add_rule(Rule::new(lost.clone()).when(when.clone()).times(1));
            let created = bucket.put(name, body(size, 1)).await;
            assert!(created.is_ok(), "{name}, {}: {}", lost.name(), created.unwrap_err());
            assert_eq!(proxy.faults().get(lost.name()), Some(&1), "{name}: the acknowledgement was not lost");
            assert!(read_whole(&bucket, name).await == body(size, 1));
            // Somebody else's object is not taken for one's own.
            assert_eq!(bucket.put(name, body(size, 1)).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
            bucket.delete(name).await.unwrap();
            proxy.clear_rules();
        }
    }
    proxy.stop().await;
}

pub(crate) async fn flipped_bits_are_healed_or_reported(place: Place) {
    let Some((proxy, store)) = behind_a_proxy(&place, Vec::new()).await else { return };
    let bucket = open(&store, "hedge=(enabled=false)").await;
    let data = body(700_000, 2);
    bucket.put("object", data.clone()).await.unwrap();
    let object = bucket.open_object("object").await.unwrap();
    let reads = || Match::method("GET").header("range");
    // Once: on the way, and healed.
    for at in [0, 1, 262_143, 262_144, 699_999] {
        proxy.add_rule(Rule::new(Break::CorruptResponse { at: Some(at) }).when(reads()).times(1));
        assert!(object.read(0..700_000).await.unwrap()[..] == data[..], "a flipped bit in byte {at} was handed out");
        proxy.clear_rules();
    }
    assert!(bucket.stats().event(Event::CorruptRead) >= 5, "{:?}", bucket.stats());
    // Always: reported, with its place.
    proxy.add_rule(Rule::new(Break::CorruptResponse { at: Some(3) }).when(reads()));
    let error = object.read(0..700_000).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("object") && error.to_string().contains("262144"), "{error}");
    proxy.clear_rules();
    // On the way to the server: found before success is reported.
    proxy.add_rule(Rule::new(Break::CorruptRequest { at: Some(5_000) }).when(Match::method("PUT")).times(1));
    bucket.put("sent", body(50_000, 3)).await.unwrap();
    proxy.clear_rules();
    assert!(read_whole(&bucket, "sent").await == body(50_000, 3));
    proxy.add_rule(
        Rule::new(Break::CorruptRequest { at: Some(5_000) }).when(Match::method("PUT").query("part")).times(2),
    );
    bucket.put("sent-large", body(12 << 20, 4)).await.unwrap();
    proxy.clear_rules();
    assert!(read_whole(&bucket, "sent-large").await == body(12 << 20, 4));
    proxy.stop().await;
}

pub(crate) async fn a_hanging_server_meets_the_deadline(place: Place) {
    let Some((proxy, store)) = behind_a_proxy(&place, Vec::new()).await else { return };
    // Only what hangs meets a short deadline; whatever else this machine takes its time for does not.
    let patient = open(&store, "").await;
    patient.put("object", body(700_000, 5)).await.unwrap();
    let bucket = open(&store, "retry=(deadline=3s),timeout=(request=1s),probe=off").await;
    let mut opened = bucket.open_object("object").await;
    for _ in 0..100 {
        if opened.is_err() {
            opened = bucket.open_object("object").await;
        }
    }
    let object = opened.unwrap();
    proxy.add_rule(Rule::new(Break::Hang { at: Some(1_000) }));
    let long = Duration::from_secs(300);
    for result in [
        tokio::time::timeout(long, object.read(0..700_000)).await.expect("a read hangs").map(drop),
        tokio::time::timeout(long, bucket.put("other", body(9 << 20, 6))).await.expect("a put hangs").map(drop),
    ] {
        // A hang in a small answer (an upload's) is not noticed at all.
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.to_string().contains("gave up"), "{error}");
        }
    }
    proxy.clear_rules();
    assert!(read_whole(&patient, "object").await == body(700_000, 5));
    proxy.stop().await;
}
