//! The credential a signer holds: fixed, or renewed from a source.

use std::fmt;
use std::sync::Arc;

use super::cache::CredentialCache;
use crate::error::Fault;

/// A credential of one kind, or where to get it.
pub(crate) enum Credentials<C> {
    /// Given in the configuration; it never changes while the bucket is open.
    Fixed(Arc<C>),
    /// Fetched, cached and renewed.
    Renewed(CredentialCache<C>),
}

impl<C: Send + Sync + 'static> Credentials<C> {
    /// A credential that never changes.
    pub(crate) fn fixed(credential: C) -> Self {
        Self::Fixed(Arc::new(credential))
    }

    /// The credential to sign with now. Fails with what the source said.
    pub(crate) async fn get(&self) -> Result<Arc<C>, Fault> {
        match self {
            Self::Fixed(credential) => Ok(Arc::clone(credential)),
            Self::Renewed(cache) => cache.get().await,
        }
    }

    /// The provider called the credential expired: drop it, and say whether another attempt makes sense.
    pub(crate) fn renew(&self) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Renewed(cache) => {
                cache.renew();
                true
            }
        }
    }
}

impl<C> fmt::Debug for Credentials<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed(_) => "Fixed([secret])",
            Self::Renewed(_) => "Renewed([secret])",
        })
    }
}

/// Whether `text` may stand in an HTTP header as it is: printable ASCII without blanks. `object_store`'s signers panic on keys and
/// tokens that may not.
pub(crate) fn is_header_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
