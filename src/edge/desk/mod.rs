//! Desk: the pages of those who run the shop, on the operators' listener.
//!
//! Owns    who may see them, which page answers what, and the frame around each. They are printed by templates of the program's own, work
//!         without script and change nothing but by the acts of `store::desk`.
//! Limits  FORM_LIMIT bytes of a form; every list comes in pages.
//! Always  a page is seen, and a form is taken, with a session alone; a form carries its session's token and the key of its page, by which
//!         what it does is done once. Nothing is kept by anybody on the way.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Body;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::password::Passwords;
use self::session::Signed;
use super::app::App;
use super::error::Failure;
use super::front::Peer;
use super::http::Reply;
use super::input::Form;
use super::middleware::body;
use super::perform::{Till, new_id};
use super::router::FORM_LIMIT;
use super::server::{caught, into_response};
use crate::commerce::ids::Timestamp;
use crate::store::desk::{Act, Done};
use crate::store::{Refusal, Store, StoreError};
use crate::theme::engine::{Engine, Values};
use crate::theme::policy::SAME_FOR_ALL;

mod hooks;
mod order;
mod orders;
pub mod password;
mod session;
mod shop;
mod stock;
pub mod told;

/// Our own style sheet and pictures; forms lead back to us; no script at all.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// What stands for itself in an address does so. Source: RFC 3986, 2.3.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Rows of a page of a list.
const ROWS: usize = 50;
/// What is said of a form that changed nothing.
const AGAIN: &str = "Nothing was done now: it was so already, or this page was sent before. Below is how it stands; send it from here if something is missing.";
/// The one style sheet.
const STYLE: &str = include_str!("../../../templates/desk/desk.css");

/// What the pages need beside the till.
#[derive(Debug, Default)]
pub struct Desk {
    engine: OnceLock<Engine>,
    passwords: Arc<Passwords>,
    /// Whether somebody writes down by what older orders are found.
    indexing: Arc<AtomicBool>,
}

impl Desk {
    fn engine(&self) -> &Engine {
        self.engine.get_or_init(Engine::desk)
    }
}

/// A request as pages see it.
#[derive(Debug)]
struct Asked {
    method: Method,
    /// As it came, without a slash at its end.
    path: String,
    /// Its parts, decoded one by one: a SKU may hold a slash.
    parts: Vec<String>,
    query: Form,
    form: Form,
    headers: HeaderMap,
    peer: Option<IpAddr>,
    signed: Option<Signed>,
}

/// Why there is no page.
#[derive(Debug)]
enum Trouble {
    /// There is no such thing.
    NotFound,
    /// The path is there, for the other method.
    OtherMethod,
    /// A foreign page sent it, or the form is of another session.
    Foreign,
    /// It cannot be read.
    Malformed(&'static str),
    /// More than a form holds.
    TooLarge,
    /// The store cannot be used.
    Store(StoreError),
    /// A template of ours is wrong.
    Bug(String),
}

/// Why an act was not done.
#[derive(Debug)]
enum ActError {
    /// A well-founded no, to be shown beside the form.
    Refused(Refusal),
    /// There is no page either.
    Trouble(Trouble),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Answers everything below `/desk`, and `/`. Never fails: what goes wrong is an answer too.
pub async fn respond<B>(app: &Arc<App>, request: Request<B>) -> Response<Full<Bytes>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let method = request.method().clone();
    let answered = caught(answer(app, request)).await.unwrap_or_else(|text| Err((None, Trouble::Bug(text))));
    let mut reply = answered.unwrap_or_else(|(signed, trouble)| troubled(app, signed, &trouble));
    let headers = &mut reply.headers;
    for (name, value) in SAME_FOR_ALL.iter().filter(|(name, _)| *name != "Referrer-Policy") {
        headers.insert(HeaderName::from_bytes(name.as_bytes()).expect("its name is one"), HeaderValue::from_static(value));
    }
    // The address of a page names an order; a form's Origin is needed all the same.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    into_response(reply, &method)
}

async fn answer<B>(app: &Arc<App>, request: Request<B>) -> Result<Reply, (Option<Signed>, Trouble)>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (parts, stream) = request.into_parts();
    let peer = parts.extensions.get().map(|Peer(peer)| peer.ip());
    let path = parts.uri.path().trim_end_matches('/').to_owned();
    if path == "/desk/desk.css" {
        let mut reply = Reply::with_type(StatusCode::OK, "text/css; charset=utf-8", Bytes::from_static(STYLE.as_bytes()));
        reply.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=300"));
        return Ok(reply);
    }
    let malformed = |_| (None, Trouble::Malformed("The address cannot be read."));
    let query = Form::parse(parts.uri.query().unwrap_or("")).map_err(malformed)?;
    let decoded = path.split('/').skip(1).map(|part| percent_encoding::percent_decode_str(part).decode_utf8().map(String::from));
    let decoded: Vec<String> = decoded.collect::<Result<_, _>>().map_err(|_| (None, Trouble::NotFound))?;
    // No name of ours has such a sign, and PostgreSQL takes none.
    let is_plain = |text: &str| !text.chars().any(char::is_control);
    if !decoded.iter().all(|part| is_plain(part)) || !query.fields().iter().all(|(_, value)| is_plain(value)) {
        return Err((None, Trouble::NotFound));
    }
    let (method, headers) = (parts.method, parts.headers);
    let mut asked = Asked { method, path, parts: decoded, query, form: Form::default(), headers, peer, signed: None };
    let Some(till) = app.till.clone() else { return Err((None, Trouble::NotFound)) };
    asked.signed = session::of(app, &till.store, &asked.headers).await.map_err(|error| (None, error.into()))?;
    match go(app, &till, &mut asked, stream).await {
        Ok(reply) => Ok(reply),
        Err(trouble) => Err((asked.signed, trouble)),
    }
}

async fn go<B>(app: &Arc<App>, till: &Arc<Till>, asked: &mut Asked, stream: B) -> Result<Reply, Trouble>
where
    B: Body<Data = Bytes> + Unpin,
{
    let store = &till.store;
    let is_post = asked.method == Method::POST;
    if is_post {
        if !session::is_ours(&asked.headers) {
            return Err(Trouble::Foreign);
        }
        let bytes = body::read(stream, FORM_LIMIT, app.settings.body_timeout).await.map_err(|failure| match failure {
            Failure::BodyTooLarge { .. } => Trouble::TooLarge,
            _ => Trouble::Malformed("The form did not arrive whole."),
        })?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Trouble::Malformed("The form is not UTF-8."))?;
        asked.form = Form::parse(text).map_err(|_| Trouble::Malformed("The form cannot be read."))?;
        if asked.form.fields().iter().any(|(_, value)| value.contains('\0')) {
            return Err(Trouble::Malformed("The form holds a sign that no text has."));
        }
    } else if !matches!(asked.method, Method::GET | Method::HEAD) {
        return Err(Trouble::OtherMethod);
    }
    if asked.parts == ["desk", "sign-in"] {
        return match (is_post, &asked.signed) {
            (true, _) => session::sign_in(app, store, asked).await,
            (false, Some(_)) => Ok(Reply::see_other("/desk")),
            (false, None) => session::sign_in_page(app, store, asked, None).await,
        };
    }
    let Some(signed) = asked.signed.clone() else { return Ok(Reply::see_other(&sign_in_address(asked))) };
    if is_post && !session::is_of_session(&signed, asked.form.get("token")) {
        return Err(Trouble::Foreign);
    }
    let parts: Vec<&str> = asked.parts.iter().map(String::as_str).collect();
    let desk = At { app, till, store, asked, by: &signed.operator };
    match (is_post, parts.as_slice()) {
        (false, []) => Ok(Reply::see_other("/desk")),
        (true, ["desk", "sign-out"]) => session::sign_out(app, store, asked, &signed, false).await,
        (true, ["desk", "sign-out-everywhere"]) => session::sign_out(app, store, asked, &signed, true).await,
        (false, ["desk"]) => shop::overview(&desk).await,
        (false, ["desk", "orders"]) => orders::list(&desk).await,
        (false, ["desk", "orders", order]) => order::show(&desk, order).await,
        (true, ["desk", "orders", order, act]) => order::act(&desk, order, act).await,
        (false, ["desk", "stock"]) => stock::list(&desk).await,
        (false, ["desk", "stock", sku]) => stock::show(&desk, sku, Vec::new()).await,
        (true, ["desk", "stock", sku]) => stock::change(&desk, sku).await,
        (false, ["desk", "coupons"]) => shop::coupons(&desk).await,
        (false, ["desk", "stuck"]) => shop::stuck(&desk, None).await,
        (true, ["desk", "stuck"]) => shop::resolve(&desk).await,
        (false, ["desk", "webhooks"]) => hooks::list(&desk).await,
        (false, ["desk", "webhooks", name]) => hooks::show(&desk, name, None).await,
        (true, ["desk", "webhooks", name]) => hooks::change(&desk, name).await,
        (false, ["desk", "state"]) => shop::state(&desk, None).await,
        (true, ["desk", "state"]) => shop::switch(&desk).await,
        (false, ["desk", "audit"]) => shop::audit(&desk).await,
        (true, ["desk"] | ["desk", "orders" | "coupons" | "audit"] | ["desk", "orders", _]) => Err(Trouble::OtherMethod),
        (false, ["desk", "sign-out" | "sign-out-everywhere"] | ["desk", "orders", _, _]) => Err(Trouble::OtherMethod),
        _ => Err(Trouble::NotFound),
    }
}

/// What a page is made with.
struct At<'a> {
    app: &'a Arc<App>,
    till: &'a Arc<Till>,
    store: &'a Store,
    asked: &'a Asked,
    by: &'a str,
}

impl At<'_> {
    fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    /// By what it is known that this form did this already: a page has one key for all its forms, and each of them does something else, or
    /// to something else. What people write into it is no part of that.
    fn key(&self, (what, subject): (&str, &str)) -> Result<String, Trouble> {
        let key = self.asked.form.get("key");
        if uuid::Uuid::parse_str(key).is_err() {
            return Err(Trouble::Malformed("This form has no key. Go back, load the page anew and try again."));
        }
        let mut digest = Sha256::new_with_prefix("vitrine desk form\n");
        for part in [key, &self.asked.path, what, subject] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Ok(URL_SAFE_NO_PAD.encode(digest.finalize()))
    }

    /// Whether this form did that before.
    async fn is_done(&self, subject: (&str, &str)) -> Result<bool, Trouble> {
        Ok(self.store.is_done(&self.key(subject)?).await?)
    }

    /// Does something in the operator's name.
    async fn act(&self, act: Act) -> Result<Done, ActError> {
        let key = self.key(act.subject()).map_err(ActError::Trouble)?;
        self.store.act(self.by, Some(&key), act, self.now()).await.map_err(|error| match error {
            StoreError::Refused(refusal) => ActError::Refused(refusal),
            other => ActError::Trouble(Trouble::Store(other)),
        })
    }

    fn page(&self, template: &'static str, title: &str, shown: Value) -> Result<Reply, Trouble> {
        page(self.app, self.asked, StatusCode::OK, template, title, shown)
    }

    fn refused(&self, template: &'static str, title: &str, shown: Value) -> Result<Reply, Trouble> {
        page(self.app, self.asked, StatusCode::UNPROCESSABLE_ENTITY, template, title, shown)
    }
}

/// Where one signs in to come back to what was asked for.
fn sign_in_address(asked: &Asked) -> String {
    if asked.method == Method::POST || asked.path.is_empty() || asked.path == "/desk" {
        return "/desk/sign-in".to_owned();
    }
    let query: Vec<(&str, &str)> = asked.query.fields().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let to = address(&asked.path, &query);
    address("/desk/sign-in", &[("to", &to)])
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, ENCODED).to_string()
}

/// The path of what has a name, whatever signs the name is of.
fn below(path: &str, name: &str) -> String {
    format!("{path}/{}", encoded(name))
}

/// A path with a query; what is empty is left out.
fn address(path: &str, query: &[(&str, &str)]) -> String {
    let pairs = query.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let joint = if pairs.is_empty() { "" } else { "?" };
    format!("{path}{joint}{}", pairs.join("&"))
}

/// An instant as people read it; UTC, as the frame says.
fn instant(at: Timestamp) -> String {
    let shown = jiff::Timestamp::from_second(at.0).map(|at| at.strftime("%Y-%m-%d %H:%M:%S").to_string());
    shown.unwrap_or_else(|_| at.0.to_string())
}

/// The midnight that a day begins with, UTC.
fn day(text: &str) -> Option<Timestamp> {
    let at = format!("{text}T00:00:00Z").parse::<jiff::Timestamp>().ok()?;
    Some(Timestamp(at.as_second()))
}

/// A text of a form as one line, within its bytes.
fn line(text: &str, max_bytes: usize) -> Option<String> {
    let text = text.trim();
    (text.len() <= max_bytes && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// A page in its frame.
fn page(
    app: &App,
    asked: &Asked,
    status: StatusCode,
    template: &'static str,
    title: &str,
    shown: Value,
) -> Result<Reply, Trouble> {
    framed(app, asked.signed.as_ref(), &asked.path, status, template, title, shown)
}

fn framed(
    app: &App,
    signed: Option<&Signed>,
    path: &str,
    status: StatusCode,
    template: &'static str,
    title: &str,
    shown: Value,
) -> Result<Reply, Trouble> {
    let live = app.live.load();
    let seen = app.till.as_ref().map(|till| till.seen.load_full());
    let frame = json!({
        "title": title,
        "shop": live.sites.first().map(|site| site.name.clone()),
        "operator": signed.map(|signed| signed.operator.as_str()),
        "token": signed.map(|signed| signed.form_token.as_str()),
        "key": new_id(),
        "section": path.split('/').nth(2).unwrap_or(""),
        "paused": seen.as_ref().is_some_and(|seen| seen.watch.pause.is_some()),
        "store_error": seen.as_ref().and_then(|seen| seen.error.clone()),
    });
    let mut values = Values::new().with("frame", &frame);
    if let Value::Object(shown) = shown {
        for (name, value) in shown {
            values.set(&name, tera::Value::from_serializable(&value));
        }
    }
    let text = app.desk.engine().render(template, values.context());
    text.map(|text| Reply::html(status, text)).map_err(|error| Trouble::Bug(format!("{}: {error}", error.template)))
}

fn troubled(app: &App, signed: Option<Signed>, trouble: &Trouble) -> Reply {
    let (status, text) = match trouble {
        Trouble::NotFound => (StatusCode::NOT_FOUND, "There is no such page."),
        Trouble::OtherMethod => (StatusCode::METHOD_NOT_ALLOWED, "This page is asked for in another way."),
        Trouble::Foreign => (
            StatusCode::FORBIDDEN,
            "This form does not come from a page of yours, or you have signed in anew since. Nothing was done.",
        ),
        Trouble::Malformed(text) => (StatusCode::BAD_REQUEST, *text),
        Trouble::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "That is more than a form holds. Nothing was done."),
        Trouble::Store(error) => {
            tracing::error!(%error, "an operator's page could not be made");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "Orders cannot be read or written at the moment. Look at the state of the shop, then try again.",
            )
        }
        Trouble::Bug(error) => {
            tracing::error!(error, "an operator's page failed by our own fault");
            (StatusCode::INTERNAL_SERVER_ERROR, "This page failed by our own fault. The log says more.")
        }
    };
    let shown = json!({ "text": text });
    let mut reply = framed(app, signed.as_ref(), "", status, "desk/trouble.html", "Not done", shown)
        .unwrap_or_else(|_| Reply::with_type(status, "text/plain; charset=utf-8", Bytes::from(text)));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        reply.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        reply.headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
    }
    reply
}

/// What is wrong with fields of a form, by their names.
type Faults = BTreeMap<&'static str, String>;
