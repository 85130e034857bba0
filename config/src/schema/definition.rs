//! The builder of schemas.

use crate::config::Config;
use crate::error::{Error, Reason, Result};
use crate::schema::key::{Key, KeyCheck, KeyType};
use crate::source_text::Origin;

/// The keys of one section.
///
/// Keys are added in the order in which the reference shows them. A default is written as one would write it in a configuration;
/// `""` stands for none. [`Schema::range`], [`Schema::required`] and [`Schema::check_with`] refine the key added last.
///
/// ```
/// use plastron_config::{Config, Schema};
///
/// let schema = Schema::new("store")
///     .string("bucket", "The bucket's name.").required()
///     .secret("auth_token", "Access key and secret key.")
///     .size("part_size", "Size of one part of an upload.", "8MB").range("5MB", "5GB")
///     .section(Schema::new("cache").about("The local cache.").size("size", "Space on disk.", "10GB"));
/// schema.validate()?;
///
/// schema.check(&Config::parse("bucket=b,cache=(size=1TB)")?)?;
/// let error = schema.check(&Config::parse("bucket=b,chache=(size=1TB)")?).unwrap_err();
/// assert_eq!(error.to_string(), "'chache' is not a setting of store; did you mean 'cache'? (line 1, column 10)");
/// # Ok::<(), plastron_config::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Schema {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) keys: Vec<Key>,
    pub(crate) open: bool,
    /// Refinements that had no key to refine.
    astray: Vec<&'static str>,
}

impl Schema {
    /// A schema without keys. `name` is what errors call the section: for a nested one its key, for the outermost what it
    /// configures.
    pub fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    /// What the section is for, in a sentence.
    #[must_use]
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// Lets keys pass that are not in the schema, for sections of which somebody else reads a part.
    #[must_use]
    pub fn allow_unknown(mut self) -> Self {
        self.open = true;
        self
    }

    /// A text.
    #[must_use]
    pub fn string(self, name: &'static str, help: &'static str) -> Self {
        self.key(name, KeyType::Text, help, "")
    }

    /// A text that is never shown. Its name must be one that [`crate::is_secret_key`] knows.
    #[must_use]
    pub fn secret(self, name: &'static str, help: &'static str) -> Self {
        self.key(name, KeyType::Secret, help, "")
    }

    /// A boolean.
    #[must_use]
    pub fn boolean(self, name: &'static str, help: &'static str, default: &'static str) -> Self {
        self.key(name, KeyType::Boolean, help, default)
    }

    /// A whole number.
    #[must_use]
    pub fn number(self, name: &'static str, help: &'static str, default: &'static str) -> Self {
        self.key(name, KeyType::Number, help, default)
    }

    /// A size in bytes.
    #[must_use]
    pub fn size(self, name: &'static str, help: &'static str, default: &'static str) -> Self {
        self.key(name, KeyType::Size, help, default)
    }

    /// A length of time.
    #[must_use]
    pub fn duration(self, name: &'static str, help: &'static str, default: &'static str) -> Self {
        self.key(name, KeyType::Duration, help, default)
    }

    /// One of several words.
    #[must_use]
    pub fn choice(
        self,
        name: &'static str,
        help: &'static str,
        choices: &'static [&'static str],
        default: &'static str,
    ) -> Self {
        self.key(name, KeyType::Choice(choices), help, default)
    }

    /// A list of texts.
    #[must_use]
    pub fn list(self, name: &'static str, help: &'static str) -> Self {
        self.key(name, KeyType::List, help, "")
    }

    /// Settings in brackets behind the key that is the name of `schema`.
    #[must_use]
    pub fn section(mut self, schema: Schema) -> Self {
        let mut key = Key::new(schema.name, KeyType::Section, schema.about);
        key.section = Some(schema);
        self.keys.push(key);
        self
    }

    fn key(mut self, name: &'static str, kind: KeyType, help: &'static str, default: &'static str) -> Self {
        let mut key = Key::new(name, kind, help);
        key.default = Some(default).filter(|default| !default.is_empty());
        self.keys.push(key);
        self
    }

    /// Gives the key added last a default.
    #[must_use]
    pub fn default_value(self, default: &'static str) -> Self {
        self.refine("default_value", |key| key.default = Some(default))
    }

    /// Bounds the number, size or duration added last; both ends are allowed, `""` is an open end.
    #[must_use]
    pub fn range(self, low: &'static str, high: &'static str) -> Self {
        self.refine("range", |key| {
            key.low = Some(low).filter(|low| !low.is_empty());
            key.high = Some(high).filter(|high| !high.is_empty());
        })
    }

    /// Demands that the key added last be set.
    #[must_use]
    pub fn required(self) -> Self {
        self.refine("required", |key| key.required = true)
    }

    /// Gives the key added last a check of its own, made after type and range are found right.
    #[must_use]
    pub fn check_with(self, check: KeyCheck) -> Self {
        self.refine("check_with", |key| key.check = Some(check))
    }

    fn refine(mut self, what: &'static str, change: impl FnOnce(&mut Key)) -> Self {
        match self.keys.last_mut() {
            Some(key) => change(key),
            None => self.astray.push(what),
        }
        self
    }

    /// The name given to [`Schema::new`].
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The keys of this section, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    /// All keys with their paths, sections before what stands in them.
    pub fn paths(&self) -> Vec<(String, &Key)> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths<'a>(&'a self, prefix: &str, paths: &mut Vec<(String, &'a Key)>) {
        for key in &self.keys {
            let path = join(prefix, key.name);
            paths.push((path.clone(), key));
            if let Some(section) = &key.section {
                section.collect_paths(&path, paths);
            }
        }
    }

    /// The configuration that holds every default, to be merged under what somebody sets.
    ///
    /// # Errors
    /// [`Reason::Schema`] if a default is no value; [`Schema::validate`] in a test excludes that.
    pub fn defaults(&self) -> Result<Config> {
        let mut defaults = Config::new();
        for (path, key) in self.paths() {
            let Some(default) = key.default else { continue };
            let parsed = Config::parse(&format!("x={default}"))
                .map_err(|e| schema_error(format!("the default of '{path}' is wrong: {}", e.message())))?;
            if let Some(value) = parsed.get("x") {
                defaults.set(&path, value.clone().forget_origin())?;
            }
        }
        Ok(defaults)
    }

    /// Checks the schema itself; call it in a test of the crate that owns it.
    ///
    /// # Errors
    /// [`Reason::Schema`] for a key that is there twice or has no proper name, a default or range that the key itself would
    /// refuse, a secret whose name does not show it, a refinement of nothing.
    pub fn validate(&self) -> Result<()> {
        if let Some(what) = self.astray.first() {
            return Err(schema_error(format!("{what}() stands before the first key of '{}'", self.name)));
        }
        for (index, key) in self.keys.iter().enumerate() {
            if !crate::lexical::is_identifier(key.name) {
                return Err(schema_error(format!("'{}' is no proper name of a key", key.name)));
            }
            if self.keys.iter().take(index).any(|earlier| earlier.name == key.name) {
                return Err(schema_error(format!("'{}' is twice in '{}'", key.name, self.name)));
            }
            if let Some(fault) = key.fault(key.name) {
                return Err(schema_error(fault));
            }
            if let Some(section) = &key.section {
                section.validate()?;
            }
        }
        Ok(())
    }
}

/// `prefix.name`, or `name` at the top.
pub(crate) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn schema_error(message: String) -> Error {
    Error::new(Reason::Schema, message, Origin::NOWHERE)
}
