//! Opens [`PluginModule`] from its settings.

use std::path::Path;

use plastron_config::{Config, Schema};

use super::module::PluginModule;
use crate::environment::KeyEnvironment;
use crate::error::Fault;
use crate::module::{KeyModule, KeyModuleFactory};

const ENTRY: &str = "plastron_key_management_open";

#[derive(Debug, Clone, Copy)]
pub(crate) struct PluginFactory;

impl KeyModuleFactory for PluginFactory {
    fn name(&self) -> &'static str {
        "plugin"
    }

    fn schema(&self) -> Schema {
        Schema::new("plugin")
            .about("A shared library with the interface of plastron_key_management.h.")
            .string("library", "Path of the library.")
            .required()
            .string("entry", "The function that opens the module.")
            .default_value(ENTRY)
            .choice(
                "data_keys",
                "Who wraps the keys that payloads are encrypted with: the module, or none if the engine encrypts its pages itself.",
                &["module", "none"],
                "module",
            )
            .section(Schema::new("config").about("What the module is opened with; passed on as it stands.").allow_unknown())
    }

    fn open(&self, config: &Config, _: &KeyEnvironment) -> Result<Box<dyn KeyModule>, Fault> {
        let library = config.string("library")?.unwrap_or_default();
        let entry = config.string("entry")?.filter(|entry| !entry.is_empty()).unwrap_or_else(|| ENTRY.to_owned());
        let wraps = config.choice("data_keys", &["module", "none"])? != Some("none");
        // It may hold secrets, for the module only.
        let own = zeroize::Zeroizing::new(config.section("config")?.map(ToString::to_string).unwrap_or_default());
        Ok(Box::new(PluginModule::open(Path::new(&library), &entry, &own, wraps)?))
    }
}
