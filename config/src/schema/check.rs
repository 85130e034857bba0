//! A configuration against its schema.

use crate::config::{Config, Entry};
use crate::error::{Error, Reason, Result};
use crate::limits::MAX_ERRORS;
use crate::schema::definition::{Schema, join};
use crate::schema::key::KeyType;
use crate::source_text::Origin;
use crate::suggest;

/// Most keys that an error lists when it can't guess which one is meant.
const MOST_LISTED: usize = 24;

impl Schema {
    /// Checks that `config` holds only known keys, with values of the right type in the right range, and every required key.
    ///
    /// # Errors
    /// The first mistake in the order of the text: [`Reason::UnknownKey`] with "did you mean", [`Reason::WrongType`],
    /// [`Reason::OutOfRange`], [`Reason::Refused`]; then [`Reason::MissingKey`].
    pub fn check(&self, config: &Config) -> Result<()> {
        match self.check_all(config).into_iter().next() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// All mistakes that [`Schema::check`] would find, 64 at the most.
    pub fn check_all(&self, config: &Config) -> Vec<Error> {
        let mut errors = Vec::new();
        self.check_section(self, "", config, None, &mut errors);
        errors.truncate(MAX_ERRORS);
        errors
    }

    /// Checks `config`, the section at `path` of what `root` describes. `origin`: where the section starts.
    fn check_section(
        &self,
        root: &Schema,
        path: &str,
        config: &Config,
        origin: Option<&Origin>,
        errors: &mut Vec<Error>,
    ) {
        for entry in &config.entries {
            if errors.len() >= MAX_ERRORS {
                return;
            }
            let known = entry.name().and_then(|name| self.keys.iter().find(|key| key.name == name));
            let Some(key) = known else {
                if !self.open {
                    errors.push(self.unknown(root, path, entry));
                }
                continue;
            };
            let path = join(path, key.name);
            match key.check_value(&path, &entry.value) {
                Err(error) => errors.push(error),
                Ok(()) => {
                    if let (Some(schema), Ok(section)) = (&key.section, entry.value.as_section(&path)) {
                        schema.check_section(root, &path, section, Some(&entry.value.origin), errors);
                    }
                }
            }
        }
        for key in self.keys.iter().filter(|key| key.required) {
            if !config.contains(key.name) {
                let mut message = format!("{} is missing", join(path, key.name));
                if let KeyType::Choice(choices) = key.kind {
                    message += &format!("; it takes one of {}", choices.join(", "));
                }
                errors.push(Error::new(Reason::MissingKey, message, origin.cloned().unwrap_or_default()));
            }
        }
    }

    fn unknown(&self, root: &Schema, path: &str, entry: &Entry) -> Error {
        let section = if path.is_empty() { self.name } else { path };
        let Some(name) = entry.name() else {
            return entry.key.error(Reason::UnknownKey, format!("a bracket is not a setting of {section}"));
        };
        if entry.key.secret {
            let message = format!(
                "a key is not a setting of {section} (not shown: it follows a secret and may belong to it; a secret with commas stands in double quotes)"
            );
            return entry.key.error(Reason::UnknownKey, message);
        }
        let hint = suggest::did_you_mean(name, self.keys.iter().map(|key| key.name))
            .or_else(|| elsewhere(root, name))
            .unwrap_or_else(|| self.known());
        entry.key.error(Reason::UnknownKey, format!("{} is not a setting of {section}{hint}", entry.key.quoted()))
    }

    /// `; its settings are a, b, c`.
    fn known(&self) -> String {
        let names: Vec<&str> = self.keys.iter().take(MOST_LISTED).map(|key| key.name).collect();
        let more = if self.keys.len() > MOST_LISTED { ", …" } else { "" };
        match names.as_slice() {
            [] => "; it has none".to_owned(),
            names => format!("; its settings are {}{more}", names.join(", ")),
        }
    }
}

/// A key of the very name in another section.
fn elsewhere(root: &Schema, name: &str) -> Option<String> {
    let paths = root.paths();
    let (path, _) = paths.iter().find(|(path, key)| key.name == name && path != name)?;
    Some(format!("; did you mean '{path}'?"))
}
