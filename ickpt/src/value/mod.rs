//! What the service keeps: bytes with an order.
//!
//! To the service a value is opaque, up to 64 KiB. Two things give values an order, so that a late one does not overwrite a newer one: a
//! [`Stamp`] in the header `X-Ickpt-Version`, or ProxyFS's 67-byte form, [`CheckPoint`].

mod check_point;
mod members;
mod order;
mod stamp;

pub use check_point::{CHECK_POINT_BYTES, CheckPoint};
pub use members::{InstanceId, MAX_MEMBERS, Members};
pub use order::{Held, admit};
pub use stamp::{Epoch, Stamp};

/// Bytes of a value, unless `MaxBodyBytes` says less.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;
