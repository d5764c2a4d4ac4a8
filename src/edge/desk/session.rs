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
use crate::store::operators::{NewSession, SESSION_SECONDS, Try};
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

/// Whether the page is asked for by https, as the browser or the proxy before this listener says. Whoever lies harms a cookie of its own.
fn is_https(headers: &HeaderMap) -> bool {
    let begins = |name: &str, with: &str| headers.get(name).is_some_and(|value| value.as_bytes().starts_with(with.as_bytes()));
    begins("x-forwarded-proto", "https") || begins("origin", "https://")
}

/// Binds the cookie to this host and to https.
const BOUND: &str = "__Host-desk";
/// At this machine, by http.
const PLAIN: &str = "desk";

/// A proxy may ask for this machine on behalf of whoever comes by https.
fn is_plain(headers: &HeaderMap) -> bool {
    is_here(headers) && !is_https(headers)
}

fn set_cookie(reply: &mut Reply, headers: &HeaderMap, token: &str, life: i64) {
    let (name, secure) = if is_plain(headers) { (PLAIN, "") } else { (BOUND, "; Secure") };
    let text = format!("{name}={token}; Path=/; Max-Age={life}; HttpOnly; SameSite=Strict{secure}");
    reply.headers.append(header::SET_COOKIE, HeaderValue::from_str(&text).expect("names, digits and base64url are ASCII"));
}

/// The token that came along. Not every request says that it came by https: where it does not, either name is read, the bound one first.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let named = |name: &str| {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
    };
    named(BOUND).or_else(|| named(PLAIN).filter(|_| is_plain(headers)))
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
        "is_plain": !is_here(&asked.headers) && !is_https(&asked.headers),
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
    let former = asked.signed.as_ref().map(|signed| signed.hash.clone());
    let session = NewSession { operator: name, network, token_hash: hashed("session", &token), former };
    match store.open_session(session, app.clock.now()).await {
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

/// The network that tries are counted for. The header in which the shop's host names shoppers is not asked: a proxy before this listener is
/// another one, and would pass on what a client wrote into it.
fn network_of(app: &App, asked: &Asked) -> String {
    let Some(peer) = asked.peer else { return "unknown".to_owned() };
    let client = app.live.load().front.forwarded(peer, &asked.headers);
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
        store.close_session(&signed.hash, app.clock.now()).await?;
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
        for (pairs, name) in [
            (&[("host", "127.0.0.1:9081")][..], PLAIN),
            (&[("host", "localhost")], PLAIN),
            (&[("host", "[::1]:9081"), ("origin", "http://[::1]:9081")], PLAIN),
            (&[("host", "desk.example")], BOUND),
            (&[("host", "127.0.0.1.evil.example")], BOUND),
            // A proxy that asks for this machine.
            (&[("host", "127.0.0.1:9081"), ("x-forwarded-proto", "https")], BOUND),
            (&[("host", "127.0.0.1:9081"), ("origin", "https://desk.example")], BOUND),
        ] {
            let headers = headers(pairs);
            let mut reply = Reply::see_other("/desk");
            set_cookie(&mut reply, &headers, "t", 5);
            let set = reply.headers[header::SET_COOKIE].to_str().expect("ASCII").to_owned();
            assert!(set.starts_with(&format!("{name}=t; Path=/; Max-Age=5; HttpOnly; SameSite=Strict")), "{pairs:?}: {set}");
            assert_eq!(set.ends_with("; Secure"), name == BOUND, "{pairs:?}: {set}");
        }
    }

    #[test]
    fn a_cookie_is_found_where_a_page_does_not_say_how_it_is_asked_for() {
        for (pairs, expected) in [
            (&[("host", "localhost"), ("cookie", "other=1; desk=plain")][..], Some("plain")),
            (&[("host", "localhost"), ("cookie", "desk=plain; __Host-desk=bound")], Some("bound")),
            (&[("host", "desk.example"), ("cookie", "__Host-desk=bound")], Some("bound")),
            // Another host of the domain may have written that one.
            (&[("host", "desk.example"), ("cookie", "desk=plain")], None),
            (&[("host", "localhost"), ("x-forwarded-proto", "https"), ("cookie", "desk=plain")], None),
            (&[("host", "localhost"), ("cookie", "xdesk=plain; desks=plain")], None),
        ] {
            assert_eq!(cookie(&headers(pairs)), expected, "{pairs:?}");
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
