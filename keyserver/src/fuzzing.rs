//! Entry points of the fuzz targets; not part of the interface.

use crate::encoding::frame;
use crate::machine::{EpochRecord, State};
use crate::merkle::{Page, TreeHasher};
use crate::proto::*;
use crate::{Digest, Error, verify_lookup};

/// Any bytes as a body, and as a framed form, of each message: what is accepted has that form only. `None` if nothing was accepted.
pub fn message(bytes: &[u8]) -> Option<bool> {
    fn one<M: Message>(bytes: &[u8]) -> Option<bool> {
        let body = M::from_body(bytes).ok().map(|message| message.body() == bytes);
        let framed = M::from_bytes(bytes).ok().map(|message| message.to_bytes() == bytes);
        let summed = M::from_bytes(&frame(M::KIND, M::VERSION, bytes)).ok().map(|message| message.body() == bytes);
        // A body that is not too large is accepted with its frame if it is without.
        let same = body.is_none() || summed == body || bytes.len() > M::MOST;
        [body, framed, summed]
            .iter()
            .any(Option::is_some)
            .then(|| same && ![body, framed, summed].contains(&Some(false)))
    }
    let results = [
        one::<Entry>(bytes),
        one::<SignedEntry>(bytes),
        one::<Update>(bytes),
        one::<Profile>(bytes),
        one::<RealmPolicy>(bytes),
        one::<Realm>(bytes),
        one::<EpochHead>(bytes),
        one::<SignedHead>(bytes),
        one::<LogEntry>(bytes),
        one::<PolicyChange>(bytes),
        one::<LookupRequest>(bytes),
        one::<LookupAnswer>(bytes),
        one::<StreamPage>(bytes),
        one::<Evidence>(bytes),
        one::<ClientMemory>(bytes),
        one::<HistoryPage>(bytes),
        one::<Issuers>(bytes),
        one::<IssuersChange>(bytes),
        one::<Registration>(bytes),
        one::<Authorities>(bytes),
        one::<AuthoritiesChange>(bytes),
        one::<CertifiedRegistration>(bytes),
        one::<SnapshotPortion>(bytes),
        one::<State>(bytes),
        one::<EpochRecord>(bytes),
        #[cfg(feature = "key-module")]
        one::<crate::key_module::Readers>(bytes),
        #[cfg(feature = "key-module")]
        one::<crate::key_module::WrapMemory>(bytes),
        #[cfg(feature = "key-module")]
        one::<crate::key_module::KekBlob>(bytes),
    ];
    results.iter().any(Option::is_some).then(|| !results.contains(&Some(false)))
}

/// Any bytes as a page of the tree, as they are and with a right checksum.
pub fn tree_page(bytes: &[u8]) -> Option<bool> {
    let summed = [bytes, &crc32c::crc32c(bytes).to_be_bytes()].concat();
    let results = [bytes, &summed].map(|bytes| Page::decode(bytes).ok().map(|page| page.encode() == bytes));
    results.iter().any(Option::is_some).then(|| !results.contains(&Some(false)))
}

/// Any bytes as an identity token, and as a list of keys: nothing panics, and what nobody has signed is not believed.
pub fn token(bytes: &[u8]) -> bool {
    let point = [&[4][..], &[7; 64]].concat().try_into().unwrap_or([4; 65]);
    let keys = vec![
        IssuerKey { id: "a".to_owned(), key: IssuerPublicKey::Ed25519([7; 32]) },
        IssuerKey { id: "b".to_owned(), key: IssuerPublicKey::P256(point) },
        IssuerKey {
            id: "c".to_owned(),
            key: IssuerPublicKey::Rsa { modulus: vec![0xab; 256].into(), exponent: vec![1, 0, 1].into() },
        },
    ];
    let issuer = Issuer { issuer: "i".to_owned(), audience: "a".to_owned(), prefix: String::new(), keys };
    let issuers = Issuers { generation: 1, issuers: vec![issuer] };
    let refused = crate::identity::check_token(&issuers, bytes, "n@a", &Digest::NONE, 1_000, 0).is_err();
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = crate::identity::keys_of_jwks(text);
    }
    refused
}

/// Any bytes as a registration by a certificate: checking it does not panic, and nothing is accepted but for the name and the entry of the right one, which nobody
/// can have another signature for. `authorities` is a list of those that the right one's certificate leads to.
pub fn certificate(realm: &[u8], authorities: &[u8], right: &[u8], bytes: &[u8]) -> Result<bool, Error> {
    // In 2027, when the golden files are valid.
    const NOW_MS: u64 = 1_800_000_000_000;
    let realm = Realm::from_bytes(realm)?.id();
    let authorities = Authorities::from_bytes(authorities)?;
    let right = CertifiedRegistration::from_bytes(right)?;
    let accepted =
        |one: &CertifiedRegistration| crate::identity::check_certificate(&authorities, one, &realm, NOW_MS, 0).is_ok();
    // As they are, with a right frame, and as the chain and the signature of the right entry.
    let framed = frame(CertifiedRegistration::KIND, CertifiedRegistration::VERSION, bytes);
    let mut others: Vec<_> =
        [bytes, &framed].iter().filter_map(|one| CertifiedRegistration::from_bytes(one).ok()).collect();
    let any = bytes::Bytes::copy_from_slice(bytes);
    others.push(CertifiedRegistration { chain: vec![any.clone()], ..right.clone() });
    others.push(CertifiedRegistration {
        chain: right.chain.iter().cloned().chain([any.clone()]).collect(),
        ..right.clone()
    });
    others.push(CertifiedRegistration { signature: any.clone(), ..right.clone() });
    let same = |one: &CertifiedRegistration| {
        (&one.update.name, &one.update.signed.entry) == (&right.update.name, &right.update.signed.entry)
    };
    // As an authority: whoever has such a certificate has that key, so that nothing can be said of what it accepts.
    let list = Authorities {
        generation: 1,
        authorities: vec![Authority { label: "any".to_owned(), prefix: String::new(), certificate: any }],
    };
    let _ = crate::identity::check_certificate(&list, &right, &realm, NOW_MS, 0);
    Ok(accepted(&right) && others.iter().all(|one| !accepted(one) || same(one)))
}

/// Any bytes as an answer to a client: checking it does not panic, and what is accepted is the one right answer. The rest of the bytes is of no use
/// to whoever has no key of the realm, so that nothing but the corpus' own answer can be accepted.
pub fn lookup(realm: &[u8], right: &[u8], bytes: &[u8]) -> Result<bool, Error> {
    let realm = Realm::from_bytes(realm)?;
    let right = LookupAnswer::from_bytes(right)?;
    let memory = ClientMemory::new(&realm);
    let request =
        LookupRequest { name: "node/a/1".to_owned(), epoch: 0, quorum: Quorum::Verifiers, known_generation: 0 };
    let now = right.head.head.issued_ms;
    verify_lookup(&realm, &memory, &request, &right, now)?;
    let framed = frame(LookupAnswer::KIND, LookupAnswer::VERSION, bytes);
    for answer in [LookupAnswer::from_bytes(bytes), LookupAnswer::from_bytes(&framed)].into_iter().flatten() {
        let accepted = verify_lookup(&realm, &memory, &request, &answer, now);
        let hasher = TreeHasher::new(&Digest::NONE);
        let _ = answer.tree.proves(&hasher, &answer.head.head.root, &Digest::NONE, None);
        if accepted.is_ok_and(|verified| verified.found != right.found || verified.head != right.head.head) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Any bytes as a key blob of the module: examining it does not panic, and nothing but the right one is found without a fault.
#[cfg(feature = "key-module")]
pub fn kek_blob(realm: &[u8], right: &[u8], bytes: &[u8]) -> Result<bool, Error> {
    use crate::key_module::{KekBlob, examine};
    let realm = Realm::from_bytes(realm)?;
    let right = KekBlob::from_bytes(right)?;
    let framed = frame(KekBlob::KIND, KekBlob::VERSION, bytes);
    for blob in [KekBlob::from_bytes(bytes), KekBlob::from_bytes(&framed)].into_iter().flatten() {
        let examination = examine(&realm, &Quorum::Verifiers, &blob);
        // Whose signature is right says nothing of what is not signed: the encoding has nothing of that kind.
        if examination.faults.is_empty() && blob != right {
            return Ok(false);
        }
    }
    Ok(examine(&realm, &Quorum::Verifiers, &right).faults.is_empty())
}

/// Any bytes as each of the messages of gRPC that have something in them: what is accepted is sent again as the same, and is accepted in its framed form, too. `None` if nothing
/// was accepted.
#[cfg(feature = "grpc")]
pub fn grpc(bytes: &[u8]) -> Option<bool> {
    use crate::grpc as wire;
    use prost::Message as Sent;

    fn one<S: Sent + Default, M>(bytes: &[u8], again: impl Fn(&M) -> Option<S>) -> Option<bool>
    where
        M: Message + PartialEq + TryFrom<S, Error = Error>,
    {
        let message = M::try_from(S::decode(bytes).ok()?).ok()?;
        let sent = again(&message).and_then(|sent| M::try_from(S::decode(&*sent.encode_to_vec()).ok()?).ok());
        let framed = message.to_bounded_bytes().and_then(|framed| M::from_bytes(&framed));
        Some(sent.as_ref() == Some(&message) && framed.is_ok_and(|framed| framed == message))
    }
    let results = [
        one(bytes, |message: &LookupRequest| Some(wire::LookupRequest::from(message))),
        one(bytes, |message: &LookupAnswer| Some(wire::LookupResponse::from(message))),
        one(bytes, |message: &Update| Some(wire::UpdateRequest::from(message))),
        one(bytes, |message: &Registration| wire::RegisterRequest::try_from(message).ok()),
        one(bytes, |message: &CertifiedRegistration| Some(wire::RegisterCertifiedRequest::from(message))),
        one(bytes, |message: &HistoryPage| Some(wire::HistoryResponse::from(message))),
        one(bytes, |message: &LogEntry| wire::PushRatificationRequest::try_from(message).ok()),
        one(bytes, |message: &StreamPage| Some(wire::VerifierStreamResponse::from(message))),
        one(bytes, |message: &PolicyChange| Some(wire::ChangePolicyRequest::from(message))),
        one(bytes, |message: &IssuersChange| Some(wire::ChangeIssuersRequest::from(message))),
        one(bytes, |message: &AuthoritiesChange| Some(wire::ChangeAuthoritiesRequest::from(message))),
        one(bytes, |message: &Issuers| Some(wire::IssuersResponse { issuers: wire::body_of(message) })),
        one(bytes, |message: &Authorities| Some(wire::AuthoritiesResponse { authorities: wire::body_of(message) })),
    ];
    results.iter().any(Option::is_some).then(|| !results.contains(&Some(false)))
}
