//! Error: failure → status and stable code. The one place where it is decided.
//!
//! Owns    `Failure` and its two representations: `application/problem+json` (RFC 9457) and edge/problem.html.
//! Always  the text is for buyers and holds no cause; nothing a client sends is a 500.

use http::{HeaderValue, StatusCode, header};

use super::http::Reply;
use super::reply::{ChangedTotal, Problem};
use super::words::Note;
use crate::theme::texts::Say;
use crate::theme::view::SiteView;

/// Why a request has no answer of its own.
#[derive(Clone, Debug)]
pub enum Failure {
    /// 400: it cannot be read.
    Malformed {
        /// Stable, for programs.
        code: &'static str,
        /// For people: what to write instead.
        detail: Say,
    },
    /// 403: it comes from a foreign page, or its proof does not hold.
    Forbidden {
        /// Stable, for programs.
        code: &'static str,
        /// For people.
        detail: Say,
    },
    /// 404.
    NotFound {
        /// For people: what is not there.
        detail: Say,
    },
    /// 405.
    MethodNotAllowed {
        /// The methods that are, for `Allow`.
        allow: String,
    },
    /// 408: the body did not come in time.
    SlowRequest,
    /// 409: something else is true by now.
    Conflict {
        /// Stable, for programs.
        code: &'static str,
        /// For people.
        detail: Say,
        /// What it is about.
        messages: Vec<Note>,
        /// The total on the shopper's screen and the one that holds now, where they differ.
        total: Option<ChangedTotal>,
    },
    /// 409: the same request is still under way.
    InFlight {
        /// For people.
        detail: Say,
    },
    /// 413.
    BodyTooLarge {
        /// The most this route reads.
        limit_bytes: usize,
    },
    /// 414.
    AddressTooLong,
    /// 415.
    MediaType {
        /// What this route reads.
        expected: &'static str,
    },
    /// 422: well-formed, but a rule says no.
    Refused {
        /// Stable, for programs.
        code: &'static str,
        /// For people.
        detail: Say,
        /// One per field.
        messages: Vec<Note>,
    },
    /// 429.
    TooMany {
        /// When to come again.
        retry_after_s: u32,
    },
    /// 503: the world fails us.
    Unavailable {
        /// Stable, for programs.
        code: &'static str,
        /// For people.
        detail: Say,
        /// When to come again.
        retry_after_s: u32,
    },
    /// 500: our own bug; logged where it was caught.
    Bug,
}

impl Failure {
    /// A 400, for whoever writes the program that sent it.
    pub fn malformed(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Malformed { code, detail: Say::to_programs(detail) }
    }

    /// A 404.
    pub fn not_found(detail: Say) -> Self {
        Self::NotFound { detail }
    }

    /// A 422 without field messages.
    pub fn refused(code: &'static str, detail: Say) -> Self {
        Self::Refused { code, detail, messages: Vec::new() }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Malformed { .. } => StatusCode::BAD_REQUEST,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::SlowRequest => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict { .. } | Self::InFlight { .. } => StatusCode::CONFLICT,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::AddressTooLong => StatusCode::URI_TOO_LONG,
            Self::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Refused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Bug => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { code, .. }
            | Self::Forbidden { code, .. }
            | Self::Conflict { code, .. }
            | Self::Refused { code, .. }
            | Self::Unavailable { code, .. } => code,
            Self::NotFound { .. } => "not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::SlowRequest => "slow_request",
            Self::InFlight { .. } => "in_flight",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::AddressTooLong => "address_too_long",
            Self::MediaType { .. } => "unsupported_media_type",
            Self::TooMany { .. } => "too_many_requests",
            Self::Bug => "internal",
        }
    }

    /// What the buyer reads.
    pub fn detail(&self) -> Say {
        match self {
            Self::Malformed { detail, .. }
            | Self::Forbidden { detail, .. }
            | Self::NotFound { detail }
            | Self::Conflict { detail, .. }
            | Self::Refused { detail, .. }
            | Self::Unavailable { detail, .. }
            | Self::InFlight { detail } => detail.clone(),
            Self::MethodNotAllowed { allow } => Say::of("says.takes").with("methods", allow),
            Self::SlowRequest => Say::of("says.slow_request"),
            Self::BodyTooLarge { limit_bytes } => Say::of("says.body_too_large").counting(*limit_bytes as u64),
            Self::AddressTooLong => Say::of("says.address_too_long"),
            Self::MediaType { expected } => Say::of("says.media_type").with("expected", expected),
            Self::TooMany { .. } => Say::of("says.too_many_requests"),
            Self::Bug => Say::of("says.bug"),
        }
    }

    /// What it is about, field by field.
    pub fn notes(&self) -> &[Note] {
        match self {
            Self::Conflict { messages, .. } | Self::Refused { messages, .. } => messages,
            _ => &[],
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "problem.malformed",
            Self::Forbidden { .. } => "problem.forbidden",
            Self::NotFound { .. } => "problem.not_found",
            Self::MethodNotAllowed { .. } => "problem.method",
            Self::SlowRequest => "problem.slow",
            Self::Conflict { .. } | Self::InFlight { .. } => "problem.conflict",
            Self::BodyTooLarge { .. } => "problem.too_large",
            Self::AddressTooLong => "problem.too_long",
            Self::MediaType { .. } => "problem.media_type",
            Self::Refused { .. } => "problem.refused",
            Self::TooMany { .. } => "problem.too_many",
            Self::Unavailable { .. } => "problem.unavailable",
            Self::Bug => "problem.internal",
        }
    }

    /// The problem document in the words of `site`.
    pub fn problem(&self, request_id: &str, site: &SiteView) -> Problem {
        let status = self.status();
        let total = match self {
            Self::Conflict { total, .. } => *total,
            _ => None,
        };
        Problem {
            kind: "about:blank".to_owned(),
            title: site.texts.plain(self.title()).to_owned(),
            status: status.as_u16(),
            code: self.code().to_owned(),
            detail: self.detail().text(site),
            messages: self.notes().iter().map(|note| note.told(site)).collect(),
            total,
            request_id: request_id.to_owned(),
        }
    }

    /// The answer as `application/problem+json`.
    pub fn into_json(self, request_id: &str, site: &SiteView) -> Reply {
        let body = serde_json::to_vec(&self.problem(request_id, site)).expect("a problem is plain data");
        self.headed(Reply::with_type(self.status(), "application/problem+json", body.into()))
    }

    /// Adds the headers that its status asks for (RFC 9110: 405 `Allow`, 429 and 503 `Retry-After`).
    pub fn headed(&self, mut reply: Reply) -> Reply {
        match self {
            Self::MethodNotAllowed { allow } => {
                let value = HeaderValue::from_str(allow).expect("method names are ASCII");
                reply.headers.insert(header::ALLOW, value);
            }
            Self::InFlight { .. } => {
                reply.headers.insert(header::RETRY_AFTER, HeaderValue::from(1));
            }
            Self::TooMany { retry_after_s } | Self::Unavailable { retry_after_s, .. } => {
                reply.headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after_s));
            }
            _ => {}
        }
        reply
    }
}
