//! What operators decide: who runs the realm, and whose identity tokens are believed; and what such a token does.

use super::step::{Accepted, Judged, Step};
use crate::identity::check_token;
use crate::proto::{IssuersChange, PolicyChange, Registration};
use crate::{Digest, Refusal, Result, Signatures};

impl Step<'_> {
    /// A first entry with a token. What is right goes into the directory with the registrar's signature, in place of an operator's.
    pub(super) fn registration(&mut self, registration: Registration) -> Judged {
        let Registration { mut update, token } = registration;
        let machine = self.machine;
        let realm = machine.options().realm.id();
        let entry = update.signed.entry.hash(&realm);
        let result = if update.signed.admission.is_empty() {
            let issuers = self.tables.issuers()?;
            // The newest head is older than now by as long as a head is fresh, at the most.
            let behind_ms = machine.options().realm.lifetime_ms;
            let checked = check_token(&issuers, &token, &update.name, &entry, self.state.issued_ms, behind_ms);
            match checked {
                Ok(()) => {
                    let key = &machine.registrar;
                    update.signed.admission = [(key.public(), update.signed.entry.admit(&realm, key))].into();
                    self.update(&update, &entry)?
                }
                // Proposed twice, and too late the second time.
                Err(_) if self.has(&update.name, &entry)? => self.update(&update, &entry)?,
                Err(fault) => Err(Refusal::Token(fault)),
            }
        } else {
            Err(Refusal::Admission)
        };
        Ok(self.answer(entry, result))
    }

    /// Whether that entry is the newest of the name.
    fn has(&self, name: &str, entry: &Digest) -> Result<bool> {
        let Some((index, _)) = self.tables.name(name)? else { return Ok(false) };
        let newest = self.tables.entry(&index, u64::MAX)?;
        Ok(newest.is_some_and(|(_, signed)| signed.entry.hash(&self.machine.options().realm.id()) == *entry))
    }

    /// Others are to run the realm.
    pub(super) fn policy_change(&mut self, change: PolicyChange) -> Result<Accepted, Refusal> {
        let have = self.state.policy.generation;
        let found = change.policy.generation;
        if self.state.announced.as_ref() == Some(&change.policy) || self.state.policy == change.policy {
            return Ok(Accepted::Known);
        }
        if self.state.announced.is_some() || have.checked_add(1) != Some(found) {
            return Err(Refusal::Generation { have, found });
        }
        let digest = PolicyChange::signed_digest(&change.policy, &self.machine.options().realm.id());
        if !self.state.policy.operators.is_met(&digest, &self.of_operators(&change.signatures)) {
            return Err(Refusal::PolicyUnsigned);
        }
        self.state.announced = Some(change.policy);
        Ok(Accepted::Policy(self.state.delimited + 1))
    }

    /// Who may be believed is for operators to say.
    pub(super) fn issuers(&mut self, change: &IssuersChange) -> Judged {
        let realm = self.machine.options().realm.id();
        let digest = IssuersChange::signed_digest(&change.issuers, &realm);
        let have = self.tables.issuers()?;
        let found = change.issuers.generation;
        // They are believed at once: no epoch is waited for.
        let result = if have == change.issuers {
            Ok((self.state.delimited, Accepted::Known))
        } else if have.generation.checked_add(1) != Some(found) {
            Err(Refusal::Generation { have: have.generation, found })
        } else if !self.state.policy.operators.is_met(&digest, &self.of_operators(&change.signatures)) {
            Err(Refusal::PolicyUnsigned)
        } else {
            self.batch.issuers(&change.issuers);
            Ok((self.state.delimited, Accepted::Issuers(found)))
        };
        Ok(self.answer(digest, result))
    }

    /// The signatures that count where operators decide: the registrar is in their policy to admit names, and for nothing else.
    pub(super) fn of_operators(&self, signatures: &Signatures) -> Signatures {
        let registrar = self.machine.registrar.public();
        signatures.iter().filter(|(key, _)| **key != registrar).map(|(key, signature)| (*key, *signature)).collect()
    }
}
