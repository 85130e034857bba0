//! The module without keys: payloads are written as they come, and no KEK page is ever written.

use plastron_config::{Config, Schema};

use crate::environment::KeyEnvironment;
use crate::error::Fault;
use crate::module::{BlobAnswer, Completion, DataKeyWrapper, KeyModule, KeyModuleFactory};

const NAME: &str = "none";

/// `key_management=(name=none)`, the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoneModule;

impl KeyModule for NoneModule {
    fn name(&self) -> &str {
        NAME
    }

    /// Refused: a database that has a blob has keys.
    fn load_key_blob(&self, blob: &[u8]) -> Result<(), Fault> {
        Err(Fault::UnexpectedBlob { module: NAME.into(), size: blob.len() })
    }

    fn get_key_blob(&self) -> Result<BlobAnswer, Fault> {
        Ok(BlobAnswer::Unchanged)
    }

    fn get_key_complete(&self, _: &Completion) -> Result<(), Fault> {
        Err(Fault::State("get_key_complete was called, and the key module 'none' never gives a blob".into()))
    }

    fn data_keys(&self) -> Option<&dyn DataKeyWrapper> {
        None
    }
}

/// Opens [`NoneModule`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoneFactory;

impl KeyModuleFactory for NoneFactory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> Schema {
        Schema::new(NAME).about("No keys: payloads are not encrypted.")
    }

    fn open(&self, _: &Config, _: &KeyEnvironment) -> Result<Box<dyn KeyModule>, Fault> {
        Ok(Box::new(NoneModule))
    }
}
