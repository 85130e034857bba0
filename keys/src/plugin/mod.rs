//! The module that is a shared library: WiredTiger's key-management interface in C.
//!
//! `abi` holds the interface; `include/plastron_key_management.h` is generated from it, and a test keeps the two the same. The rest loads
//! a library, calls it, and checks everything it answers. This is the one place of the crate with unsafe code.

mod abi;
mod answer;
mod factory;
mod library;
mod module;

pub use abi::{
    DataKeyArgs, KeyGetArgs, KeyLoadArgs, KeyManagementInterface, OpenKeyManagement, PLASTRON_KEY_MANAGEMENT_VERSION,
};
pub(crate) use factory::PluginFactory;
pub use module::PluginModule;
