//! A client certificate with its key, to register a name with.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rustls::SignatureScheme;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::SigningKey;

use crate::proto::{CertifiedRegistration, MAX_CERTIFICATE_BYTES, MAX_CHAIN, Update};
use crate::tls::{certificates, invalid, private_key};
use crate::{Digest, Error, Result};

/// The algorithms that an entry may be signed by. A key of one kind has one, but for RSA, where the library chooses.
const SCHEMES: &[SignatureScheme] = &[
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
];

/// The certificate, those between it and its authority, and its key.
#[derive(Debug)]
pub struct Credential {
    chain: Vec<Bytes>,
    key: Arc<dyn SigningKey>,
}

impl Credential {
    /// From these PEM files; the certificate's has those between it and the authority behind it.
    ///
    /// # Errors
    /// `Invalid` for files that cannot be used.
    pub fn open(certificate: &Path, private: &Path) -> Result<Self> {
        let chain = certificates(certificate)?;
        if chain.len() > MAX_CHAIN {
            return Err(invalid(certificate, format!("it has {} certificates, of at most {MAX_CHAIN}", chain.len())));
        }
        // What is wrong with a key is not said in more words: they could be about its bytes.
        let key = any_supported_type(&private_key(private)?)
            .map_err(|_| invalid(private, "its private key is of no kind that is known here"))?;
        Ok(Self { chain: chain.iter().map(|der| Bytes::copy_from_slice(der)).collect(), key })
    }

    /// The registration of a name in that realm, by its first entry, which has no admission.
    ///
    /// # Errors
    /// `Invalid` if the key can sign by none of the algorithms.
    pub fn certify(&self, realm: &Digest, update: Update) -> Result<CertifiedRegistration> {
        let failed = |why: &str| Error::Invalid { what: "certificate's key", why: why.to_owned() };
        let signer = self.key.choose_scheme(SCHEMES);
        let signer = signer.ok_or_else(|| failed("it is not for ECDSA (P-256, P-384), RSA or Ed25519"))?;
        let signed = CertifiedRegistration::signed_bytes(realm, &update.signed.entry);
        let signature = signer.sign(&signed).map_err(|_| failed("it does not sign"))?.into();
        Ok(CertifiedRegistration { update, chain: self.chain.clone(), scheme: signer.scheme().into(), signature })
    }
}

/// The certificate of an authority in this PEM file, for operators to bring in.
///
/// # Errors
/// `Invalid` if there is not one certificate in it that can be an authority's.
pub fn authority_certificate(path: &Path) -> Result<Bytes> {
    let found = certificates(path)?;
    let [certificate] = &found[..] else {
        return Err(invalid(path, format!("it has {} certificates; give the authority's own alone", found.len())));
    };
    webpki::anchor_from_trusted_cert(certificate).map_err(|error| invalid(path, error))?;
    if certificate.len() > MAX_CERTIFICATE_BYTES {
        return Err(invalid(path, format!("it has {} bytes, of at most {MAX_CERTIFICATE_BYTES}", certificate.len())));
    }
    Ok(Bytes::copy_from_slice(certificate))
}
