//! The in-repo server for Google Cloud Storage, careful or careless.

use crate::endpoint::Endpoint;
use crate::error::Result;
use crate::gcs::GcsServer;
use crate::running::Body;

pub(super) async fn start(careless: bool) -> Result<(Endpoint, Body)> {
    let gcs = GcsServer::builder().careless(careless).accounts(true).start().await?;
    Ok((gcs.endpoint(), Body::Gcs(gcs)))
}
