//! The key modules that a store string can name: those of `plastron-keys`, and those of the crates above it that are built in.

use plastron_keys::KeyModules;

/// All of them.
pub fn key_modules() -> KeyModules {
    let modules = KeyModules::default();
    #[cfg(feature = "keyserver")]
    let modules = modules.with(plastron_keyserver::key_module::KeyserverFactory);
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_is_sound() {
        for (name, schema) in key_modules().schemas() {
            schema.validate().unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}
