//! Index blocks that were read lately, checked: beneath it is the block cache, which has them as bytes.

use super::PageLogFault;
use super::codec::IndexBlock;
use super::objects::LogObjects;
use super::run::Run;

/// What a block costs besides its bytes.
const BLOCK_COST: usize = 128;

/// Blocks by run and number.
#[derive(Debug)]
pub(crate) struct BlockPool(moka::sync::Cache<(u64, u64, u64), IndexBlock>);

impl BlockPool {
    /// A pool of so many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        let weigh =
            |_: &(u64, u64, u64), block: &IndexBlock| u32::try_from(block.size() + BLOCK_COST).unwrap_or(u32::MAX);
        Self(moka::sync::Cache::builder().weigher(weigh).max_capacity(bytes).build())
    }

    /// A block of a run.
    ///
    /// # Errors
    /// Those of reading it.
    pub(crate) async fn get(
        &self,
        run: &Run,
        number: usize,
        objects: &dyn LogObjects,
    ) -> Result<IndexBlock, PageLogFault> {
        let key = (run.reference().epoch, run.reference().number, number as u64);
        if let Some(block) = self.0.get(&key) {
            return Ok(block);
        }
        let block = run.block(number, objects).await?;
        self.0.insert(key, block.clone());
        Ok(block)
    }
}
