//! The in-repo server for Google Cloud Storage, careful or careless.

use crate::endpoint::Endpoint;
use crate::error::Result;
use crate::gcs::GcsServer;
use crate::running::Body;
use crate::server::Server;

pub(super) async fn start(careless: bool) -> Result<(Endpoint, Body)> {
    let gcs = GcsServer::builder().careless(careless).start().await?;
    let mut endpoint = Endpoint::new(if careless { Server::Careless } else { Server::Gcs }, gcs.url());
    endpoint.secret_key = gcs.token().to_owned();
    endpoint.credentials_file = Some(gcs.credentials_file().to_owned());
    Ok((endpoint, Body::Gcs(gcs)))
}
