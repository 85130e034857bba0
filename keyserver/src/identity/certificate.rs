//! The check of a client certificate. Pure: the same authorities, registration and time always give the same.
//!
//! Which algorithms there are is said here and not left to a library, since all replicas must agree.

use std::cell::Cell;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::aws_lc_rs as algorithms;
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage, anchor_from_trusted_cert};

use super::fault::CertificateFault;
use crate::Digest;
use crate::proto::{Authorities, Authority, CertifiedRegistration};

/// id-kp-clientAuth (RFC 5280, 4.2.1.12).
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

/// The algorithms that certificates may be signed by.
const CHAIN: &[&dyn SignatureVerificationAlgorithm] = &[
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::ED25519,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// Those that an entry may be signed by, under TLS's numbers for them.
const ENTRY: &[(u16, &dyn SignatureVerificationAlgorithm)] = &[
    (0x0403, algorithms::ECDSA_P256_SHA256),
    (0x0503, algorithms::ECDSA_P384_SHA384),
    (0x0804, algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY),
    (0x0805, algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY),
    (0x0806, algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY),
    (0x0807, algorithms::ED25519),
];

/// How often a path is tried at a later time: once for each certificate that is not valid yet, the authority's own never is.
const TRIES: usize = crate::proto::MAX_CHAIN + 1;

/// Whether whoever made the registration has a certificate for its name, and its key. `now_ms` is the log's time, which may be behind by `behind_ms`.
pub(crate) fn check_certificate(
    authorities: &Authorities,
    registration: &CertifiedRegistration,
    realm: &Digest,
    now_ms: u64,
    behind_ms: u64,
) -> Result<(), CertificateFault> {
    let ders: Vec<CertificateDer<'_>> = registration.chain.iter().map(|der| CertificateDer::from(&der[..])).collect();
    let (leaf, between) = ders.split_first().ok_or(CertificateFault::Form)?;
    let certificate = EndEntityCert::try_from(leaf).map_err(|_| CertificateFault::Form)?;
    let checked = authorities.authorities.iter().map(|authority| {
        leads(authority, &certificate, between, now_ms, behind_ms)?;
        match is_for(&certificate, authority, &registration.update.name) {
            true => Ok(()),
            false => Err(CertificateFault::Name),
        }
    });
    // Of several authorities, the one that comes nearest says what is wrong.
    let nearest = checked.reduce(|one, other| match (one, other) {
        (Err(one), Err(other)) => Err(one.max(other)),
        (one, other) => one.or(other),
    });
    nearest.unwrap_or(Err(CertificateFault::Authority))?;
    let (_, algorithm) =
        ENTRY.iter().find(|(scheme, _)| *scheme == registration.scheme).ok_or(CertificateFault::Algorithm)?;
    let signed = CertifiedRegistration::signed_bytes(realm, &registration.update.signed.entry);
    let verified = certificate.verify_signature(*algorithm, &signed, &registration.signature);
    verified.map_err(|_| CertificateFault::Signature)
}

/// Whether a path leads from the authority to the certificate, at some moment from the log's time to the latest that it can be by now.
fn leads(
    authority: &Authority,
    certificate: &EndEntityCert<'_>,
    between: &[CertificateDer<'_>],
    now_ms: u64,
    behind_ms: u64,
) -> Result<(), CertificateFault> {
    let der = CertificateDer::from(&authority.certificate[..]);
    let anchors = [anchor_from_trusted_cert(&der).map_err(|_| CertificateFault::Authority)?];
    let (mut at_s, latest_s) = (now_ms / 1_000, now_ms.saturating_add(behind_ms) / 1_000);
    for _ in 0..TRIES {
        match leads_at(&anchors, certificate, between, at_s) {
            Err(webpki::Error::CertNotValidYet { not_before, .. }) if not_before.as_secs() <= latest_s => {
                at_s = not_before.as_secs().max(at_s);
            }
            checked => return checked.map_err(|error| fault(&error)),
        }
    }
    Err(CertificateFault::NotYet)
}

fn leads_at(
    anchors: &[TrustAnchor<'_>],
    certificate: &EndEntityCert<'_>,
    between: &[CertificateDer<'_>],
    at_s: u64,
) -> Result<(), webpki::Error> {
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at_s));
    let usage = ClientUsage { leaf: Cell::new(true) };
    certificate.verify_for_usage(CHAIN, anchors, between, at, usage, None, None).map(drop)
}

/// The certificate itself must say that it is for clients; of those above it, only one that says otherwise is refused. A path is begun at its certificate.
struct ClientUsage {
    leaf: Cell<bool>,
}

impl ExtendedKeyUsageValidator for ClientUsage {
    fn validate(&self, usages: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let usage = if self.leaf.replace(false) { KeyUsage::required(CLIENT_AUTH) } else { KeyUsage::client_auth() };
        usage.validate(usages)
    }
}

fn fault(error: &webpki::Error) -> CertificateFault {
    use webpki::Error;
    match error {
        Error::UnknownIssuer => CertificateFault::Authority,
        Error::CertExpired { .. } => CertificateFault::Expired,
        Error::CertNotValidYet { .. } => CertificateFault::NotYet,
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => CertificateFault::Usage,
        Error::InvalidSignatureForPublicKey => CertificateFault::Authority,
        _ => CertificateFault::Chain,
    }
}

/// Whether one of the certificate's names is `name`, behind the authority's prefix. No wildcard is, and letters of DNS names are small.
fn is_for(certificate: &EndEntityCert<'_>, authority: &Authority, name: &str) -> bool {
    let Some(rest) = name.strip_prefix(&*authority.prefix) else { return false };
    let of_dns = certificate.valid_dns_names().any(|dns| !dns.contains('*') && dns.to_ascii_lowercase() == rest);
    of_dns || certificate.valid_uri_names().any(|uri| uri == rest)
}
