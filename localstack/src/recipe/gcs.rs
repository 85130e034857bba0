//! The in-repo server for Google Cloud Storage, careful or careless.

use crate::endpoint::Endpoint;
use crate::error::Result;
use crate::gcs::GcsServer;
use crate::running::Body;
use crate::server::Server;

pub(super) async fn start(careless: bool) -> Result<(Endpoint, Body)> {
    let gcs = GcsServer::builder().careless(careless).accounts(true).start().await?;
    let mut endpoint = Endpoint::new(if careless { Server::Careless } else { Server::Gcs }, gcs.url());
    endpoint.secret_key = gcs.token().to_owned();
    endpoint.credentials_file = Some(gcs.credentials_file().to_owned());
    endpoint.signed_credentials_file = gcs.signed_credentials_file().map(Into::into);
    endpoint.foreign_credentials_file = gcs.foreign_credentials_file().map(Into::into);
    // The file has the key in it; there is no second part.
    endpoint.read_only = gcs.reader_credentials_file().map(|file| (file.display().to_string(), String::new()));
    Ok((endpoint, Body::Gcs(gcs)))
}
