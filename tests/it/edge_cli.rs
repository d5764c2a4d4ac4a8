//! `vitrine edge`, `keygen` and `openapi` as an operator meets them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use vitrine::theme::bundle::SigningKey;
use vitrine::theme::bundle::services::WhenUnknown;

use crate::support::client;
use crate::support::edge::{BASE_URL, bundle, signing_key};
use crate::support::shop::{run, vitrine};

/// A folder with a bundle signed by that key.
fn folder_with_bundle(key: &SigningKey, base_url: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("shop.bundle"), bundle(base_url, 1990).seal(key)).expect("a bundle");
    folder
}

pub(crate) fn edge(folder: &Path, key: &SigningKey) -> Command {
    edge_at(folder, "127.0.0.1:0", "127.0.0.1:0", key)
}

fn edge_at(folder: &Path, listen: &str, operator: &str, key: &SigningKey) -> Command {
    let mut command = vitrine(folder);
    command.args(["edge", "--listen", listen, "--operator", operator]);
    command.env("VITRINE_BUNDLE_PUBLIC_KEYS", BASE64.encode(key.verifying_key().0));
    command
}

/// Runs a command that ends by itself; gives its exit code and stderr.
fn ended(command: &mut Command) -> (i32, String) {
    let output = command.output().expect("the binary runs");
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// An edge that runs; killed when dropped.
pub(crate) struct Running {
    child: Child,
    told: String,
}

impl Running {
    /// Waits for the line that says where it listens.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary runs");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        let mut told = String::new();
        while !told.contains("for operators:") {
            let line = lines.next().unwrap_or_else(|| panic!("vitrine edge ended: {told}"));
            told.push_str(&line.expect("stderr is text"));
            told.push('\n');
        }
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, told }
    }

    /// The port that follows a word in what it said.
    pub(crate) fn port(&self, word: &str) -> u16 {
        let rest = self.told.split_once(word).map(|(_, rest)| rest).unwrap_or_else(|| panic!("no {word} in {}", self.told));
        let address = rest.split_once("http://127.0.0.1:").expect("an address").1;
        let digits: String = address.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a port")
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(&mut self) {
        self.child.wait().expect("it ends");
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(status.success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_edge_serves_tells_its_state_and_finishes_what_is_in_flight() {
    let folder = folder_with_bundle(&signing_key(), BASE_URL);
    let mut running = Running::start(edge(folder.path(), &signing_key()));
    let (shoppers, operators) = (running.port("checkout on"), running.port("for operators:"));
    client::request(shoppers, "GET", "/api/v1/cart", &[], "").expect(200);
    client::request(operators, "GET", "/healthz", &[], "").expect(200);
    let ready = client::request(operators, "GET", "/readyz", &[], "").expect(200).json();
    assert_eq!((ready["ready"].as_bool(), ready["sequence"].as_u64()), (Some(true), Some(1)));
    let metrics = client::request(operators, "GET", "/metrics", &[], "").expect(200).body;
    assert!(metrics.contains(r#"vitrine_http_requests_total{route="GET /api/v1/cart",status="2xx"} 1"#), "{metrics}");
    client::request(operators, "GET", "/api/v1/cart", &[], "").expect(404);

    let mut slow = TcpStream::connect(("127.0.0.1", shoppers)).expect("a connection");
    let head = "POST /api/v1/cart/lines HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 29\r\n\r\n";
    slow.write_all(head.as_bytes()).expect("half a request");
    client::request(shoppers, "GET", "/api/v1/cart", &[], "").expect(200);
    running.signal("-TERM");
    while TcpStream::connect(("127.0.0.1", shoppers)).is_ok() {
        std::thread::yield_now();
    }
    slow.write_all(br#"{"sku":"LAMP-S","quantity":1}"#).expect("the other half");
    let mut answer = String::new();
    slow.read_to_string(&mut answer).expect("an answer, then the end");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(running.child.wait().expect("it ends").code(), Some(0));
}

/// Whoever leads shoppers here looks at /readyz now and then: until it has, they still come.
#[test]
fn an_edge_that_is_about_to_stop_says_so_before_it_refuses_anybody() {
    let folder = folder_with_bundle(&signing_key(), BASE_URL);
    let mut command = edge(folder.path(), &signing_key());
    command.args(["--leave-time-ms", "3600000"]);
    let mut running = Running::start(command);
    let (shoppers, operators) = (running.port("checkout on"), running.port("for operators:"));
    let mut kept = TcpStream::connect(("127.0.0.1", shoppers)).expect("a connection");
    running.signal("-TERM");
    let leaving = loop {
        let ready = client::request(operators, "GET", "/readyz", &[], "");
        if ready.status != 200 {
            break ready.expect(503).json();
        }
    };
    assert_eq!((leaving["ready"].as_bool(), leaving["leaving"].as_bool()), (Some(false), Some(true)));
    client::request(operators, "GET", "/healthz", &[], "").expect(200);
    client::request(shoppers, "GET", "/api/v1/cart", &[], "").expect(200);
    kept.write_all(b"GET /api/v1/cart HTTP/1.1\r\nhost: x\r\n\r\n").expect("a request");
    let mut answer = String::new();
    kept.read_to_string(&mut answer).expect("an answer, then the end");
    let asks_to_go = answer.starts_with("HTTP/1.1 200 ") && answer.contains("\r\nconnection: close\r\n");
    assert!(asks_to_go, "the next request goes to another edge: {answer}");
    running.signal("-TERM");
    assert_eq!(running.child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_port_in_use_is_said_with_what_to_do() {
    let folder = folder_with_bundle(&signing_key(), BASE_URL);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for (option, listen, operator) in [("--listen", address.as_str(), "127.0.0.1:0"), ("--operator", "127.0.0.1:0", &address)] {
        let (code, told) = ended(&mut edge_at(folder.path(), listen, operator, &signing_key()));
        assert_eq!(code, 3, "{told}");
        assert!(told.contains(&format!("{address} is in use")) && told.contains(option), "{told}");
    }
}

#[test]
fn a_bundle_that_cannot_be_served_ends_the_start_with_a_reason() {
    let folder = folder_with_bundle(&signing_key(), BASE_URL);
    let stranger = SigningKey::from_seed(&[9; 32]);
    let (code, told) = ended(&mut edge(folder.path(), &stranger));
    assert_eq!((code, told.contains("VITRINE_BUNDLE_PUBLIC_KEYS")), (3, true), "{told}");
    let (code, told) = ended(edge(folder.path(), &signing_key()).args(["--shop", "other"]));
    assert_eq!((code, told.contains("belongs to the shop `tiny`, not to `other`")), (3, true), "{told}");
    let (code, told) = ended(edge(folder.path(), &signing_key()).args(["--bundle", "nothing.bundle"]));
    assert_eq!((code, told.contains("nothing.bundle")), (3, true), "{told}");
    fs::write(folder.path().join("shop.bundle"), "hello").expect("a file");
    let (code, told) = ended(&mut edge(folder.path(), &signing_key()));
    assert_eq!((code, told.contains("`vitrine build` writes one")), (3, true), "{told}");
}

#[test]
fn development_keys_are_made_once_for_their_owner_and_refused_on_a_public_address() {
    let folder = folder_with_bundle(&signing_key(), "https://tiny.example");
    for _ in 0..2 {
        let (code, told) = ended(&mut edge(folder.path(), &signing_key()));
        assert_eq!((code, told.contains("make keys with `vitrine keygen`")), (3, true), "{told}");
    }
    let file = folder.path().join(".vitrine/development.keys");
    assert_eq!(fs::metadata(&file).expect("made").permissions().mode() & 0o777, 0o600);
    let first = fs::read_to_string(&file).expect("keys");
    let _ = ended(&mut edge(folder.path(), &signing_key()));
    assert_eq!(fs::read_to_string(&file).expect("keys"), first);
}

#[test]
fn keys_made_by_keygen_are_what_an_edge_takes() {
    let (code, lines, _) = run(Path::new("."), &["keygen"]);
    assert_eq!(code, 0);
    let value = |name: &str| {
        let line = lines.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("no {name} in {lines}")).to_owned()
    };
    let seed = BASE64.decode(value("VITRINE_BUNDLE_SECRET_KEY")).expect("base64url");
    let key = SigningKey::from_seed(&seed.try_into().expect("32 bytes"));
    let folder = folder_with_bundle(&key, "https://tiny.example");
    let mut command = edge(folder.path(), &key);
    command.env("VITRINE_BUNDLE_PUBLIC_KEYS", value("VITRINE_BUNDLE_PUBLIC_KEYS"));
    command.env("VITRINE_TOKEN_KEYS", value("VITRINE_TOKEN_KEYS"));
    let running = Running::start(command);
    client::request(running.port("checkout on"), "GET", "/api/v1/cart", &[], "").expect(200);
    assert!(!folder.path().join(".vitrine/development.keys").exists());
    assert!(running.told.contains("warning: nobody said what stands before this edge"), "{}", running.told);
}

#[test]
fn an_edge_that_has_to_ask_for_a_secret_does_not_start_without_one() {
    let (key, folder) = (signing_key(), tempfile::tempdir().expect("a folder"));
    let mut fronted = bundle(BASE_URL, 1990);
    fronted.front.origin_secret_header = Some("X-Origin-Secret".to_owned());
    fs::write(folder.path().join("shop.bundle"), fronted.seal(&key)).expect("a bundle");
    let (code, told) = ended(&mut edge(folder.path(), &key));
    assert_eq!((code, told.contains("VITRINE_ORIGIN_SECRETS")), (2, true), "{told}");
    let (code, told) = ended(edge(folder.path(), &key).env("VITRINE_ORIGIN_SECRETS", "hush-hush"));
    assert_eq!((code, told.contains("VITRINE_ORIGIN_SECRETS"), told.contains("hush")), (2, true, false), "{told}");
    let (_, lines, _) = run(Path::new("."), &["keygen"]);
    let secret = lines.lines().find_map(|line| line.strip_prefix("VITRINE_ORIGIN_SECRETS=")).expect("keygen makes one");
    let mut command = edge(folder.path(), &key);
    command.env("VITRINE_ORIGIN_SECRETS", secret);
    let running = Running::start(command);
    let ask = |headers: &[(&str, &str)]| client::request(running.port("checkout on"), "GET", "/cart", headers, "").status;
    assert_eq!((ask(&[]), ask(&[("x-origin-secret", secret)])), (403, 200));
    client::request(running.port("for operators"), "GET", "/readyz", &[], "").expect(200);
    assert!(!running.told.contains("warning"), "on this machine nobody stands before it: {}", running.told);
}

#[test]
fn play_money_is_refused_where_strangers_can_come() {
    let key = SigningKey::from_seed(&[7; 32]);
    let mut public = bundle("https://tiny.example", 1990);
    public.payment.allow_sandbox_on_public_host = false;
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("shop.bundle"), public.seal(&key)).expect("a bundle");
    let mut command = edge(folder.path(), &key);
    command.env("VITRINE_TOKEN_KEYS", format!("1:{}", BASE64.encode([3; 32])));
    let (code, told) = ended(&mut command);
    assert_eq!(code, 3);
    assert!(told.contains("play money") && told.contains("allow_sandbox_on_public_host"), "{told}");
}

#[test]
fn keys_that_are_none_are_wrong_usage() {
    let folder = folder_with_bundle(&signing_key(), BASE_URL);
    for text in ["", "x", "1:x", "1:AAAA", "300:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let (code, told) = ended(edge(folder.path(), &signing_key()).env("VITRINE_TOKEN_KEYS", text));
        assert_eq!((code, told.contains("vitrine keygen")), (2, true), "{text}: {told}");
    }
}

#[test]
fn stripes_form_needs_both_keys_of_one_mode() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shop = bundle(BASE_URL, 1990);
    (shop.payment.gateway, shop.payment.element) = ("stripe".to_owned(), true);
    fs::write(folder.path().join("shop.bundle"), shop.seal(&signing_key())).expect("a bundle");
    for (publishable, expected) in [
        (None, "set VITRINE_STRIPE_PUBLISHABLE_KEY to the key that begins with pk_"),
        (Some("sk_test_1"), "VITRINE_STRIPE_PUBLISHABLE_KEY: a publishable key begins with pk_live_ or pk_test_"),
        (Some("pk_live_1"), "VITRINE_STRIPE_PUBLISHABLE_KEY: it is of the other mode than the secret key"),
    ] {
        let mut command = edge(folder.path(), &signing_key());
        command.env("VITRINE_STRIPE_SECRET_KEY", "sk_test_1");
        command.envs(publishable.map(|key| ("VITRINE_STRIPE_PUBLISHABLE_KEY", key)));
        let (code, told) = ended(&mut command);
        assert!(code == 2 && told.contains(expected), "{code}: {told}");
    }
}

#[test]
fn a_pricing_service_on_another_machine_is_shown_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shop = bundle(BASE_URL, 1990);
    let mut terms = crate::support::service::Service::open().terms(WhenUnknown::Catalogue);
    terms.url = "https://prices.tiny.example/v1".to_owned();
    shop.pricing = Some(terms);
    fs::write(folder.path().join("shop.bundle"), shop.seal(&signing_key())).expect("a bundle");
    for (token, expected) in [
        (None, "the shop asks the service at https://prices.tiny.example/v1: set VITRINE_PRICING_TOKEN"),
        (Some("hush hush"), "VITRINE_PRICING_TOKEN: a token is 1 to 4096 visible ASCII signs without blanks"),
    ] {
        let mut command = edge(folder.path(), &signing_key());
        command.env_remove("VITRINE_PRICING_TOKEN");
        command.envs(token.map(|token| ("VITRINE_PRICING_TOKEN", token)));
        let (code, told) = ended(&mut command);
        assert!(code == 2 && told.contains(expected) && !told.contains("hush"), "{code}: {told}");
    }
}

#[test]
fn the_contract_is_printed() {
    let (code, text, _) = run(Path::new("."), &["openapi"]);
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((code, document["openapi"].as_str()), (0, Some("3.1.0")));
    let (code, text, _) = run(Path::new("."), &["openapi", "--services"]);
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((code, document["paths"]["/prices"].is_object()), (0, true));
}
