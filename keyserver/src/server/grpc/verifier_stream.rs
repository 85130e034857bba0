//! What a verifier is told, for as long as he listens, within bounds.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use futures::stream::try_unfold;
use plastron_sources::clock::Sleep;
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;

use super::super::http::Shared;
use crate::grpc::{VerifierStreamResponse, status_of};
use crate::proto::StreamPosition;
use crate::{Error, Result};

/// How long a stream lasts. Then it is opened anew, perhaps elsewhere, and a certificate is looked at again.
const AGE: Duration = Duration::from_secs(600);

/// The pages.
pub(super) type Pages = Pin<Box<dyn Stream<Item = Result<VerifierStreamResponse, Status>> + Send>>;

/// Where a stream is.
struct Following {
    shared: Arc<Shared>,
    at: StreamPosition,
    over: Sleep,
    /// In how many seconds whoever listens has said that he is late.
    said: Option<u64>,
    _place: OwnedSemaphorePermit,
}

/// The pages from that position on, until `said` is over, if the listener has said so.
pub(super) fn pages(
    shared: Arc<Shared>,
    from: StreamPosition,
    said: Option<Duration>,
    place: OwnedSemaphorePermit,
) -> Pages {
    let said = said.filter(|said| *said <= AGE);
    let over = shared.options.clock.sleep(said.unwrap_or(AGE));
    let said = said.map(|said| said.as_secs());
    Box::pin(try_unfold(Following { shared, at: from, over, said, _place: place }, next))
}

async fn next(mut following: Following) -> Result<Option<(VerifierStreamResponse, Following)>, Status> {
    let mut stopped = following.shared.stopped.clone();
    let found = tokio::select! {
        // Gone is told, too.
        _ = stopped.wait_for(|stopped| *stopped) => return Ok(None),
        () = &mut following.over => match following.said {
            None => return Ok(None),
            Some(seconds) => Err(Error::Timeout { what: "the verifiers' stream", seconds }),
        },
        found = following.shared.page(following.at) => found,
    };
    let found = found.map_err(|error| status_of(&error))?;
    following.at = found.end();
    Ok(Some(((&found).into(), following)))
}
