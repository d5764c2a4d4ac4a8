//! `vitrine mail`: the letters to customers, as they are printed from the last build's bundle, without an edge.
//!
//! Always  a preview sends nothing and writes nothing but the file it is told to; it is made by what the edge makes letters by.

use std::path::PathBuf;

use serde_json::json;

use super::shelf::BesideEdge;
use super::stock::{failed, wait_for};
use super::{CommandError, STATE, STATE_FOLDER, keys};
use crate::commerce::address::{Address, Contact};
use crate::commerce::cart::{Cart, CartCommand, CartFacts, Destination};
use crate::commerce::fulfillment::{FulfilledLine, Fulfillment, Parcel};
use crate::commerce::ids::{CartId, Timestamp};
use crate::commerce::money::Money;
use crate::commerce::order::{Order, OrderState, order_number};
use crate::commerce::outside::OutsidePrices;
use crate::commerce::pricing::{PricingFacts, price_cart};
use crate::commerce::quote::{Quote, QuoteParts};
use crate::commerce::rules::Market;
use crate::commerce::withdrawal::Withdrawal;
use crate::edge::live::{Live, is_loopback};
use crate::edge::perform::mail::customer::{Desk, Page};
use crate::theme::bundle::Bundle;

/// Lines of the made-up order.
const SAMPLE_LINES: usize = 2;
/// What its customer is called: nobody's address, by RFC 2606.
const SAMPLE_EMAIL: &str = "ada@example.com";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    beside: BesideEdge,
    /// Print JSON for programs
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// The letters there are, with their templates
    List,
    /// Print a letter as customers get it
    Preview {
        /// Which letter
        #[arg(value_enum)]
        kind: Kind,
        /// Of this order, by its number or id, instead of a made-up one
        #[arg(long)]
        order: Option<String>,
        /// In this language [default: the order's, or the shop's first]
        #[arg(long, value_name = "LANGUAGE")]
        language: Option<String>,
        /// The part for programs that show HTML
        #[arg(long, conflicts_with = "text")]
        html: bool,
        /// The part for programs that show text, which is what is printed unless told otherwise
        #[arg(long)]
        text: bool,
        /// Where to [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The shop, as `vitrine build` wrote it
        #[arg(long, value_name = "FILE", default_value = "shop.bundle")]
        bundle: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Confirmation,
    Sent,
    Refund,
    Withdrawal,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Confirmation, Self::Sent, Self::Refund, Self::Withdrawal];

    /// Its name, its templates, and when it is sent.
    fn told(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Confirmation => ("confirmation", "mail/order", "an order is paid"),
            Self::Sent => ("sent", "mail/sent", "units of an order leave the house: `vitrine orders fulfil`"),
            Self::Refund => ("refund", "mail/refund", "money of an order is on its way back"),
            Self::Withdrawal => ("withdrawal", "mail/withdrawal", "a customer has withdrawn from an order or a part of it"),
        }
    }
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    match args.action {
        Action::List => {
            let told = Kind::ALL.map(Kind::told);
            if args.json {
                let rows = told.map(|(name, template, when)| {
                    json!({"kind": name, "templates": [format!("{template}.txt"), format!("{template}.html")], "sent_when": when})
                });
                println!("{:#}", json!(rows));
            } else {
                told.iter().for_each(|(name, template, when)| println!("{name:<13} {template}.{{txt,html}}  when {when}"));
            }
            Ok(())
        }
        Action::Preview { kind, order, language, html, text: _, out, bundle } => {
            let live = opened(&bundle)?;
            let now = Timestamp(jiff::Timestamp::now().as_second());
            let told = match order {
                Some(name) => stored(&args.beside, &name)?,
                None => sample(&live, language.as_deref(), now)?,
            };
            let page = page(&live, kind, told, language.as_deref(), now)?;
            let text = match (args.json, html) {
                (true, _) => format!("{:#}\n", json!({"subject": page.subject, "text": page.text, "html": page.html})),
                (false, true) => page.html,
                (false, false) => format!("Subject: {}\n\n{}", page.subject, page.text),
            };
            match out {
                Some(path) => {
                    std::fs::write(&path, text).map_err(|error| CommandError::World(format!("{}: {error}", path.display())))
                }
                None => {
                    print!("{text}");
                    Ok(())
                }
            }
        }
    }
}

fn opened(path: &std::path::Path) -> Result<Live, CommandError> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| {
        CommandError::World(format!("{shown}: {error}; `vitrine build` writes it, or name another by --bundle"))
    })?;
    let state = PathBuf::from(std::env::var_os(STATE).unwrap_or_else(|| STATE_FOLDER.into()));
    let keys = keys::known_keys(&state)?;
    let told = |error: String| CommandError::World(format!("{shown}: {error}"));
    let opened = Bundle::open(&bytes, &keys, None).map_err(|error| told(error.to_string()))?;
    Live::new(opened, 0, false).map_err(|error| told(error.to_string()))
}

/// An order with what was sent, given back and declared of it last.
struct Told {
    order: Order,
    sent: Option<Fulfillment>,
    refunded: Option<(Money, String)>,
    declared: Option<Withdrawal>,
}

fn stored(beside: &BesideEdge, name: &str) -> Result<Told, CommandError> {
    let store = beside.shelf()?.open_existing()?;
    let order = super::orders::found(&store, name)?;
    let sent = wait_for(store.fulfillments(&order.id))?.map_err(failed)?;
    let refunds = wait_for(store.refunds(&order.id))?.map_err(failed)?;
    let declared = wait_for(store.withdrawals(&order.id))?.map_err(failed)?;
    Ok(Told {
        sent: sent.into_iter().rfind(|one| one.undone_at.is_none()),
        refunded: refunds.into_iter().next_back().map(|one| (one.amount, one.reason)),
        declared: declared.into_iter().next_back(),
        order,
    })
}

fn page(live: &Live, kind: Kind, told: Told, language: Option<&str>, now: Timestamp) -> Result<Page, CommandError> {
    let Told { mut order, sent, refunded, declared } = told;
    if let Some(language) = language {
        let known: Vec<&str> = live.sites.iter().map(|site| site.language.as_str()).collect();
        if !known.contains(&language) {
            return Err(CommandError::Usage(format!("--language {language}: the shop speaks {}", known.join(", "))));
        }
        language.clone_into(&mut order.quote.language);
    }
    let state = PathBuf::from(std::env::var_os(STATE).unwrap_or_else(|| STATE_FOLDER.into()));
    let ring = match is_loopback(&live.sites[0].base_url) {
        true => keys::edge_keys(&state)?.tokens,
        // The links of a preview lead nowhere: the keys of the edge are not needed for it, and need not be here.
        false => crate::edge::key_ring::KeyRing::new(&[(0, [0; 32])]).expect("one key"),
    };
    let desk = Desk { live, keys: &ring, order: &order };
    let lines = || {
        let lines = (0..).zip(&order.quote.priced.lines);
        lines.map(|(line, one)| FulfilledLine { line, sku: one.sku.clone(), quantity: one.quantity }).collect::<Vec<_>>()
    };
    let printed = match kind {
        Kind::Confirmation => desk.confirmation(),
        Kind::Sent => desk.sent(&sent.unwrap_or_else(|| Fulfillment {
            id: "sample".to_owned(),
            order: order.id.clone(),
            parcel: Parcel {
                carrier: "Example Post".to_owned(),
                tracking: "JJD000123456789".to_owned(),
                url: "https://post.example/track?id=JJD000123456789".to_owned(),
            },
            lines: lines(),
            completes: true,
            created_at: now,
            undone_at: None,
        })),
        Kind::Refund => {
            let (amount, reason) = refunded.unwrap_or_else(|| (order.quote.total(), String::new()));
            desk.refund(amount, &reason)
        }
        Kind::Withdrawal => desk.withdrawal(&declared.unwrap_or_else(|| Withdrawal {
            id: "sample".to_owned(),
            order: order.id.clone(),
            lines: Vec::new(),
            wanted: String::new(),
            reason: String::new(),
            is_late: false,
            created_at: now,
            handled_at: None,
            note: None,
        })),
    };
    printed.map_err(|error| CommandError::World(error.to_string()))
}

/// A made-up order of what the shop sells, paid just now.
fn sample(live: &Live, language: Option<&str>, now: Timestamp) -> Result<Told, CommandError> {
    let rules = &live.bundle.rules;
    let market = rules.markets.iter().find(|market| language == Some(market.language.as_str())).unwrap_or(rules.root_market());
    let cart = sample_cart(live, market, now)?;
    let facts = PricingFacts {
        catalog: &live.bundle.catalog,
        rules,
        at: now,
        shipping_choice: None,
        outside: &OutsidePrices::NONE,
        used_up: &[],
        customer: None,
    };
    let priced = price_cart(&cart, &facts)
        .map_err(|error| CommandError::World(format!("a sample order cannot be priced ({error}); name one by --order")))?;
    let address = Address {
        name: "Ada Example".to_owned(),
        line1: "Lindenweg 4".to_owned(),
        city: "Example".to_owned(),
        postal_code: "10115".to_owned(),
        country: market.countries.first().cloned().unwrap_or_default(),
        ..Address::default()
    };
    let quote = Quote::freeze(QuoteParts {
        id: "sample".into(),
        checkout: "sample".into(),
        cart_id: cart.id,
        cart_revision: cart.revision,
        market: market.id.clone(),
        language: market.language.clone(),
        contact: Contact { email: SAMPLE_EMAIL.to_owned(), phone: String::new() },
        address,
        priced,
        created_at: now,
        expires_at: now,
    });
    let number = Some(order_number(&live.bundle.order_prefix, 1));
    let order = Order {
        id: "sample".into(),
        checkout: "sample".into(),
        number,
        state: OrderState::Placed,
        quote,
        created_at: now,
        placed_at: Some(now),
        paid_at: Some(now),
        erased_at: None,
    };
    Ok(Told { order, sent: None, refunded: None, declared: None })
}

fn sample_cart(live: &Live, market: &Market, now: Timestamp) -> Result<Cart, CommandError> {
    let catalog = &live.bundle.catalog;
    let facts = CartFacts { catalog, currency: market.currency, at: now, outside: &OutsidePrices::NONE };
    let mut cart = Cart::new(CartId([0; 16]), market.id.clone(), market.language.clone(), now);
    for product in catalog.products() {
        let Some(variant) = product.variants.first() else { continue };
        let (sku, quantity) = (variant.sku.hash(), product.quantity.min);
        let add = CartCommand::AddLine { sku, quantity, properties: Vec::new(), seen_price_minor: None };
        // One that asks its buyer for something, or is not sold here, makes no sample.
        if let Ok(next) = cart.apply(add, &facts) {
            cart = next;
        }
        if cart.lines.len() == SAMPLE_LINES {
            break;
        }
    }
    if cart.lines.is_empty() {
        return Err(CommandError::Usage(format!(
            "the market `{}` sells nothing to make an order of; name one by --order",
            market.id
        )));
    }
    let country = market.countries.first().cloned().unwrap_or_default();
    let destination = Destination { country, region: None, postal_code: None };
    cart.apply(CartCommand::SetDestination { destination }, &facts).map_err(|error| CommandError::World(error.to_string()))
}
