//! akd, with its database in memory and no parallelism, which would only cost processor time.

use akd::append_only_zks::AzksParallelismConfig;
use akd::directory::Directory;
use akd::ecvrf::HardCodedAkdVRF;
use akd::errors::{AkdError, StorageError};
use akd::storage::StorageManager;
use akd::storage::memory::AsyncInMemoryDatabase;
use akd::{
    AkdLabel, AkdValue, EpochHash, HistoryParams, HistoryVerificationParams, LookupProof, VerifyResult,
    WhatsAppV1Configuration,
};

use crate::Failure;

type Inner = Directory<WhatsAppV1Configuration, AsyncInMemoryDatabase, HardCodedAkdVRF>;

pub(crate) struct Peer {
    inner: Inner,
    key: Vec<u8>,
}

impl Peer {
    pub(crate) async fn open() -> Result<Self, Failure> {
        let storage = StorageManager::new_no_cache(AsyncInMemoryDatabase::new());
        let inner = Inner::new(storage, HardCodedAkdVRF {}, AzksParallelismConfig::disabled()).await;
        let inner = inner.map_err(|error| error.to_string())?;
        let key = inner.get_public_key().await.map_err(|error| error.to_string())?;
        Ok(Self { inner, key: key.as_bytes().to_vec() })
    }

    pub(crate) async fn publish(&self, names: &[String]) -> Result<(), Failure> {
        self.put(names.iter().map(|name| (name.clone(), AkdValue(vec![9; 32]))).collect()).await
    }

    pub(crate) async fn put(&self, updates: Vec<(String, AkdValue)>) -> Result<(), Failure> {
        let updates = updates.into_iter().map(|(name, value)| (AkdLabel::from(name.as_str()), value)).collect();
        self.inner.publish(updates).await.map(drop).map_err(|error| error.to_string().into())
    }

    /// What a name has, as akd's client finds it; none for a name that was never published, of which akd has no proof.
    pub(crate) async fn look_up(&self, name: &str) -> Result<Option<VerifyResult>, Failure> {
        match self.inner.lookup(AkdLabel::from(name)).await {
            Ok((proof, head)) => Ok(Some(self.check(name, proof, &head)?)),
            Err(AkdError::Storage(StorageError::NotFound(_))) => Ok(None),
            Err(error) => Err(error.to_string().into()),
        }
    }

    /// All that it had, the newest first.
    pub(crate) async fn history(&self, name: &str) -> Result<Vec<VerifyResult>, Failure> {
        let label = AkdLabel::from(name);
        let found = self.inner.key_history(&label, HistoryParams::Complete).await;
        let (proof, head) = found.map_err(|error| error.to_string())?;
        let verified = akd::client::key_history_verify::<WhatsAppV1Configuration>(
            &self.key,
            head.hash(),
            head.epoch(),
            label,
            proof,
            HistoryVerificationParams::default(),
        );
        verified.map_err(|error| error.to_string().into())
    }

    pub(crate) async fn prove(&self, name: &str) -> Result<(LookupProof, EpochHash), Failure> {
        self.inner.lookup(AkdLabel::from(name)).await.map_err(|error| error.to_string().into())
    }

    pub(crate) fn verify(&self, name: &str, proof: LookupProof, head: &EpochHash) -> Result<(), Failure> {
        self.check(name, proof, head).map(drop)
    }

    fn check(&self, name: &str, proof: LookupProof, head: &EpochHash) -> Result<VerifyResult, Failure> {
        let verified = akd::client::lookup_verify::<WhatsAppV1Configuration>(
            &self.key,
            head.hash(),
            head.epoch(),
            AkdLabel::from(name),
            proof,
        );
        verified.map_err(|error| error.to_string().into())
    }
}
