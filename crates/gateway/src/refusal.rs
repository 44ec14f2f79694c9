//! Why a request is refused.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::fmt;
use trefoil_job::Error;

/// A status and one line, which go to who has asked and nowhere else: the line may have a value of a record.
#[derive(Debug)]
pub struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) line: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, line: impl Into<String>) -> Refusal {
        Refusal { status, line: line.into() }
    }

    /// A request that is not in order.
    pub(crate) fn request(what: impl fmt::Display, found: impl fmt::Display, expected: impl fmt::Display) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, format!("{what}: found {found}, expected {expected}"))
    }

    /// Too much is asked at once.
    pub(crate) fn busy(found: impl fmt::Display) -> Refusal {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("busy: {found}; ask again"))
    }
}

/// The line.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

/// Of records that cannot be prepared: a bad request. Of a service that does not answer: that it is not available.
impl From<Error> for Refusal {
    fn from(e: Error) -> Refusal {
        let status = match &e {
            Error::Data(_) | Error::Model(_) | Error::Training(_) => StatusCode::BAD_REQUEST,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Refusal::new(status, e.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.line }).to_string();
        (self.status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}
