//! Every HTTP request of the clouds, under `object_store`.

mod connector;
mod fault;
mod options;
mod signer;

pub(crate) use connector::Connector;
pub(crate) use fault::{Refused, fault_of};
pub(crate) use options::TransportOptions;
pub(crate) use signer::Signer;
