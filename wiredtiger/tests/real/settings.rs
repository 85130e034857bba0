//! The settings of a scenario, as `database.py` reads them.

use crate::python::extension;

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) store: &'static str,
    pub(crate) bucket: String,
    pub(crate) other_bucket: String,
    pub(crate) auth_token: String,
    /// What stands in `config=(…)` when the extension is loaded.
    pub(crate) load: String,
}

impl Settings {
    pub(crate) fn json(&self) -> String {
        let value = serde_json::json!({
            "extension": extension(),
            "store": self.store,
            "bucket": self.bucket,
            "other_bucket": self.other_bucket,
            "auth_token": self.auth_token,
            "load": self.load,
        });
        value.to_string()
    }

    /// With more load-time settings.
    pub(crate) fn with(&self, load: &str) -> Self {
        let load = if self.load.is_empty() { load.to_owned() } else { format!("{},{load}", self.load) };
        Self { load, ..self.clone() }
    }
}
