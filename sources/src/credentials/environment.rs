//! The process's environment, read once and injected.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Environment variables by name. A variable that is set but empty counts as not set, as the providers' own tools treat it.
///
/// `Debug` shows no value, since many of them are keys.
#[derive(Clone)]
pub(crate) struct Environment(Arc<BTreeMap<String, String>>);

impl Environment {
    /// This process's variables as they are now; those that are not UTF-8 are left out.
    pub(crate) fn process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(Arc::new(std::env::vars_os().filter_map(text).collect()))
    }

    /// The variables given, and no others.
    #[cfg(test)]
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        Self(Arc::new(variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()))
    }

    /// The value of `name`, if it is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The first of `names` that is set, with its value.
    pub(crate) fn first(&self, names: &[&'static str]) -> Option<(&'static str, &str)> {
        names.iter().find_map(|&name| Some((name, self.get(name)?)))
    }

    /// All of it, for a library that brings an environment of its own.
    #[cfg(all(test, feature = "aws-chain"))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.0.len())
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn empty_is_unset_and_debug_is_silent() {
        let environment = Environment::of(&[("A", ""), ("B", "hunter2")]);
        assert_eq!(environment.get("A"), None);
        assert_eq!(environment.get("C"), None);
        assert_eq!(environment.first(&["A", "B"]), Some(("B", "hunter2")));
        assert_eq!(format!("{environment:?}"), "Environment(2 variables)");
    }

    #[test]
    fn reads_the_process() {
        assert!(Environment::process().get("PATH").is_some());
    }
}
