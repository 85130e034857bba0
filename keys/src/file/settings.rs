//! What stands in the `config=(…)` of the module.

use std::path::PathBuf;
use std::time::Duration;

use plastron_config::{Config, Schema};
use zeroize::Zeroizing;

use super::image::Kdf;
use super::master_key::Origin;
use crate::environment::KeyRandom;
use crate::error::Fault;

/// The ways to name a master key.
const ORIGINS: [&str; 5] = ["key_file", "key_variable", "phrase_file", "phrase_variable", "passphrase"];

const KIB: u64 = 1 << 10;

/// What was configured.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) path: PathBuf,
    pub(crate) origin: Origin,
    /// `None`: keys are rotated on command only.
    pub(crate) rotate_after: Option<Duration>,
    pub(crate) argon2: Argon2Settings,
}

/// How much work a passphrase costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Argon2Settings {
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
}

impl Settings {
    pub(crate) fn schema(name: &'static str) -> Schema {
        Schema::new(name)
            .about("KEKs in a keyring file, wrapped by a master key.")
            .string("path", "The keyring file. It is made when a database is first written to; a follower needs none.")
            .required()
            .string("key_file", "File of the master key: 32 bytes, or 64 hexadecimal digits; mode 0600.")
            .string("key_variable", "Environment variable of the master key: 64 hexadecimal digits.")
            .string("phrase_file", "File of a passphrase, from which the master key is derived by Argon2id; mode 0600.")
            .string("phrase_variable", "Environment variable of a passphrase.")
            .secret("passphrase", "The passphrase itself; for trying things out.")
            .duration("rotate_after", "Age at which a checkpoint makes a new KEK; 0: on command only.", "90d")
            .section(
                Schema::new("argon2")
                    .about("What deriving the master key from a passphrase costs; for a new keyring, and for a rewrapped one.")
                    .size("memory", "Memory.", "64MB")
                    .range("8MB", "1GB")
                    .number("iterations", "Passes over it.", "3")
                    .range("1", "100")
                    .number("lanes", "Independent lanes.", "1")
                    .range("1", "16"),
            )
    }

    pub(crate) fn from_config(config: &Config) -> Result<Self, Fault> {
        let path = config.string("path")?.unwrap_or_default();
        if path.is_empty() {
            return Err(Fault::Config("path is empty; it names the keyring file".into()));
        }
        let rotate_after = config.duration("rotate_after")?.unwrap_or(Duration::from_secs(90 * 86_400));
        Ok(Self {
            path: path.into(),
            origin: origin(config)?,
            rotate_after: Some(rotate_after).filter(|age| !age.is_zero()),
            argon2: Argon2Settings::from_config(config)?,
        })
    }
}

impl Argon2Settings {
    pub(crate) fn from_config(config: &Config) -> Result<Self, Fault> {
        let number = |path: &str, default: u32| -> Result<u32, Fault> {
            let number = config.number(path)?.map_or(Ok(default), u32::try_from);
            number.map_err(|_| Fault::Config(format!("{path} is out of range")))
        };
        let memory = config.size("argon2.memory")?.unwrap_or(64 << 20) / KIB;
        Ok(Self {
            memory_kib: u32::try_from(memory).map_err(|_| Fault::Config("argon2.memory is out of range".into()))?,
            iterations: number("argon2.iterations", 3)?,
            lanes: number("argon2.lanes", 1)?,
        })
    }

    /// Parameters with a fresh salt.
    pub(crate) fn kdf(self, is_passphrase: bool, random: &dyn KeyRandom) -> Result<Kdf, Fault> {
        if !is_passphrase {
            return Ok(Kdf::Key);
        }
        let mut salt = [0; 16];
        random.fill(&mut salt)?;
        Ok(Kdf::Argon2id { memory_kib: self.memory_kib, iterations: self.iterations, lanes: self.lanes, salt })
    }
}

/// The one place that the master key is looked for.
pub(crate) fn origin(config: &Config) -> Result<Origin, Fault> {
    let named: Vec<&str> = ORIGINS.into_iter().filter(|key| config.contains(key)).collect();
    let [name] = named.as_slice() else {
        let what = if named.is_empty() {
            "no master key is named".to_owned()
        } else {
            format!("{} are given", named.join(" and "))
        };
        return Err(Fault::Config(format!("{what}; give exactly one of {}", ORIGINS.join(", "))));
    };
    let text = Zeroizing::new(config.string(name)?.unwrap_or_default());
    if text.is_empty() {
        return Err(Fault::Config(format!("{name} is empty")));
    }
    Ok(match *name {
        "key_file" => Origin::KeyFile(text.as_str().into()),
        "key_variable" => Origin::KeyVariable(text.to_string()),
        "phrase_file" => Origin::PassphraseFile(text.as_str().into()),
        "phrase_variable" => Origin::PassphraseVariable(text.to_string()),
        _ => Origin::Passphrase(text),
    })
}

/// What a `rewrap` may be told.
pub(crate) fn check_rewrap(config: &Config) -> Result<(), Fault> {
    Settings::schema("file").check(&with_path(config)?)?;
    match config.iter().find(|(key, _)| !ORIGINS.contains(key) && *key != "argon2") {
        Some((key, _)) => Err(Fault::Config(format!(
            "{key} can't be changed by rewrapping; give one of {}, and argon2",
            ORIGINS.join(", ")
        ))),
        None => Ok(()),
    }
}

/// The schema demands a path, which here is the one that is open.
fn with_path(config: &Config) -> Result<Config, Fault> {
    let mut config = config.clone();
    if !config.contains("path") {
        config.set("path", "-")?;
    }
    Ok(config)
}
