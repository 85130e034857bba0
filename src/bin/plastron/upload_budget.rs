//! Memory of uploads that run at once: many small files, or few large ones.

use std::sync::Arc;

use plastron::BucketOptions;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::failure::{Failure, Result};

/// What all uploads of a command hold in memory together, about, in KiB: 256 MiB.
const ALL_KIB: u32 = 256 << 10;

/// Shared by all uploads of one command.
#[derive(Debug, Clone)]
pub(crate) struct UploadBudget {
    kib: Arc<Semaphore>,
    /// What one upload holds at the most.
    most: u64,
}

impl UploadBudget {
    /// For uploads to a bucket with these options, each of which holds up to `part_size` × (`part_concurrency` + 1) bytes.
    pub(crate) fn new(options: &BucketOptions) -> Self {
        let parts = options.part_concurrency as u64 + 1;
        Self { kib: Arc::new(Semaphore::new(ALL_KIB as usize)), most: options.part_size.saturating_mul(parts) }
    }

    /// Waits for room to upload a file of `size` bytes; it is taken until the permit is dropped. One upload always has room.
    pub(crate) async fn take(&self, size: u64) -> Result<OwnedSemaphorePermit> {
        let kib = u32::try_from(size.min(self.most).div_ceil(1024)).unwrap_or(ALL_KIB).clamp(1, ALL_KIB);
        let taken = Arc::clone(&self.kib).acquire_many_owned(kib).await;
        taken.map_err(|_| Failure::other("storing was given up"))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use plastron::Provider;

    use super::*;

    #[tokio::test]
    async fn small_files_go_together_and_large_ones_one_after_the_other() {
        let mut options = BucketOptions::new(Provider::Memory, "b");
        options.part_size = 16 << 20;
        options.part_concurrency = 9;
        let budget = UploadBudget::new(&options);
        let small: Vec<_> = (0..100).map(|size| budget.take(size).now_or_never().unwrap()).collect();
        let large = budget.take(u64::MAX).now_or_never().unwrap().unwrap();
        assert!(budget.take(u64::MAX).now_or_never().is_none(), "160 MiB twice is too much");
        drop(large);
        drop(budget.take(1 << 40).now_or_never().unwrap().unwrap());
        drop(small);
        options.part_size = 5 << 30;
        let budget = UploadBudget::new(&options);
        drop(budget.take(u64::MAX).now_or_never().unwrap().unwrap());
    }
}
