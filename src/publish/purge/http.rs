//! Http: whoever takes addresses by HTTP: one by one in the request's own address, or many as a list of JSON.

use http::{HeaderName, Method, Request, header};
use object_store::client::HttpRequest;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Secret, path_of};

/// What an address may stand in a template as; with one of them, each address is a request of its own.
pub const PLACEHOLDERS: [&str; 4] = ["{url}", "{encoded_url}", "{host}", "{path}"];
pub(super) const HINT: &str = "check the secret of this target in the environment, and the header it is sent in";

/// What is asked of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpPurge {
    /// POST, or what the service asks for, such as PURGE.
    pub method: Method,
    /// Where to; with a placeholder, once for each address.
    pub url: String,
    /// The header that the secret is sent in; `None`: Authorization, if there is a secret.
    pub header: Option<HeaderName>,
    /// The key of the list.
    pub list: String,
    /// Addresses of a list.
    pub batch: usize,
}

impl HttpPurge {
    /// Whether each address is a request of its own.
    pub fn is_one_by_one(&self) -> bool {
        PLACEHOLDERS.iter().any(|placeholder| self.url.contains(placeholder))
    }
}

pub(super) fn request(terms: &HttpPurge, group: &[String], secret: &Secret) -> Result<HttpRequest, String> {
    let mut builder = Request::builder().method(terms.method.clone());
    let body = if terms.is_one_by_one() {
        let url = group.first().map(String::as_str).unwrap_or_default();
        builder = builder.uri(filled(&terms.url, url));
        Vec::new()
    } else {
        builder = builder.uri(&terms.url).header(header::CONTENT_TYPE, "application/json");
        serde_json::json!({ terms.list.as_str(): group }).to_string().into_bytes()
    };
    let mut request = builder.body(body.into()).map_err(|error| error.to_string())?;
    let header = terms.header.clone().unwrap_or(header::AUTHORIZATION);
    request.headers_mut().extend(secret.0.clone().map(|value| (header, value)));
    Ok(request)
}

fn filled(template: &str, url: &str) -> String {
    let path = path_of(url);
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let encoded = utf8_percent_encode(url, NON_ALPHANUMERIC).to_string();
    let values = [url, &encoded, host, path];
    PLACEHOLDERS.iter().zip(values).fold(template.to_owned(), |text, (placeholder, value)| text.replace(placeholder, value))
}
