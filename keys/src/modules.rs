//! The modules that can be opened by name.

use std::sync::Arc;

use plastron_config::{Config, Schema};

use crate::environment::KeyEnvironment;
use crate::error::{Error, Fault, Result};
use crate::file::FileFactory;
use crate::mock::MockFactory;
use crate::module::{KeyModule, KeyModuleFactory};
use crate::none::NoneFactory;
use crate::plugin::PluginFactory;

/// The module that is meant when none is named.
const DEFAULT: &str = "none";

/// Key modules by name: those of this crate, and those that whoever wires the store adds.
#[derive(Debug, Clone)]
pub struct KeyModules(Vec<Arc<dyn KeyModuleFactory>>);

impl Default for KeyModules {
    fn default() -> Self {
        Self(vec![Arc::new(NoneFactory), Arc::new(MockFactory), Arc::new(FileFactory), Arc::new(PluginFactory)])
    }
}

impl KeyModules {
    /// These and one more; of two with one name the later is opened.
    #[must_use]
    pub fn with(mut self, factory: impl KeyModuleFactory) -> Self {
        self.0.retain(|other| other.name() != factory.name());
        self.0.push(Arc::new(factory));
        self
    }

    /// Every module's name and what its `config=(…)` may hold.
    pub fn schemas(&self) -> impl Iterator<Item = (&'static str, Schema)> {
        self.0.iter().map(|factory| (factory.name(), factory.schema()))
    }

    /// What may stand in `key_management=(…)`; what stands in its `config=(…)` depends on `name`, and [`KeyModules::check`] knows.
    pub fn schema() -> Schema {
        Schema::new("key_management")
            .about("Who keeps the keys that payloads are encrypted with.")
            .string("name", "Which key module: none, mock, file, plugin or keyserver.")
            .default_value(DEFAULT)
            .boolean(
                "early_load",
                "Whether the module is ready before any page is read. It must be: pages can't be read without.",
                "true",
            )
            .section(Schema::new("config").about("The module's own settings.").allow_unknown())
    }

    /// Checks what stands in the brackets of `key_management=(…)`, the module's own settings included.
    ///
    /// # Errors
    /// `Invalid`, with "did you mean".
    pub fn check(&self, section: &Config) -> Result<()> {
        self.find(section).map(drop).map_err(|fault| Error::new("open", "key_management", fault))
    }

    /// Opens the module that `section`, what stands in the brackets of `key_management=(…)`, names. May block.
    ///
    /// # Errors
    /// `Invalid`, with "did you mean", for settings that are not there; what the module says.
    pub fn open(&self, section: &Config, environment: &KeyEnvironment) -> Result<Box<dyn KeyModule>> {
        let (factory, config) = self.find(section).map_err(|fault| Error::new("open", "key_management", fault))?;
        let named = |fault| Error::new("open", format!("key module '{}'", factory.name()), fault);
        factory.open(config, environment).map_err(named)
    }

    fn find<'a>(&self, section: &'a Config) -> std::result::Result<(&Arc<dyn KeyModuleFactory>, &'a Config), Fault> {
        static EMPTY: Config = Config::new();
        Self::schema().check(section)?;
        let names: Vec<&str> = self.0.iter().map(|factory| factory.name()).collect();
        let name = section.choice("name", &names)?.unwrap_or(DEFAULT);
        if section.boolean("early_load")? == Some(false) {
            return Err(Fault::Config(
                "early_load=false is refused: the keys are needed before the first page is read; leave it out or say early_load=true".into(),
            ));
        }
        let factory = self.0.iter().find(|factory| factory.name() == name);
        let factory = factory.ok_or_else(|| Fault::Config(format!("there is no key module '{name}'")))?;
        let config = section.section("config")?.unwrap_or(&EMPTY);
        factory.schema().check(config)?;
        Ok((factory, config))
    }
}

#[cfg(test)]
mod tests {
    use plastron_config::ErrorKind;

    use super::*;

    #[test]
    fn every_schema_is_sound() {
        KeyModules::schema().validate().unwrap();
        for (name, schema) in KeyModules::default().schemas() {
            schema.validate().unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, message) in [
            (
                "nam=none",
                "open key_management: 'nam' is not a setting of key_management; did you mean 'name'? (line 1, column 1)",
            ),
            (
                "name=non",
                "open key_management: name takes one of none, mock, file, plugin, not 'non'; did you mean 'none'? (line 1, column 6)",
            ),
            (
                "name=none,early_load=false",
                "open key_management: early_load=false is refused: the keys are needed before the first page is read; leave it out or say early_load=true",
            ),
            (
                "name=none,early_load=late",
                "open key_management: early_load takes true or false, not 'late' (line 1, column 22)",
            ),
            (
                "name=none,config=(a=1)",
                "open key_management: 'a' is not a setting of none; it has none (line 1, column 19)",
            ),
        ] {
            let error = KeyModules::default().check(&Config::parse(text).unwrap()).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Invalid, message), "{text}");
        }
    }
}
