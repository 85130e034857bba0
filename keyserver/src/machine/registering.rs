//! What operators decide: who runs the realm, whose identity tokens are believed and whose client certificates are taken; and what a token or a certificate does.

use std::sync::Arc;

use super::step::{Accepted, Effect, Judged, Step};
use crate::identity::{check_certificate, check_token};
use crate::proto::{AuthoritiesChange, CertifiedRegistration, IssuersChange, PolicyChange, Registration, Update};
use crate::{Digest, Refusal, Result, Signatures};

impl Step<'_> {
    /// A first entry with a token.
    pub(super) fn registration(&mut self, registration: Registration) -> Judged {
        let Registration { update, token } = registration;
        let realm = &self.machine.options().realm;
        let (entry, issuers) = (update.signed.entry.hash(&realm.id()), self.tables.issuers()?);
        // The newest head is older than now by as long as a head is fresh, at the most.
        let checked = check_token(&issuers, &token, &update.name, &entry, self.state.issued_ms, realm.lifetime_ms);
        self.admit(update, checked.map_err(Refusal::Token))
    }

    /// A first entry with a client certificate.
    pub(super) fn certified(&mut self, registration: CertifiedRegistration) -> Judged {
        let (realm, authorities) = (&self.machine.options().realm, self.tables.authorities()?);
        let now_ms = self.state.issued_ms;
        let checked = check_certificate(&authorities, &registration, &realm.id(), now_ms, realm.lifetime_ms);
        self.admit(registration.update, checked.map_err(Refusal::Certificate))
    }

    /// What was found right goes into the directory with the registrar's signature, in place of an operator's.
    fn admit(&mut self, mut update: Update, checked: Result<(), Refusal>) -> Judged {
        let realm = self.machine.options().realm.id();
        let entry = update.signed.entry.hash(&realm);
        let result = match checked {
            _ if !update.signed.admission.is_empty() => Err(Refusal::Admission),
            Ok(()) => {
                let key = &self.machine.registrar;
                update.signed.admission = [(key.public(), update.signed.entry.admit(&realm, key))].into();
                self.update(&update, &entry)?
            }
            // Proposed twice, and too late the second time.
            Err(_) if self.has(&update.name, &entry)? => self.update(&update, &entry)?,
            Err(refusal) => Err(refusal),
        };
        Ok(self.answer(entry, result))
    }

    /// Whoever waits is told.
    pub(super) fn answer(
        &mut self,
        entry: Digest,
        result: Result<(u64, Accepted), Refusal>,
    ) -> Result<Accepted, Refusal> {
        let told = result.as_ref().map(|(epoch, _)| *epoch).map_err(Clone::clone);
        self.effects.push(Effect::Answer { entry, result: told });
        result.map(|(_, accepted)| accepted)
    }

    /// Whether that entry is the newest of the name.
    fn has(&self, name: &str, entry: &Digest) -> Result<bool> {
        let Some(index) = self.tables.name(name)? else { return Ok(false) };
        let newest = self.tables.entry(&index, u64::MAX)?;
        Ok(newest.is_some_and(|(_, signed)| signed.entry.hash(&self.machine.options().realm.id()) == *entry))
    }

    /// Others are to run the realm.
    pub(super) fn policy_change(&mut self, change: PolicyChange) -> Result<Accepted, Refusal> {
        let have = self.state.policy.generation;
        let found = change.policy.generation;
        if self.state.announced.as_deref() == Some(&change.policy) || *self.state.policy == change.policy {
            return Ok(Accepted::Known);
        }
        if self.state.announced.is_some() || have.checked_add(1) != Some(found) {
            return Err(Refusal::Generation { have, found });
        }
        let digest = PolicyChange::signed_digest(&change.policy, &self.machine.options().realm.id());
        if !self.state.policy.operators.is_met(&digest, &self.of_operators(&change.signatures)) {
            return Err(Refusal::PolicyUnsigned);
        }
        self.state.announced = Some(Arc::new(change.policy));
        Ok(Accepted::Policy(self.state.delimited + 1))
    }

    /// Who may be believed is for operators to say.
    pub(super) fn issuers(&mut self, change: &IssuersChange) -> Judged {
        let digest = IssuersChange::signed_digest(&change.issuers, &self.machine.options().realm.id());
        let have = self.tables.issuers()?;
        let (same, generations) = (have == change.issuers, (have.generation, change.issuers.generation));
        let result = self.listed(digest, same, generations, &change.signatures, Accepted::Issuers);
        if matches!(result, Ok((_, Accepted::Issuers(_)))) {
            self.batch.issuers(&change.issuers);
        }
        Ok(self.answer(digest, result))
    }

    /// Whose certificates are taken, too.
    pub(super) fn authorities(&mut self, change: &AuthoritiesChange) -> Judged {
        let digest = AuthoritiesChange::signed_digest(&change.authorities, &self.machine.options().realm.id());
        let have = self.tables.authorities()?;
        let (same, generations) = (have == change.authorities, (have.generation, change.authorities.generation));
        let result = self.listed(digest, same, generations, &change.signatures, Accepted::Authorities);
        if matches!(result, Ok((_, Accepted::Authorities(_)))) {
            self.batch.authorities(&change.authorities);
        }
        Ok(self.answer(digest, result))
    }

    /// Whether a list may take the place of the one before. It counts at once: no epoch is waited for.
    fn listed(
        &self,
        digest: Digest,
        same: bool,
        (have, found): (u64, u64),
        signatures: &Signatures,
        accepted: fn(u64) -> Accepted,
    ) -> Result<(u64, Accepted), Refusal> {
        if same {
            Ok((self.state.delimited, Accepted::Known))
        } else if have.checked_add(1) != Some(found) {
            Err(Refusal::Generation { have, found })
        } else if !self.state.policy.operators.is_met(&digest, &self.of_operators(signatures)) {
            Err(Refusal::PolicyUnsigned)
        } else {
            Ok((self.state.delimited, accepted(found)))
        }
    }

    /// The signatures that count where operators decide: the registrar is in their policy to admit names, and for nothing else.
    pub(super) fn of_operators(&self, signatures: &Signatures) -> Signatures {
        let registrar = self.machine.registrar.public();
        signatures.iter().filter(|(key, _)| **key != registrar).map(|(key, signature)| (*key, *signature)).collect()
    }
}
