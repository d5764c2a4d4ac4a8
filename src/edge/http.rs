//! Http: the parsed request a route gets and the answer it gives. Nothing here knows a shop.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

use super::app::App;
use super::error::Failure;

/// A request whose head was judged (host, size, CSRF) and whose body was read within its limit.
#[derive(Debug)]
pub struct Call {
    /// Method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// Headers.
    pub headers: HeaderMap,
    /// The whole body, at most the route's limit.
    pub body: Bytes,
    /// Path parameters in the route's order of names, decoded.
    pub params: Vec<(String, String)>,
    /// Name of this request in logs and problems.
    pub request_id: String,
    /// The shopper's address; `None` where nobody said what stands before the edge. Never logged or stored.
    pub client: Option<IpAddr>,
}

impl Call {
    /// A path parameter; the router guarantees that those of its pattern exist.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }
}

/// What a route answers.
#[derive(Debug)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Headers beside Content-Length, Date and those every answer gets.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Reply {
    /// An HTML page.
    pub fn html(status: StatusCode, body: String) -> Self {
        Self::with_type(status, "text/html; charset=utf-8", body.into())
    }

    /// A body of a fixed type.
    pub fn with_type(status: StatusCode, content_type: &'static str, body: Bytes) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { status, headers, body }
    }

    /// 303 to a path or URL of our own making.
    pub fn see_other(location: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, HeaderValue::from_str(location).expect("addresses are percent-encoded ASCII"));
        Self { status: StatusCode::SEE_OTHER, headers, body: Bytes::new() }
    }
}

/// The future a handler gives.
pub type Answer = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send>>;

/// A route's function.
pub type Handler = fn(Arc<App>, Call) -> Answer;

/// A prefix whose requests another room answers; it writes every page of its own.
pub struct Mount {
    /// Begins with `/`, ends with `/`.
    pub prefix: &'static str,
    /// Its function.
    pub handler: MountHandler,
}

/// A mounted function.
pub type MountHandler = Box<dyn Fn(Call) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync>;

impl std::fmt::Debug for Mount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mount").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
