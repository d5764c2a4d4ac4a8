//! A person: all that the store keeps of whoever has an e-mail address, to be read and to be taken elsewhere.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use super::super::CommandError;
use super::super::stock::{failed, instant, wait_for};
use super::export::for_its_owner;
use super::{fulfil, name_of, printable};
use crate::commerce::address::{Address, Contact};
use crate::store::Store;
use crate::store::history::Happened;
use crate::store::people::{Kept, KeptOrder};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Whose; upper and lower case are the same
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// Where to; only its owner may read it, and a file that is there is replaced [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(store: &Store, wish: &Args, is_json: bool) -> Result<(), CommandError> {
    let mut all = Vec::new();
    for checkout in wait_for(store.checkouts_of(&wish.email))?.map_err(failed)? {
        all.extend(wait_for(store.kept(&checkout))?.map_err(failed)?);
    }
    let text = match is_json {
        true => serde_json::to_string_pretty(&all).map_err(|error| CommandError::World(error.to_string()))? + "\n",
        false => all.iter().map(told).collect::<Vec<_>>().join("\n"),
    };
    match &wish.out {
        None => print!("{text}"),
        Some(path) => {
            let written = for_its_owner(path, |file| Ok(file.write_all(text.as_bytes())?));
            written.map_err(|error| error.told(&path.display().to_string()))?;
            eprintln!("{}: {} checkouts", path.display(), all.len());
        }
    }
    if all.is_empty() && !is_json {
        eprintln!("nothing is kept that names {}", printable(&wish.email));
    }
    Ok(())
}

/// For people.
fn told(kept: &Kept) -> String {
    let mut text = format!("checkout {} of {}\n", kept.checkout, instant(kept.created_at));
    line(&mut text, "told", &who(&kept.contact, &kept.address));
    line(&mut text, "market", &format!("{}, {}", kept.market, kept.language));
    for one in &kept.orders {
        order(&mut text, one);
    }
    text
}

fn order(text: &mut String, one: &KeptOrder) {
    let (order, quote) = (&one.order, &one.order.quote);
    line(text, "order", &format!("{}, {}, {}, {}", name_of(order), order.state.name(), instant(order.created_at), quote.total()));
    if let Some(at) = order.erased_at {
        line(text, "erased", &instant(at));
    }
    line(text, "for", &who(&quote.contact, &quote.address));
    for bought in &quote.priced.lines {
        line(text, "bought", &format!("{} × {} {} {}", bought.quantity, bought.sku, bought.title, bought.variant_title));
        bought.properties.iter().for_each(|(key, value)| line(text, "", &format!("{key}: {value}")));
    }
    for try_ in &one.payments {
        let known = [&try_.reference, &try_.card, &try_.reason].into_iter().flatten().cloned();
        let words: Vec<String> =
            [try_.gateway.clone(), try_.amount.to_string(), try_.state.clone()].into_iter().chain(known).collect();
        line(text, "payment", &format!("{} {}: {}", instant(try_.created_at), try_.number, words.join(", ")));
    }
    for back in &one.refunds {
        let words: Vec<&str> =
            [&back.state, &back.reason, &back.note].map(String::as_str).into_iter().filter(|text| !text.is_empty()).collect();
        line(text, "refund", &format!("{} {}, {}", instant(back.created_at), back.amount, words.join(", ")));
    }
    for dispute in &one.disputes {
        line(text, "dispute", &format!("{} {}, {}", dispute.reference, dispute.amount, dispute.reason));
    }
    for sent in &one.fulfillments {
        line(text, "sent", &format!("{} {}", instant(sent.created_at), fulfil::summary(sent)));
    }
    for said in &one.withdrawals {
        let words: Vec<&str> = [&said.wanted, &said.reason]
            .map(String::as_str)
            .into_iter()
            .chain(said.note.as_deref())
            .filter(|text| !text.is_empty())
            .collect();
        line(text, "withdrawn", &format!("{} {}", instant(said.created_at), words.join(", ")));
    }
    for note in &one.notes {
        line(text, "note", &format!("{} {}: {}", instant(note.at), note.operator, note.text));
    }
    let happened = |text: &mut String, name: &str, all: &[Happened]| {
        all.iter().for_each(|one| line(text, name, &format!("{} {}", instant(one.at), one.detail)));
    };
    happened(text, "mail", &one.mails);
    happened(text, "event", &one.events);
}

fn who(contact: &Contact, address: &Address) -> String {
    let Address { name, line1, line2, city, region, postal_code, country } = address;
    let parts = [&contact.email, &contact.phone, name, line1, line2, postal_code, city, region, country];
    parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn line(text: &mut String, name: &str, said: &str) {
    writeln!(text, "  {name:<9} {}", printable(said)).expect("a string takes all that is written to it");
}
