//! Session: who asks, and whether a form is ours.
//!
//! Owns    the cookie, the token in it and the token of forms; signing in and out.
//! Always  the token is in the browser alone: the store has its hash, and a form has another hash of it, so that neither opens a session. A
//!         name that does not exist, a wrong password and an operator who is kept out are one answer, in the same time.
//! Source  OWASP, "Session Management" and "Cross-Site Request Forgery Prevention".

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use super::password::{NAME_MAX_BYTES, PASSWORD_MAX_BYTES};
use super::{Asked, Trouble, page};
use crate::edge::app::App;
use crate::edge::front::cut;
use crate::edge::http::Reply;
use crate::edge::limits::seconds;
use crate::store::operators::{SESSION_SECONDS, Try};
use crate::store::{Refusal, Store, StoreError};

/// Bits of an address that one house or machine has: those that try passwords change the others at will.
const V4_BITS: u8 = 24;
const V6_BITS: u8 = 56;

/// A session.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    /// Who.
    pub(super) operator: String,
    /// What the store knows it by.
    pub(super) hash: String,
    /// What its forms carry.
    pub(super) form_token: String,
}

/// Whether the page is asked for at this machine: browsers keep no `Secure` cookie of a page on http, unless it is that.
fn is_here(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    crate::edge::live::is_loopback(&format!("http://{host}/"))
}

/// `__Host-` binds the cookie to this host and to https.
fn cookie_name(headers: &HeaderMap) -> &'static str {
    if is_here(headers) { "desk" } else { "__Host-desk" }
}

fn set_cookie(reply: &mut Reply, headers: &HeaderMap, token: &str, life: i64) {
    let (name, secure) = (cookie_name(headers), if is_here(headers) { "" } else { "; Secure" });
    let text = format!("{name}={token}; Path=/; Max-Age={life}; HttpOnly; SameSite=Strict{secure}");
    reply.headers.append(header::SET_COOKIE, HeaderValue::from_str(&text).expect("names, digits and base64url are ASCII"));
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let name = cookie_name(headers);
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The hash of a token for one purpose.
fn hashed(purpose: &str, token: &str) -> String {
    let digest = Sha256::digest(format!("vitrine desk {purpose}\n{token}").as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}

/// Who has the session that came along; `None`: nobody.
pub(super) async fn of(app: &App, store: &Store, headers: &HeaderMap) -> Result<Option<Signed>, StoreError> {
    // As long as ours are: nothing else is looked up.
    let Some(token) = cookie(headers).filter(|token| token.len() == 43) else { return Ok(None) };
    let hash = hashed("session", token);
    let operator = store.session(&hash, app.clock.now()).await?;
    Ok(operator.map(|operator| Signed { operator, form_token: hashed("form", token), hash }))
}

/// Whether a request that changes something comes from a page of ours, as browsers tell it. `Origin` is compared with `Host`: nothing that
/// rewrites it stands before this listener, unless it is told to.
pub(super) fn is_ours(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("?");
    let origin = origin.to_str().unwrap_or("");
    origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")) == Some(host)
}

/// Whether a form carries its session's token. Compared in constant time: by the hashes of both.
pub(super) fn is_of_session(signed: &Signed, form_token: &str) -> bool {
    Sha256::digest(form_token.as_bytes()) == Sha256::digest(signed.form_token.as_bytes())
}

/// The page to sign in at; `status` 200, or why the last try did not do.
pub(super) async fn sign_in_page(
    app: &App,
    store: &Store,
    asked: &Asked,
    told: Option<(StatusCode, String)>,
) -> Result<Reply, Trouble> {
    let has_operators = store.has_operators().await?;
    let (status, text) = told.map_or((StatusCode::OK, None), |(status, text)| (status, Some(text)));
    let to = back_to(if asked.form.get("to").is_empty() { asked.query.get("to") } else { asked.form.get("to") });
    let shown = serde_json::json!({
        "has_operators": has_operators,
        "problem": text,
        "name": asked.form.get("name").chars().take(NAME_MAX_BYTES).collect::<String>(),
        "to": to,
        "is_plain": !is_here(&asked.headers) && asked.headers.get("x-forwarded-proto").is_none_or(|how| how != "https"),
    });
    page(app, asked, status, "desk/sign_in.html", "Sign in", shown)
}

/// A path of ours, to go on to once signed in; anything else is the first page.
fn back_to(to: &str) -> &str {
    let is_ours = (to == "/desk" || to.starts_with("/desk/") || to.starts_with("/desk?")) && to.len() <= 500;
    let is_plain = to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_ours && is_plain { to } else { "/desk" }
}

/// Looks at a name and a password, and opens a session where they are an operator's.
pub(super) async fn sign_in(app: &App, store: &Store, asked: &Asked) -> Result<Reply, Trouble> {
    let (name, password) = (asked.form.get("name").trim().to_lowercase(), asked.form.get("password"));
    let refuse = |text: &str| Some((StatusCode::UNPROCESSABLE_ENTITY, text.to_owned()));
    let wrong = "That is not the name and password of an operator.";
    if name.is_empty() || password.is_empty() {
        return sign_in_page(app, store, asked, refuse("Fill in both name and password.")).await;
    }
    if name.len() > NAME_MAX_BYTES || password.len() > PASSWORD_MAX_BYTES {
        return sign_in_page(app, store, asked, refuse(wrong)).await;
    }
    let network = network_of(app, asked);
    let hash = match store.begin_sign_in(&name, &network, app.clock.now()).await? {
        Try::Wait { until } => return wait(app, store, asked, (until.0 - app.clock.now().0).max(1).unsigned_abs()).await,
        Try::Look { hash } => hash,
    };
    let Some(is_same) = app.desk.passwords.are_same(password.to_owned(), hash).await else {
        return wait(app, store, asked, 5).await;
    };
    if !is_same {
        tracing::warn!(network, "somebody tried in vain to sign in as an operator");
        return sign_in_page(app, store, asked, refuse(wrong)).await;
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system's randomness never fails once the process has started");
    let token = URL_SAFE_NO_PAD.encode(bytes);
    match store.open_session(&name, &network, &hashed("session", &token), app.clock.now()).await {
        Err(StoreError::Refused(Refusal::NotFound)) => return sign_in_page(app, store, asked, refuse(wrong)).await,
        opened => opened?,
    }
    let mut reply = Reply::see_other(back_to(asked.form.get("to")));
    set_cookie(&mut reply, &asked.headers, &token, SESSION_SECONDS);
    Ok(reply)
}

async fn wait(app: &App, store: &Store, asked: &Asked, wait_seconds: u64) -> Result<Reply, Trouble> {
    let text = format!("Too many tries. The next one is looked at in {wait_seconds} s.");
    let mut reply = sign_in_page(app, store, asked, Some((StatusCode::TOO_MANY_REQUESTS, text))).await?;
    reply.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait_seconds.saturating_mul(1_000))));
    Ok(reply)
}

/// The network that tries are counted for.
fn network_of(app: &App, asked: &Asked) -> String {
    let Some(peer) = asked.peer else { return "unknown".to_owned() };
    let client = app.live.load().front.client(peer, &asked.headers).unwrap_or(peer).to_canonical();
    let bits = if client.is_ipv4() { V4_BITS } else { V6_BITS };
    let network: IpAddr = cut(client, bits);
    format!("{network}/{bits}")
}

/// Ends this session, or all of its operator.
pub(super) async fn sign_out(
    app: &App,
    store: &Store,
    asked: &Asked,
    signed: &Signed,
    is_everywhere: bool,
) -> Result<Reply, Trouble> {
    if is_everywhere {
        store.close_sessions(&signed.operator, app.clock.now()).await?;
    } else {
        store.close_session(&signed.hash).await?;
    }
    let mut reply = Reply::see_other("/desk/sign-in");
    set_cookie(&mut reply, &asked.headers, "", 0);
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn only_pages_of_this_listener_send_forms() {
        for (pairs, expected) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "http://desk.example")], false),
            (&[("host", "desk.example"), ("origin", "https://desk.example")], true),
            (&[("host", "desk.example"), ("origin", "https://evil.example")], false),
            (&[("host", "desk.example"), ("origin", "null")], false),
            (&[("origin", "https://")], false),
        ] {
            assert_eq!(is_ours(&headers(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_cookie_is_for_https_unless_the_page_is_of_this_machine() {
        for (host, name) in [
            ("127.0.0.1:9081", "desk"),
            ("localhost", "desk"),
            ("[::1]:9081", "desk"),
            ("desk.example", "__Host-desk"),
            ("127.0.0.1.evil.example", "__Host-desk"),
        ] {
            let headers = headers(&[("host", host)]);
            let mut reply = Reply::see_other("/desk");
            set_cookie(&mut reply, &headers, "t", 5);
            let set = reply.headers[header::SET_COOKIE].to_str().expect("ASCII").to_owned();
            assert!(set.starts_with(&format!("{name}=t; Path=/; Max-Age=5; HttpOnly; SameSite=Strict")), "{set}");
            assert_eq!(set.ends_with("; Secure"), name.starts_with("__Host-"), "{set}");
        }
    }

    #[test]
    fn one_goes_on_to_pages_of_ours_alone() {
        for to in ["/desk", "/desk/orders?q=1", "/desk?x"] {
            assert_eq!(back_to(to), to);
        }
        for to in ["", "//evil.example", "/deskevil", "https://evil.example", "/desk/\\evil", "/desk/\r\nx", "/readyz"] {
            assert_eq!(back_to(to), "/desk", "{to}");
        }
    }
}
