//! The names of our headers. What they say is in `docs/src/reference/ickpt-protocol.md`.

use http::header::HeaderName;

/// The object that stands for the checkpoint.
pub const STORAGE_URL: HeaderName = HeaderName::from_static("x-storage-url");
/// The caller's token, as Swift knows it.
pub const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
/// GET: takes over with this epoch.
pub const FENCE: HeaderName = HeaderName::from_static("x-ickpt-fence");
/// PUT, DELETE, and answers: the version of the value.
pub const VERSION: HeaderName = HeaderName::from_static("x-ickpt-version");
/// PUT, DELETE, and answers: the identities of those who keep it.
pub const MEMBERS: HeaderName = HeaderName::from_static("x-ickpt-members");
/// GET: `staged` leaves alone what is staged.
pub const KEEP: HeaderName = HeaderName::from_static("x-ickpt-keep");
/// Answers: the identity of the instance.
pub const INSTANCE: HeaderName = HeaderName::from_static("x-ickpt-instance");
/// Answers: the epoch that is promised.
pub const PROMISED: HeaderName = HeaderName::from_static("x-ickpt-promised");
/// Answers to GET: `committed`, or `store`.
pub const SOURCE: HeaderName = HeaderName::from_static("x-ickpt-source");
/// Refusals: why.
pub const REASON: HeaderName = HeaderName::from_static("x-ickpt-reason");
