//! Every HTTP request of the clouds, under `object_store`.
//!
//! `object_store` speaks the providers' protocols; how a request gets there and back is decided here, through its
//! [`HttpConnector`](object_store::client::HttpConnector) seam, with its own retries and signing off. One request runs like this:
//!
//! 1. `request_kind` says what it does; `exchange` takes off old authorization, and adds the condition that makes the end of an
//!    upload in parts create-only, and a checksum (`upload_checks`).
//! 2. `service` takes a permit and bandwidth (`bandwidth`) and makes attempts, with pauses (`backoff`) and a deadline (`course`).
//! 3. `attempt` signs (through the provider's [`Signer`], every attempt anew), sends, reads the whole answer (`answer`), judges it
//!    (`said`, `meaning`, `failure`) and counts it. A slow read gets a second attempt beside the first (`hedge`).
//! 4. What `object_store` understands goes back as a response. Any other verdict becomes a [`Refused`] fault, which [`fault_of`]
//!    finds again in `object_store`'s error.
//!
//! Invariants: a call ends within its deadline, apart from the waiting for a permit and bandwidth; a dropped call leaves nothing
//! behind but a count; no text of a server or a library gets into a fault unless it went through `scrub`; a signature is never used
//! twice; an upload succeeds only if the provider doesn't contradict its checksum.

mod answer;
mod attempt;
mod backoff;
mod bandwidth;
mod body_sums;
mod connector;
mod course;
mod exchange;
mod failure;
mod fault;
mod hedge;
mod http_date;
mod meaning;
mod options;
mod request_kind;
mod said;
mod scrub;
mod service;
mod signer;
mod upload_checks;

#[cfg(test)]
pub(crate) mod test_clock;
#[cfg(test)]
mod tests;

pub(crate) use crate::fault_of::fault_of;
pub(crate) use connector::Connector;
pub(crate) use fault::Refused;
pub(crate) use options::TransportOptions;
pub(crate) use signer::Signer;
