//! Edge: a tiny shop behind an edge, asked in-process or over a socket.
//!
//! Owns    the shop (two markets, a lamp in two sizes, a mug with an engraving, a vase that is gone, a pattern without a parcel, a draft,
//!         three coupons) and `Caller`.

use std::net::TcpListener as StdListener;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use vitrine::commerce::catalog::{Catalog, Price, Product, ProductStatus, PropertyRule, QuantityRule, StockPolicy, Variant};
use vitrine::commerce::ids::{CouponCode, Timestamp};
use vitrine::commerce::money::{Currency, Rounding};
use vitrine::commerce::promotion::{Benefit, Promotion, Trigger};
use vitrine::commerce::rules::{Market, RoundingScope, Rules};
use vitrine::commerce::shipping::{RatePrice, ShippingRate, ShippingZone};
use vitrine::commerce::tax::{TaxMode, TaxRates, TaxTable};
use vitrine::edge::app::{App, Clock, Settings};
use vitrine::edge::bundle_file::BundleFile;
use vitrine::edge::key_ring::KeyRing;
use vitrine::edge::live::Live;
use vitrine::edge::server;
use vitrine::theme::bundle::{Bundle, FrontTerms, MailTerms, PaymentTerms, SigningKey};
use vitrine::theme::look::Chosen;
use vitrine::theme::texts::Dictionary;
use vitrine::theme::view::{Edition, Link, SiteView};

/// The instant of every request.
pub const NOW: Timestamp = Timestamp(1_790_000_000);
/// Where the shop says it is.
pub const BASE_URL: &str = "http://127.0.0.1:8080";

/// Files of static/ that the built-in theme names.
const ASSETS: [&str; 6] = ["beacon.js", "express.js", "favicon.svg", "pay.js", "search.js", "theme.js"];

/// The key that signs bundles.
pub fn signing_key() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

/// The keys of cart tokens.
pub fn key_ring() -> KeyRing {
    KeyRing::new(&[(1, [1; 32])]).expect("one key is a ring")
}

/// The shop, its lamp at that price.
pub fn bundle(base_url: &str, lamp_minor: i64) -> Bundle {
    let mut large = variant("LAMP-L", &[("EUR", 2990), ("USD", 3300)], 3);
    large.option_values = vec!["Large".into()];
    let mut small = variant("LAMP-S", &[("EUR", lamp_minor), ("USD", 2200)], 100);
    small.option_values = vec!["Small".into()];
    let mut mug = product("mug", vec![variant("MUG", &[("EUR", 1250)], 40)]);
    mug.quantity = QuantityRule { min: 2, max: 10, step: 2 };
    mug.properties =
        vec![PropertyRule { key: "engraving".to_owned(), label: "Engraving".to_owned(), required: false, max_bytes: 20 }];
    let mut draft = product("draft", vec![variant("DRAFT", &[("EUR", 100)], 5)]);
    draft.status = ProductStatus::Draft;
    let gone = product("vase", vec![variant("VASE", &[("EUR", 4900)], 0)]);
    let mut pattern = variant("PATTERN", &[("EUR", 500)], 0);
    (pattern.requires_shipping, pattern.weight_g, pattern.stock_policy) = (false, 0, StockPolicy::Untracked);
    let pattern = product("pattern", vec![pattern]);
    let catalog = Catalog::new(vec![product("lamp", vec![small, large]), mug, draft, gone, pattern], Vec::new());
    Bundle {
        shop_id: "tiny".to_owned(),
        sites_json: ["eu", "us"].map(|market| site(base_url, market)).to_vec(),
        rules: rules(),
        catalog: catalog.expect("names differ"),
        templates: Vec::new(),
        assets: ASSETS.map(|path| (path.to_owned(), format!("/a/{path}"), "sha384-x".to_owned())).to_vec(),
        origins: vec![base_url.to_owned()],
        order_prefix: "T-".to_owned(),
        payment: PaymentTerms {
            gateway: "sandbox".to_owned(),
            allow_sandbox_on_public_host: base_url.starts_with("https:"),
            methods: vec!["card".to_owned()],
            account: None,
            element: false,
        },
        mail: MailTerms::default(),
        webhooks: Vec::new(),
        front: FrontTerms::default(),
        pricing: None,
        inventory: None,
        keeper: None,
    }
}

/// An app that serves the shop.
pub fn app(settings: Settings) -> Arc<App> {
    app_of(&bundle(BASE_URL, 1990), settings)
}

/// An app that serves a bundle.
pub fn app_of(bundle: &Bundle, settings: Settings) -> Arc<App> {
    let opened = Bundle::open(&bundle.seal(&signing_key()), &[signing_key().verifying_key()], None).expect("our own bundle");
    let live = Live::new(opened, 1, false).expect("a whole shop");
    Arc::new(App::new(live, key_ring(), settings, Clock::of(|| NOW)))
}

/// The bundle file of a folder.
pub fn bundle_file(folder: &Path) -> BundleFile {
    BundleFile {
        path: folder.join("shop.bundle"),
        state: folder.join(".vitrine"),
        keys: vec![signing_key().verifying_key()],
        development_keys: false,
        shop: None,
    }
}

/// Serves an app on a free port of loopback for as long as the test's process lives; gives the port.
pub fn listen(app: Arc<App>) -> u16 {
    let listener = StdListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    listener.set_nonblocking(true).expect("tokio wants it so");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            server::serve_app(app, listener, std::future::pending()).await;
        });
    });
    port
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Got {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Fails with the whole answer unless it has that status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The stable code of a problem, after its status was checked.
    #[track_caller]
    pub fn code(self, status: u16) -> String {
        let got = self.expect(status);
        assert_eq!(got.header("content-type"), "application/problem+json", "{got:?}");
        got.json()["code"].as_str().expect("a problem has a code").to_owned()
    }

    /// A header's value; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// All cookies set, as they stand.
    pub fn cookies(&self) -> Vec<&str> {
        self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().expect("ASCII")).collect()
    }
}

/// Someone with a cart: keeps the token that was answered and sends it along.
#[derive(Clone, Debug)]
pub struct Caller {
    pub app: Arc<App>,
    pub token: String,
    /// Headers sent with every request.
    pub headers: Vec<(&'static str, String)>,
}

impl Caller {
    /// Someone without a cart.
    pub fn new(app: &Arc<App>) -> Self {
        Self { app: app.clone(), token: String::new(), headers: Vec::new() }
    }

    /// The same with one header more.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Asks with JSON (`Value::Null`: without a body).
    pub fn json(&mut self, method: &str, path: &str, body: Value) -> Got {
        let (kind, bytes) = match body {
            Value::Null => (None, Vec::new()),
            body => (Some("application/json"), body.to_string().into_bytes()),
        };
        self.send(method, path, kind, bytes, "application/json")
    }

    /// Sends a form as a browser does.
    pub fn form(&mut self, path: &str, body: &str) -> Got {
        self.send("POST", path, Some("application/x-www-form-urlencoded"), body.as_bytes().to_vec(), "text/html")
    }

    /// Asks for a page.
    pub fn page(&mut self, path: &str) -> Got {
        self.send("GET", path, None, Vec::new(), "text/html")
    }

    /// Sends anything.
    pub fn send(&mut self, method: &str, path: &str, kind: Option<&str>, body: Vec<u8>, accept: &str) -> Got {
        let mut request = Request::builder().method(method).uri(path).header("accept", accept);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        if !self.token.is_empty() {
            request = request.header("cookie", format!("other=1; cart={}", self.token));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let got = ask(&self.app, request.body(Full::new(Bytes::from(body))).expect("a request"));
        let token = got.cookies().iter().find_map(|cookie| Some(cookie.strip_prefix("cart=")?.split(';').next()?.to_owned()));
        self.token = token.unwrap_or_else(|| self.token.clone());
        got
    }
}

/// Asks the app in-process.
pub fn ask(app: &Arc<App>, request: Request<Full<Bytes>>) -> Got {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
    let response = runtime.block_on(server::respond(app, request));
    let (parts, body) = response.into_parts();
    let body = runtime.block_on(body.collect()).expect("a whole body").to_bytes();
    let body = String::from_utf8(body.to_vec()).expect("answers are text");
    Got { status: parts.status.as_u16(), headers: parts.headers, body }
}

fn site(base_url: &str, market: &str) -> String {
    let edition = |(id, home): (&str, &str)| Edition {
        name: id.to_owned(),
        language: "en".to_owned(),
        language_name: "English".to_owned(),
        home: home.to_owned(),
        is_here: id == market,
    };
    let view = SiteView {
        editions: [("eu", "/"), ("us", "/us")].map(edition).into(),
        name: "Tiny".to_owned(),
        tagline: String::new(),
        base_url: base_url.to_owned(),
        email: "hello@tiny.example".to_owned(),
        market: market.to_owned(),
        prefix: if market == "eu" { String::new() } else { format!("/{market}") },
        language: "en".to_owned(),
        direction: "ltr".to_owned(),
        locale: "en_DE".to_owned(),
        currency: if market == "eu" { "EUR" } else { "USD" }.to_owned(),
        tax_mode: if market == "eu" { TaxMode::Inclusive } else { TaxMode::Exclusive },
        countries: Vec::new(),
        navigation: Vec::new(),
        footer: Vec::new(),
        legal: vec![Link { title: "Terms".to_owned(), url: "/terms".to_owned() }],
        eu_law: false,
        withdrawal_days: 14,
        search: true,
        beacon: "100".to_owned(),
        texts: Dictionary::new(Vec::new(), "en", &[]).texts("en"),
        theme: Chosen::default().look(),
    };
    serde_json::to_string(&view).expect("plain data")
}

fn product(slug: &str, variants: Vec<Variant>) -> Product {
    Product {
        slug: slug.into(),
        title: slug.to_owned(),
        translations: Vec::new(),
        brand: None,
        categories: Vec::new(),
        image: None,
        options: Vec::new(),
        variants,
        tax_class: "standard".into(),
        quantity: QuantityRule::default(),
        properties: Vec::new(),
        status: ProductStatus::Active,
        publish_at: None,
        expires_at: None,
    }
}

fn variant(sku: &str, prices: &[(&str, i64)], opening_stock: u32) -> Variant {
    let price = |(code, unit_minor): &(&str, i64)| Price {
        currency: currency(code),
        unit_minor: *unit_minor,
        compare_at_minor: None,
        sales: Vec::new(),
        prior: Box::default(),
    };
    Variant {
        sku: sku.into(),
        option_values: Vec::new(),
        prices: prices.iter().map(price).collect(),
        weight_g: 500,
        requires_shipping: true,
        opening_stock,
        stock_policy: StockPolicy::Deny,
        image: None,
        gtin: None,
        content: None,
    }
}

fn promotion(code: &str, percent: &str, minimum: Option<i64>, usage_limit: Option<u32>) -> Promotion {
    Promotion {
        id: code.to_lowercase(),
        title: code.to_lowercase(),
        trigger: Trigger::Code(CouponCode::normal(code)),
        benefit: Benefit::Percentage(percent.parse().expect("a percentage")),
        minimum_minor: minimum.map(|minor| (currency("EUR"), minor)).into_iter().collect(),
        minimum_quantity: 0,
        markets: Vec::new(),
        products: Vec::new(),
        categories: Vec::new(),
        starts_at: None,
        ends_at: None,
        usage_limit,
        per_customer: None,
        first_order: false,
        stacking_class: "goods".to_owned(),
        combines_with: Vec::new(),
    }
}

fn currency(code: &str) -> Currency {
    Currency::from_code(code).expect("a currency")
}

fn rules() -> Rules {
    let market = |id: &str, prefix: &str, countries: &[&str], code: &str, tax_mode| Market {
        id: id.into(),
        name: id.to_uppercase(),
        prefix: prefix.to_owned(),
        countries: countries.iter().map(|country| (*country).to_owned()).collect(),
        currency: currency(code),
        language: "en".to_owned(),
        tax_mode,
        rounding: Rounding::HalfUp,
        rounding_scope: RoundingScope::Line,
        consumer_law: Default::default(),
    };
    let rates = |country: &str, percent: &str| TaxRates {
        country: country.to_owned(),
        region: None,
        name: "VAT".to_owned(),
        percent: vec![("standard".into(), percent.parse().expect("a percentage"))],
    };
    let rate = |id: &str, minor| ShippingRate {
        id: id.into(),
        name: id.to_owned(),
        delivery: None,
        price: RatePrice::Flat { minor },
        free_over_minor: None,
        transit_days: None,
    };
    Rules {
        words: Default::default(),
        markets: vec![
            market("eu", "", &["DE", "AT"], "EUR", TaxMode::Inclusive),
            market("us", "us", &["US"], "USD", TaxMode::Exclusive),
        ],
        tax: TaxTable {
            classes: vec!["standard".into()],
            shipping_class: Some("standard".into()),
            rates: vec![rates("AT", "20"), rates("DE", "19"), rates("US", "0")],
        },
        shipping: vec![ShippingZone {
            id: "home".to_owned(),
            name: "Home".to_owned(),
            market: "eu".into(),
            countries: vec!["DE".to_owned()],
            rates: vec![rate("standard", 490), rate("express", 990)],
        }],
        promotions: vec![
            promotion("SPRING", "10", Some(2000), None),
            promotion("FIRST", "50", None, Some(1)),
            promotion("GIFT", "100", None, None),
        ],
        quote_seconds: 900,
        reservation_seconds: 900,
    }
}
