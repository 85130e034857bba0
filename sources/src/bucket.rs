//! One container of objects at one provider.

/// One container of objects at one provider.
#[derive(Debug, Clone)]
pub struct Bucket {}
