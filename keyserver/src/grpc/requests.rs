//! What is asked.

use bytes::Bytes;

use super::generated as wire;
use super::pieces::{body_of, bounded, from_body, signatures, signatures_of, there, wrong};
use crate::proto::{
    AuthoritiesChange, CertifiedRegistration, IssuersChange, LogEntry, LookupRequest, MAX_CERTIFICATE_BYTES, MAX_CHAIN,
    MAX_CHAIN_BYTES, MAX_SIGNATURE_BYTES, MAX_TOKEN_BYTES, Message as _, PolicyChange, Quorum, Registration,
    StreamPosition, Update, check_name,
};
use crate::{Error, Result};

impl From<&LookupRequest> for wire::LookupRequest {
    fn from(request: &LookupRequest) -> Self {
        use wire::lookup_request::Quorum as Sent;
        let quorum = match &request.quorum {
            Quorum::Replicas => Sent::Signers(wire::Signers::Replicas.into()),
            Quorum::Verifiers => Sent::Signers(wire::Signers::Verifiers.into()),
            Quorum::Of(policy) => Sent::Policy(policy.into()),
        };
        Self {
            name: request.name.clone(),
            epoch: request.epoch,
            known_generation: request.known_generation,
            quorum: Some(quorum),
        }
    }
}

impl TryFrom<wire::LookupRequest> for LookupRequest {
    type Error = Error;

    fn try_from(sent: wire::LookupRequest) -> Result<Self> {
        use wire::lookup_request::Quorum as Sent;
        check_name(&sent.name)?;
        let quorum = match sent.quorum {
            None => Quorum::default(),
            Some(Sent::Signers(signers)) => match wire::Signers::try_from(signers) {
                Ok(wire::Signers::Verifiers) => Quorum::Verifiers,
                Ok(wire::Signers::Replicas) => Quorum::Replicas,
                Err(_) => return Err(wrong(Self::WHAT, format!("{signers} is no sort of signers"))),
            },
            Some(Sent::Policy(policy)) => Quorum::Of(policy.try_into()?),
        };
        bounded(Self { name: sent.name, epoch: sent.epoch, quorum, known_generation: sent.known_generation })
    }
}

impl From<&Update> for wire::UpdateRequest {
    fn from(update: &Update) -> Self {
        Self { name: update.name.clone(), signed: Some((&update.signed).into()), profile: body_of(&update.profile) }
    }
}

impl TryFrom<wire::UpdateRequest> for Update {
    type Error = Error;

    fn try_from(sent: wire::UpdateRequest) -> Result<Self> {
        check_name(&sent.name)?;
        let signed = there("signed entry", sent.signed)?.try_into()?;
        bounded(Self { name: sent.name, signed, profile: from_body(&sent.profile)? })
    }
}

impl TryFrom<&Registration> for wire::RegisterRequest {
    type Error = Error;

    fn try_from(registration: &Registration) -> Result<Self> {
        let token = String::from_utf8(registration.token.to_vec());
        // What it is instead is not said: it could be a secret all the same.
        let token = token.map_err(|_| Error::Invalid { what: "identity token", why: "it is no text".to_owned() })?;
        Ok(Self { update: Some((&registration.update).into()), token })
    }
}

impl TryFrom<wire::RegisterRequest> for Registration {
    type Error = Error;

    fn try_from(sent: wire::RegisterRequest) -> Result<Self> {
        if sent.token.len() > MAX_TOKEN_BYTES {
            return Err(wrong("identity token", format!("it has more than {MAX_TOKEN_BYTES} bytes")));
        }
        let update = there(Update::WHAT, sent.update)?.try_into()?;
        bounded(Self { update, token: sent.token.into() })
    }
}

impl From<&CertifiedRegistration> for wire::RegisterCertifiedRequest {
    fn from(registration: &CertifiedRegistration) -> Self {
        Self {
            update: Some((&registration.update).into()),
            chain: registration.chain.clone(),
            scheme: u32::from(registration.scheme),
            signature: registration.signature.clone(),
        }
    }
}

impl TryFrom<wire::RegisterCertifiedRequest> for CertifiedRegistration {
    type Error = Error;

    fn try_from(sent: wire::RegisterCertifiedRequest) -> Result<Self> {
        let size: usize = sent.chain.iter().map(Bytes::len).sum();
        let largest = sent.chain.iter().map(Bytes::len).max().unwrap_or(0);
        if sent.chain.len() > MAX_CHAIN || size > MAX_CHAIN_BYTES || largest > MAX_CERTIFICATE_BYTES {
            let most =
                format!("{MAX_CHAIN} certificates, {MAX_CERTIFICATE_BYTES} bytes each, {MAX_CHAIN_BYTES} together");
            return Err(wrong("chain", format!("it has at most {most}")));
        }
        if sent.signature.len() > MAX_SIGNATURE_BYTES {
            return Err(wrong("signature", format!("it has more than {MAX_SIGNATURE_BYTES} bytes")));
        }
        let scheme = u16::try_from(sent.scheme).map_err(|_| wrong("scheme", "it is above 65535"))?;
        let update = there(Update::WHAT, sent.update)?.try_into()?;
        bounded(Self { update, chain: sent.chain, scheme, signature: sent.signature })
    }
}

impl TryFrom<&LogEntry> for wire::PushRatificationRequest {
    type Error = Error;

    fn try_from(entry: &LogEntry) -> Result<Self> {
        match entry {
            LogEntry::HeadSignature { epoch, key, signature } => {
                Ok(Self { epoch: *epoch, signature: Some((key, signature).into()) })
            }
            _ => Err(Error::Invalid { what: "ratification", why: "it is another log entry".to_owned() }),
        }
    }
}

impl TryFrom<wire::PushRatificationRequest> for LogEntry {
    type Error = Error;

    fn try_from(sent: wire::PushRatificationRequest) -> Result<Self> {
        let (key, signature) = there("signature", sent.signature)?.try_into()?;
        Ok(Self::HeadSignature { epoch: sent.epoch, key, signature })
    }
}

impl From<wire::VerifierStreamRequest> for StreamPosition {
    fn from(sent: wire::VerifierStreamRequest) -> Self {
        Self { epoch: sent.epoch, change: sent.change }
    }
}

/// A list or a policy with the operators' signatures.
macro_rules! operated {
    ($sent:ident, $change:ident, $what:ident) => {
        impl From<&$change> for wire::$sent {
            fn from(change: &$change) -> Self {
                Self { $what: body_of(&change.$what), signatures: signatures_of(&change.signatures) }
            }
        }

        impl TryFrom<wire::$sent> for $change {
            type Error = Error;

            fn try_from(sent: wire::$sent) -> Result<Self> {
                bounded(Self { $what: from_body(&sent.$what)?, signatures: signatures(sent.signatures)? })
            }
        }
    };
}

operated!(ChangePolicyRequest, PolicyChange, policy);
operated!(ChangeIssuersRequest, IssuersChange, issuers);
operated!(ChangeAuthoritiesRequest, AuthoritiesChange, authorities);
