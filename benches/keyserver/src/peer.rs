//! akd, with its database in memory and no parallelism, which would only cost processor time.

use akd::append_only_zks::AzksParallelismConfig;
use akd::directory::Directory;
use akd::ecvrf::HardCodedAkdVRF;
use akd::storage::StorageManager;
use akd::storage::memory::AsyncInMemoryDatabase;
use akd::{AkdLabel, AkdValue, EpochHash, LookupProof, WhatsAppV1Configuration};

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
        let pairs = names.iter().map(|name| (AkdLabel::from(name.as_str()), AkdValue(vec![9; 32]))).collect();
        self.inner.publish(pairs).await.map(drop).map_err(|error| error.to_string().into())
    }

    pub(crate) async fn prove(&self, name: &str) -> Result<(LookupProof, EpochHash), Failure> {
        self.inner.lookup(AkdLabel::from(name)).await.map_err(|error| error.to_string().into())
    }

    pub(crate) fn verify(&self, name: &str, proof: LookupProof, head: &EpochHash) -> Result<(), Failure> {
        let verified = akd::client::lookup_verify::<WhatsAppV1Configuration>(
            &self.key,
            head.hash(),
            head.epoch(),
            AkdLabel::from(name),
            proof,
        );
        verified.map(drop).map_err(|error| error.to_string().into())
    }
}
