//! What is answered.

use bytes::Bytes;

use super::generated as wire;
use super::pieces::{body_of, bounded, from_body, there, tree_proof, tree_proof_of, wrong};
use crate::proto::{
    Authorities, HistoryItem, HistoryPage, Issuers, LookupAnswer, MAX_POLICY_STEPS, MAX_STREAM_ITEMS, Message as _,
    PolicyStep, RealmPolicy, StreamItem, StreamPage, StreamPosition,
};
use crate::vrf::VrfProof;
use crate::{Error, Result};

impl From<&PolicyStep> for wire::PolicyStep {
    fn from(step: &PolicyStep) -> Self {
        Self { head: Some((&step.head).into()), policy: body_of(&step.policy) }
    }
}

impl TryFrom<wire::PolicyStep> for PolicyStep {
    type Error = Error;

    fn try_from(sent: wire::PolicyStep) -> Result<Self> {
        Ok(Self { head: there("head", sent.head)?.try_into()?, policy: from_body(&sent.policy)? })
    }
}

impl From<&LookupAnswer> for wire::LookupResponse {
    fn from(answer: &LookupAnswer) -> Self {
        let found = answer.found.as_ref();
        Self {
            index_proof: Bytes::copy_from_slice(&answer.index.0),
            steps: answer.steps.iter().map(Into::into).collect(),
            head: Some((&answer.head).into()),
            tree_proof: tree_proof_of(&answer.tree),
            found: found.map(|(entry, profile)| wire::Found { entry: body_of(entry), profile: body_of(profile) }),
        }
    }
}

impl TryFrom<wire::LookupResponse> for LookupAnswer {
    type Error = Error;

    fn try_from(sent: wire::LookupResponse) -> Result<Self> {
        if sent.steps.len() > MAX_POLICY_STEPS {
            return Err(wrong(Self::WHAT, format!("{} steps, of at most {MAX_POLICY_STEPS}", sent.steps.len())));
        }
        let index = (*sent.index_proof).try_into().map_err(|_| wrong("index proof", "it has 80 bytes"))?;
        let found = |found: wire::Found| Ok::<_, Error>((from_body(&found.entry)?, from_body(&found.profile)?));
        bounded(Self {
            index: VrfProof(index),
            steps: sent.steps.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
            head: there("head", sent.head)?.try_into()?,
            tree: tree_proof(&sent.tree_proof)?,
            found: sent.found.map(found).transpose()?,
        })
    }
}

impl From<&HistoryPage> for wire::HistoryResponse {
    fn from(page: &HistoryPage) -> Self {
        let item = |item: &HistoryItem| wire::HistoryItem {
            epoch: item.epoch,
            signed: Some((&item.signed).into()),
            profile: body_of(&item.profile),
        };
        Self { items: page.items.iter().map(item).collect() }
    }
}

impl TryFrom<wire::HistoryResponse> for HistoryPage {
    type Error = Error;

    fn try_from(sent: wire::HistoryResponse) -> Result<Self> {
        if sent.items.len() > Self::MOST_ITEMS {
            return Err(wrong(Self::WHAT, format!("{} entries, of at most {}", sent.items.len(), Self::MOST_ITEMS)));
        }
        let item = |item: wire::HistoryItem| {
            let signed = there("signed entry", item.signed)?.try_into()?;
            Ok::<_, Error>(HistoryItem { epoch: item.epoch, signed, profile: from_body(&item.profile)? })
        };
        bounded(Self { items: sent.items.into_iter().map(item).collect::<Result<_>>()? })
    }
}

impl From<&StreamPage> for wire::VerifierStreamResponse {
    fn from(page: &StreamPage) -> Self {
        use wire::stream_item::Kind;
        let item = |item: &StreamItem| wire::StreamItem {
            kind: Some(match item {
                StreamItem::Change(entry) => Kind::Change((&**entry).into()),
                StreamItem::Head { head, next_policy } => Kind::Head(wire::StreamHead {
                    head: Some((&**head).into()),
                    next_policy: next_policy.as_ref().map(|policy| body_of(&**policy)).unwrap_or_default(),
                }),
            }),
        };
        Self { epoch: page.from.epoch, change: page.from.change, items: page.items.iter().map(item).collect() }
    }
}

impl TryFrom<wire::VerifierStreamResponse> for StreamPage {
    type Error = Error;

    fn try_from(sent: wire::VerifierStreamResponse) -> Result<Self> {
        use wire::stream_item::Kind;
        if sent.items.len() > MAX_STREAM_ITEMS {
            return Err(wrong(Self::WHAT, format!("{} items, of at most {MAX_STREAM_ITEMS}", sent.items.len())));
        }
        let item = |item: wire::StreamItem| {
            Ok::<_, Error>(match there("item", item.kind)? {
                Kind::Change(signed) => StreamItem::Change(Box::new(signed.try_into()?)),
                Kind::Head(sent) => {
                    let next = (!sent.next_policy.is_empty()).then(|| from_body::<RealmPolicy>(&sent.next_policy));
                    let head = Box::new(there("head", sent.head)?.try_into()?);
                    StreamItem::Head { head, next_policy: next.transpose()?.map(Box::new) }
                }
            })
        };
        bounded(Self {
            from: StreamPosition { epoch: sent.epoch, change: sent.change },
            items: sent.items.into_iter().map(item).collect::<Result<_>>()?,
        })
    }
}

impl TryFrom<wire::IssuersResponse> for Issuers {
    type Error = Error;

    fn try_from(sent: wire::IssuersResponse) -> Result<Self> {
        from_body(&sent.issuers)
    }
}

impl TryFrom<wire::AuthoritiesResponse> for Authorities {
    type Error = Error;

    fn try_from(sent: wire::AuthoritiesResponse) -> Result<Self> {
        from_body(&sent.authorities)
    }
}
