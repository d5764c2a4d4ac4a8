//! Recipe: every one is printed, for hosts that ask for a secret and hosts that do not, and no value becomes more than itself.

use clap::ValueEnum;

use super::*;
use crate::recipe::built::Rule;
use crate::recipe::limits::Host;
use crate::site::Shop;
use crate::theme::bundle::services::{InventoryClass, Oversell, PriceClass, WhenSilent, WhenUnknown};

const POLICY: &str = "default-src 'none'; script-src 'self' 'sha256-PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0='";

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn built() -> Built {
    let immutable = vec![pair("Cache-Control", "public, max-age=31536000, immutable")];
    Built {
        rules: vec![
            Rule {
                pattern: "/*".to_owned(),
                headers: vec![
                    pair("X-Content-Type-Options", "nosniff"),
                    pair("Strict-Transport-Security", "max-age=31536000"),
                    pair("Permissions-Policy", "camera=()"),
                    pair("Content-Security-Policy", POLICY),
                ],
            },
            Rule { pattern: "/a/*".to_owned(), headers: immutable },
        ],
        redirects: vec![pair("/old/l%C3%A4mp", "/products/lämp"), pair("/it's $1;{x}", "/products/a$b")],
        ..Built::default()
    }
}

fn s3() -> Target {
    Target {
        name: "production".to_owned(),
        place: Place::S3 { bucket: "shop-example".to_owned(), region: Some("eu-central-1".to_owned()), endpoint: None },
        prefix: String::new(),
        private: "_vitrine".to_owned(),
        caching: Caching::default(),
        purge: None,
        previews: None,
        encodings: Vec::new(),
        keep: 10,
        max_deletions: 100,
        lease_seconds: 60,
    }
}

fn written(
    recipe: Recipe,
    change: impl FnOnce(&mut Built, &mut FrontTerms, &mut Option<Target>),
) -> Result<Vec<File>, RecipeError> {
    let (mut built, mut front, mut target) = (built(), FrontTerms::default(), Some(s3()));
    front.origin_secret_header = Some("X-Origin-Secret".to_owned());
    front.trusted_proxies = Some(vec!["127.0.0.1".to_owned(), "198.51.100.0/24".to_owned()]);
    change(&mut built, &mut front, &mut target);
    let shop = Shop {
        id: "opal-co".to_owned(),
        name: "Opal & Co".to_owned(),
        base_url: "https://shop.example".to_owned(),
        ..Shop::default()
    };
    let payment = PaymentTerms { gateway: "stripe".to_owned(), ..PaymentTerms::default() };
    let webhooks = [SubscriberTerms { name: "erp-two".to_owned(), ..SubscriberTerms::default() }];
    let objectives = Objectives::default();
    let usual = PriceClass { categories: Vec::new(), max_age_seconds: 0, when_unknown: WhenUnknown::Refuse, max_factor: 2 };
    let pricing = PricingTerms {
        url: "https://prices.shop.example".to_owned(),
        timeout_ms: 800,
        fresh_seconds: 30,
        usual,
        classes: Vec::new(),
    };
    let inventory = InventoryTerms {
        url: "https://stock.shop.example".to_owned(),
        timeout_ms: 1_000,
        usual: InventoryClass { categories: Vec::new(), oversell: Oversell::Never, when_silent: WhenSilent::Refuse },
        classes: Vec::new(),
    };
    recipe.write(&Subject {
        shop: &shop,
        url_style: UrlStyle::Flat,
        front: &front,
        payment: &payment,
        pricing: Some(&pricing),
        inventory: Some(&inventory),
        webhooks: &webhooks,
        target: target.as_ref(),
        built: &built,
        down: Down { language: "en".to_owned(), title: "Down".to_owned(), detail: "Back \"soon\" & <well>.".to_owned() },
        objectives: &objectives,
        options: &Options::default(),
    })
}

fn text(recipe: Recipe) -> String {
    let files = written(recipe, |_, _, _| {}).unwrap_or_else(|error| panic!("{recipe:?}: {error}"));
    files.into_iter().map(|file| file.text).collect()
}

#[test]
fn every_recipe_is_printed_and_holds_no_gap() {
    for recipe in Recipe::value_variants() {
        let whole = text(*recipe);
        let gaps = whole.replace("${{", "").replace("/{{", "");
        assert!(!gaps.contains("{%") && !gaps.contains("{#"), "{recipe:?}: {whole}");
        assert!(whole.lines().all(|line| line == line.trim_end()), "{recipe:?}: nothing ends in a blank");
        assert!(whole.ends_with('\n') && !whole.ends_with("\n\n"), "{recipe:?}");
        let plain = written(*recipe, |built, front, _| {
            *front = FrontTerms::default();
            built.has_down_page = true;
        });
        let plain: String = plain.expect("without a secret").into_iter().map(|file| file.text).collect();
        let asks = plain.contains("Origin-Secret") || plain.contains("ORIGIN_SECRET");
        assert!(!asks, "{recipe:?} asks for a secret that nobody wants: {plain}");
    }
}

#[test]
fn every_host_leads_the_same_addresses_to_the_edge_with_the_secret() {
    for recipe in Recipe::value_variants().iter().filter(|recipe| recipe.is_host()) {
        let whole = text(*recipe);
        for path in PATHS {
            assert!(whole.contains(path.trim_start_matches('/')), "{recipe:?}: {path}");
        }
        assert!(whole.contains("X-Origin-Secret"), "{recipe:?}");
        if recipe.needs_build() {
            assert!(whole.contains(POLICY) || whole.contains(&POLICY.replace('"', "\\\"")), "{recipe:?}");
        }
    }
}

#[test]
fn a_value_is_written_as_its_host_reads_it_or_not_at_all() {
    use super::quote::Host as Quote;
    assert_eq!(Quote::Nginx.text("a \"b\" \\ ;").as_deref(), Ok("\"a \\\"b\\\" \\\\ ;\""));
    assert_eq!(Quote::Caddy.text("a \"b\"").as_deref(), Ok("\"a \\\"b\\\"\""));
    assert!(matches!(Quote::Nginx.text("a$b"), Err(RecipeError::NotForHost { host: "nginx", .. })));
    assert!(Quote::Nginx.text("a\nb").is_err() && Quote::Caddy.text("{x}").is_err());
    let (from, to) = Quote::Nginx.redirect("/l%C3%A4mp $1", "/products/a$b lämp").expect("any address");
    assert_eq!((from.as_str(), to.as_str()), ("\"/lämp $1\"", "\"/products/a%24b%20l%C3%A4mp\""));
    let odd = written(Recipe::Nginx, |built, _, _| built.rules[0].headers.push(pair("X-Odd", "$remote_addr")));
    assert!(odd.is_err_and(|error| error.to_string().contains("`$remote_addr`")));
    let unknown = |built: &mut Built| built.rules.push(Rule { pattern: "/x/*".to_owned(), headers: vec![pair("X-Odd", "1")] });
    assert!(written(Recipe::Caddy, |built, _, _| unknown(built)).is_err_and(|error| error.to_string().contains("/x/*")));
}

#[test]
fn what_publishes_needs_a_target_and_cloudfront_a_bucket() {
    for recipe in [Recipe::Shell, Recipe::Github, Recipe::Gitlab] {
        assert_eq!(written(recipe, |_, _, target| *target = None), Err(RecipeError::NoTarget));
    }
    assert_eq!(written(Recipe::Cloudfront, |_, _, target| *target = None), Err(RecipeError::NoBucket));
    let other = |target: &mut Option<Target>| {
        target.as_mut().expect("there is one").place = Place::Gcs { bucket: "b".to_owned(), endpoint: None };
    };
    assert_eq!(written(Recipe::Cloudfront, |_, _, target| other(target)), Err(RecipeError::NoBucket));
    let edge = |recipe| written(recipe, |_, _, target| *target = None).expect("an edge may take a file")[0].text.clone();
    assert!(edge(Recipe::Systemd).contains("VITRINE_BUNDLE=/var/lib/vitrine/shop.bundle"));
    assert!(text(Recipe::Kubernetes).contains("s3://shop-example/_vitrine"));
    let folder = written(Recipe::Systemd, |_, _, target| {
        let place = Place::Folder { parent: "/srv/www".into(), name: "shop".to_owned() };
        *target = Some(Target { place, private: "shop.private".to_owned(), ..s3() });
    });
    assert!(folder.expect("a folder")[0].text.contains("file:///srv/www/shop.private "));
}

#[test]
fn an_edge_is_told_every_secret_that_its_shop_needs() {
    for recipe in [Recipe::Container, Recipe::Systemd, Recipe::Kubernetes] {
        let whole = text(recipe);
        for name in [
            "VITRINE_BUNDLE_PUBLIC_KEYS",
            "VITRINE_TOKEN_KEYS",
            "VITRINE_ORIGIN_SECRETS",
            "VITRINE_STRIPE_SECRET_KEY",
            "VITRINE_STRIPE_WEBHOOK_SECRETS",
            "VITRINE_PRICING_TOKEN",
            "VITRINE_INVENTORY_TOKEN",
            "VITRINE_WEBHOOK_SECRET_ERP_TWO",
            "AWS_SECRET_ACCESS_KEY",
        ] {
            assert!(whole.contains(name), "{recipe:?}: {name}");
        }
    }
}

#[test]
fn a_cloudfront_template_keeps_what_is_private_and_its_function_small() {
    let template: serde_json::Value = serde_json::from_str(&text(Recipe::Cloudfront)).expect("JSON");
    let resources = &template["Resources"];
    let deny = &resources["PagesPolicy"]["Properties"]["PolicyDocument"]["Statement"][2];
    assert_eq!(deny["Effect"], "Deny");
    assert_eq!(deny["Resource"]["Fn::Sub"], "arn:${AWS::Partition}:s3:::shop-example/_vitrine/*");
    let code = |template: &serde_json::Value| {
        template["Resources"]["PagesAddresses"]["Properties"]["FunctionCode"].as_str().expect("a text").to_owned()
    };
    assert!(code(&template).contains("\"/old/lämp\": \"/products/l%C3%A4mp\""), "{}", code(&template));
    let many = written(Recipe::Cloudfront, |built, _, _| {
        built.redirects = (0..1_000).map(|number| pair(&format!("/old/{number}"), "/products/lamp")).collect();
    });
    let many: serde_json::Value = serde_json::from_str(&many.expect("a template")[0].text).expect("JSON");
    assert!(code(&many).len() < 2_000 && code(&many).contains("const moved = {\n};"), "the pages at old addresses lead on");
    assert_eq!(template["Parameters"]["OriginSecret"]["NoEcho"], true);
}

#[test]
fn what_a_host_would_drop_is_counted() {
    let told = |host: Host, change: &dyn Fn(&mut Built)| {
        let mut built = built();
        change(&mut built);
        let problems = host.problems(&built);
        problems.into_iter().map(|problem| format!("{}:{}: {}", problem.file, problem.line, problem.message)).collect::<Vec<_>>()
    };
    assert_eq!(told(Host::CloudflarePages, &|_| {}), Vec::<String>::new());
    assert_eq!(told(Host::Netlify, &|_| {}), Vec::<String>::new());
    let redirects = |count: usize| {
        move |built: &mut Built| {
            built.redirects = (0..count).map(|number| pair(&format!("/old/{number}"), "/x")).collect();
            built.redirects_text = built.redirects.iter().map(|(from, to)| format!("{from} {to} 301\n")).collect();
        }
    };
    assert_eq!(told(Host::CloudflarePages, &redirects(2_000)), Vec::<String>::new());
    let over = told(Host::CloudflarePages, &redirects(2_001));
    assert_eq!(over, ["_redirects:2001: 2001 redirects, and Cloudflare Pages reads 2000: what follows is dropped"]);
    let long = |built: &mut Built| built.redirects_text = format!("/a /b 301\n/{} /b 301\n", "x".repeat(1_000));
    assert_eq!(
        told(Host::CloudflarePages, &long),
        ["_redirects:2: this redirect is longer than the 1000 signs that Cloudflare Pages reads"]
    );
    let line = |built: &mut Built| built.headers_text = format!("/*\n  X: {}\n", "x".repeat(1_996));
    assert_eq!(told(Host::CloudflarePages, &line), ["_headers:2: a line of 2001 signs, and Cloudflare Pages reads at most 2000"]);
    let rules =
        |built: &mut Built| built.rules = (0..101).map(|_| Rule { pattern: "/x".to_owned(), headers: Vec::new() }).collect();
    assert_eq!(told(Host::CloudflarePages, &rules), ["_headers:0: 101 rules, and Cloudflare Pages reads 100"]);
    let large =
        |built: &mut Built| (built.files, built.largest) = (20_001, Some(("a/film.bin".to_owned(), 25 * 1024 * 1024 + 1)));
    assert_eq!(told(Host::CloudflarePages, &large).len(), 2);
    let gitlab = told(Host::GitlabPages, &redirects(10_000));
    assert_eq!(gitlab.len(), 3, "too many, too large, and no headers: {gitlab:?}");
    let policy = |built: &mut Built| built.rules[0].headers.push(pair("Content-Security-Policy", &"x".repeat(1_784)));
    assert_eq!(told(Host::Cloudfront, &policy), ["_headers:0: a policy of 1784 signs, and CloudFront takes at most 1783"]);
}
