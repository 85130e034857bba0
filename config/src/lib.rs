//! WiredTiger's configuration strings, with typed access, schemas, and errors that point at the mistake.
//!
//! This is the lowest floor of Plastron: it depends on nothing but the standard library, and every other crate reads its
//! settings through it. It also holds [`ErrorKind`], the coarse classification that every Plastron error carries.
//!
//! ```
//! use std::time::Duration;
//! use plastron_config::{Config, Schema};
//!
//! // What may be said, with defaults and help: a crate that reads a section owns its schema.
//! let schema = Schema::new("store")
//!     .string("bucket", "The bucket's name.").required()
//!     .secret("auth_token", "Access key and secret key, parted by a semicolon.")
//!     .section(
//!         Schema::new("cache")
//!             .about("The local cache.")
//!             .size("size", "Space on disk.", "10GB").range("1MB", "")
//!             .duration("patience", "How long to wait for a block.", "30s"),
//!     );
//!
//! // What somebody says, on top of the defaults.
//! let given = Config::parse(r#"bucket=pages,auth_token="AK;SK",cache=(patience=500ms)"#)?;
//! schema.check(&given)?;
//! let mut config = schema.defaults()?;
//! config.merge(given);
//!
//! assert_eq!(config.string("bucket")?.as_deref(), Some("pages"));
//! assert_eq!(config.size("cache.size")?, Some(10 << 30));
//! assert_eq!(config.duration("cache.patience")?, Some(Duration::from_millis(500)));
//! assert_eq!(config.boolean("readonly")?, None);
//!
//! // It prints as text that parses back, or with its secrets hidden.
//! assert_eq!(Config::parse(&config.to_string())?, config);
//! assert_eq!(
//!     config.redacted().to_string(),
//!     "cache=(size=10GB,patience=500ms),bucket=pages,auth_token=[secret]"
//! );
//!
//! // Mistakes are pointed at.
//! let error = schema.check(&Config::parse("bucket=pages,auth_token=AK;SK,chache=(size=1GB)")?).unwrap_err();
//! assert_eq!(
//!     format!("{error:#}"),
//!     [
//!         "'chache' is not a setting of store; did you mean 'cache'? (line 1, column 31)",
//!         "  bucket=pages,auth_token=[secret],chache=(size=1GB)",
//!         "                                   ^",
//!     ]
//!     .join("\n")
//! );
//! # Ok::<(), plastron_config::Error>(())
//! ```
//!
//! # Where to look
//!
//! | you want to | use |
//! | --- | --- |
//! | read a string of ours | [`Config::parse`], [`Schema::check`] |
//! | read a URL or a string that names a store | [`Config::parse_store`] |
//! | read a string of somebody else | [`Config::parse_lenient`], [`Config::parse_lenient_bytes`] |
//! | put settings on top of others | [`Config::merge`], [`Config::set`] |
//! | get a value by its path | [`Config::string`], [`boolean`](Config::boolean), [`number`](Config::number), [`size`](Config::size), [`duration`](Config::duration), [`choice`](Config::choice), [`list`](Config::list), [`section`](Config::section) |
//! | print it | `Display` (with secrets, parses back), [`Config::redacted`], `Debug` |
//! | write documentation | [`Schema::markdown`], [`Schema::paths`] |
//!
//! # The grammar in short
//!
//! Settings are parted by commas; a setting is `key=value`, `key:value`, or a bare key, which is true. Values are unquoted words
//! (`s3_store`, `/var/cache`, `10GB`), quoted texts (`"a \"b\" \u00e9"`), or brackets with settings (`(size=10GB)`) or items
//! (`[a,b]`); the three sorts of brackets mean the same. `cache.size=1GB` is short for `cache=(size=1GB)`. Of two settings of
//! one key the later wins, and sections are merged. The whole story, with what differs from WiredTiger, is told by the page
//! "The configuration grammar" of the book; its tables are tested against this crate. [`limits`] bound what is read.
//!
//! # Secrets
//!
//! A `Config` holds secrets in the clear, and [`Value::text`], the getters and `Display` give them out. Nothing else does: no
//! error message, excerpt or `Debug` print shows the value of a key that [`is_secret_key`] knows, user information in a URL, or what
//! may be the rest of a secret that was written without quotes.

pub mod limits;

mod config;
mod error;
mod kind;
mod lexical;
mod merge;
mod parser;
mod percent;
mod position;
mod print;
mod quantity;
mod schema;
mod secrecy;
mod source_text;
mod suggest;
mod typed;
mod url;
mod value;

pub use config::Config;
pub use error::{Error, Reason, Result};
pub use kind::ErrorKind;
pub use position::Position;
pub use schema::{Key, KeyCheck, KeyType, Schema};
pub use secrecy::is_secret_key;
pub use value::{Value, ValueKind};
