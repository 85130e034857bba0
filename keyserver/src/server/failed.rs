//! How an error is answered: its text, with a status by its kind.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::{Error, ErrorKind};

/// The header that says what it was, for programs.
const REASON: &str = "plastron-reason";

/// An error on its way to whoever asked.
pub(super) struct Failed(pub(super) Error);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl Failed {
    pub(super) fn status(&self) -> StatusCode {
        match self.0.kind() {
            ErrorKind::Invalid | ErrorKind::Unsupported => StatusCode::BAD_REQUEST,
            ErrorKind::Unauthorized => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict | ErrorKind::AlreadyExists | ErrorKind::Fenced => StatusCode::CONFLICT,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (self.status(), [(REASON, self.0.reason())], self.0.to_string()).into_response()
    }
}
