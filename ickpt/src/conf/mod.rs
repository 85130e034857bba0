//! The service's configuration: ProxyFS's grammar of `.conf` files, and the settings of `[ICKPT]`.

#[cfg(test)]
mod conf_test;

mod conf_file;
mod duration;
mod settings;
mod syntax;

pub use conf_file::ConfFile;
pub use duration::go_duration;
pub use settings::{Settings, TlsFiles};
