//! What leaves the house: what would be sent, what was written of it, and how that is taken back.

use serde_json::json;

use super::super::CommandError;
use super::super::stock::{failed, instant, wait_for};
use super::{done, found, name_of, printable, when};
use crate::commerce::fulfillment::{Fulfillment, Parcel};
use crate::commerce::ids::Timestamp;
use crate::commerce::order::{Order, OrderState};
use crate::store::desk::Act;
use crate::store::fulfillments::{AskFulfillment, Sendable, Telling};
use crate::store::letters::LetterKind;
use crate::store::operators::COMMAND;
use crate::store::{Refusal, Store, StoreError};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The number that people read aloud, or the order's id
    order: String,
    /// Units of a line: LAMP-S=2, or '#1=2' for the first line of the order; may come again [default: all that is left]
    #[arg(long, value_name = "SKU=UNITS")]
    line: Vec<String>,
    /// Who carries it, for the customer
    #[arg(long, default_value = "")]
    carrier: String,
    /// The carrier's number for the parcel, for the customer
    #[arg(long, value_name = "NUMBER", default_value = "")]
    tracking: String,
    /// Where the customer can follow it; https
    #[arg(long, default_value = "")]
    url: String,
    /// The same for a wish that may come twice, such as the label's number: it is done once
    #[arg(long)]
    key: Option<String>,
    /// Write nothing to the customer
    #[arg(long)]
    no_mail: bool,
    /// Even if all its money went back, as a present
    #[arg(long)]
    even_if_refunded: bool,
    /// Say what would be sent, and do nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Undo {
    /// Its name, as `fulfil` and `show` print it
    fulfilment: String,
    /// Even if the customer was told that it is on its way: write to them yourself
    #[arg(long)]
    even_if_told: bool,
}

/// A key is a name, not a letter.
const MAX_KEY_BYTES: usize = 100;

pub(super) fn run(store: &Store, wish: &Args, is_json: bool, now: Timestamp) -> Result<(), CommandError> {
    let order = found(store, &wish.order)?;
    let name = name_of(&order);
    let parcel = Parcel {
        carrier: wish.carrier.trim().to_owned(),
        tracking: wish.tracking.trim().to_owned(),
        url: wish.url.trim().to_owned(),
    };
    parcel.check().map_err(|fault| CommandError::Usage(format!("--{}: write {fault}", fault.field())))?;
    if wish.key.as_ref().is_some_and(|key| key.is_empty() || key.len() > MAX_KEY_BYTES) {
        return Err(CommandError::Usage(format!("--key is a name of at most {MAX_KEY_BYTES} bytes")));
    }
    let sendable = wait_for(store.sendable(&order.id))?.map_err(failed)?;
    let sendable = sendable.ok_or_else(|| CommandError::Usage(format!("there is no order `{}` any more", wish.order)))?;
    let lines = lines(&order, &sendable, &wish.line)?;
    if wish.dry_run {
        return plan(&order, &sendable, &lines, is_json);
    }
    let id = crate::edge::perform::new_id();
    let ask = AskFulfillment {
        key: wish.key.clone().unwrap_or_else(|| id.clone()),
        id,
        order: order.id.clone(),
        lines,
        parcel,
        is_present: wish.even_if_refunded,
        telling: if wish.no_mail { Telling::Nothing } else { Telling::Letter },
        now,
    };
    let done_now = wait_for(store.act(COMMAND, None, Act::Fulfil(ask), now))?.map_err(|error| refused(&order, error))?;
    let sent = done_now.fulfillment.ok_or_else(|| CommandError::World("the store did not say what was sent".to_owned()))?;
    let mail = if wish.no_mail {
        "the customer is not written to".to_owned()
    } else {
        format!("the customer is told: {}", when(store, now)?)
    };
    let told = json!({"order": name, "fulfillment": sent, "mail": !wish.no_mail, "done": true});
    done(is_json, &told, &format!("{} of {name}: {mail}", summary(&sent)));
    Ok(())
}

/// What is to be sent, by line. Nothing written: all that is left.
fn lines(order: &Order, sendable: &Sendable, written: &[String]) -> Result<Vec<(u32, u32)>, CommandError> {
    let mut lines = Vec::with_capacity(written.len());
    for text in written {
        let wrong = || CommandError::Usage(format!("--line {text}: write a SKU and how many of it, such as LAMP-S=2"));
        let (what, units) = text.rsplit_once('=').ok_or_else(wrong)?;
        let units: u32 = units.parse().ok().filter(|units| *units > 0).ok_or_else(wrong)?;
        let ordered = &order.quote.priced.lines;
        if let Some(number) = what.strip_prefix('#') {
            let place = number.parse::<u32>().ok().filter(|number| (1..=ordered.len()).contains(&(*number as usize)));
            let place = place.ok_or_else(|| {
                CommandError::Usage(format!("--line {text}: {} has the lines #1 to #{}", name_of(order), ordered.len()))
            })?;
            lines.push((place - 1, units));
            continue;
        }
        let places: Vec<u32> = (0..).zip(ordered).filter(|(_, line)| line.sku.as_str() == what).map(|(place, _)| place).collect();
        let left: u32 = places.iter().map(|place| sendable.left[*place as usize]).sum();
        match places.as_slice() {
            [] => {
                let skus: Vec<&str> = ordered.iter().map(|line| line.sku.as_str()).collect();
                return Err(CommandError::Usage(format!(
                    "--line {text}: {} has no {what}; it has {}",
                    name_of(order),
                    skus.join(", ")
                )));
            }
            [place] => lines.push((*place, units)),
            // All of them go, or it is not clear which.
            _ if units == left => lines.extend(places.iter().map(|place| (*place, sendable.left[*place as usize]))),
            _ => {
                let numbers: Vec<String> = places.iter().map(|place| format!("#{}", place + 1)).collect();
                return Err(CommandError::Usage(format!(
                    "--line {text}: {what} stands in the lines {}, with other words on it; write which, such as '#{}={units}'",
                    numbers.join(" and "),
                    places[0] + 1
                )));
            }
        }
    }
    Ok(lines)
}

fn plan(order: &Order, sendable: &Sendable, lines: &[(u32, u32)], is_json: bool) -> Result<(), CommandError> {
    if sendable.is_restocked {
        return Err(refused(order, Refusal::AlreadyRestocked.into()));
    }
    if order.state != OrderState::Placed || order.paid_at.is_none() {
        return Err(refused(order, Refusal::WrongState.into()));
    }
    if order.erased_at.is_some() {
        return Err(refused(order, Refusal::Erased.into()));
    }
    let all: Vec<(u32, u32)> = (0..).zip(sendable.left.iter().copied()).filter(|(_, left)| *left > 0).collect();
    let lines = if lines.is_empty() { all } else { lines.to_vec() };
    if lines.is_empty() {
        return Err(refused(order, Refusal::NothingLeft.into()));
    }
    let mut told = Vec::new();
    for (place, units) in &lines {
        let (line, left) = (&order.quote.priced.lines[*place as usize], sendable.left[*place as usize]);
        if *units > left {
            return Err(refused(order, Refusal::MoreUnitsThanLeft { sku: line.sku.clone(), left }.into()));
        }
        told.push((line, units));
    }
    let rows: Vec<_> = told.iter().map(|(line, units)| json!({"sku": line.sku, "quantity": units})).collect();
    let words: Vec<String> = told.iter().map(|(line, units)| format!("{units} × {}", line.sku)).collect();
    let name = name_of(order);
    done(is_json, &json!({"order": name, "lines": rows, "done": false}), &format!("would send {} of {name}", words.join(", ")));
    Ok(())
}

fn refused(order: &Order, error: StoreError) -> CommandError {
    let name = name_of(order);
    CommandError::Usage(match error {
        StoreError::Refused(Refusal::WrongState) => match (order.state, order.paid_at) {
            (OrderState::Canceled, _) => format!("{name} is canceled, so nothing of it is sent"),
            _ => format!("{name} is not paid, so nothing of it is sent; `vitrine orders show {name}` tells how it stands"),
        },
        StoreError::Refused(Refusal::AlreadyRestocked) => {
            format!("the units of {name} were put back into stock with a refund, so none of them is sent")
        }
        StoreError::Refused(Refusal::AllRefunded) => {
            format!("all the money of {name} went back, so nothing of it is sent; --even-if-refunded sends it all the same")
        }
        StoreError::Refused(Refusal::Erased) => format!("{name}: {}", Refusal::Erased),
        StoreError::Refused(Refusal::NothingLeft) => format!("all of {name} is sent; `vitrine orders show {name}` tells when"),
        StoreError::Refused(Refusal::MoreUnitsThanLeft { sku, left: 0 }) => format!("all {sku} of {name} are sent already"),
        StoreError::Refused(Refusal::MoreUnitsThanLeft { sku, left }) => {
            format!("of {sku} in {name} only {left} can still be sent; write --line {sku}={left}")
        }
        StoreError::Refused(Refusal::KeyTaken) => {
            "this --key was used for something else; write another, or what was written the first time".to_owned()
        }
        other => return failed(other),
    })
}

pub(super) fn undo(store: &Store, wish: &Undo, is_json: bool, now: Timestamp) -> Result<(), CommandError> {
    let id = &wish.fulfilment;
    let unknown =
        || CommandError::Usage(format!("there is no fulfilment `{id}`; `vitrine orders show ORDER` prints their names"));
    let known = wait_for(store.fulfillment(id))?.map_err(failed)?.ok_or_else(unknown)?;
    let act = Act::Unfulfil { order: known.order, id: id.clone(), even_if_told: wish.even_if_told };
    let done_now = wait_for(store.act(COMMAND, None, act, now))?.map_err(|error| other_than_told(store, id, error))?;
    let undone = done_now.fulfillment.ok_or_else(unknown)?;
    let told = wait_for(store.letter_sent_at(LetterKind::Sent, id))?.map_err(failed)?;
    let letter = told.map_or(String::new(), |at| format!("; the customer was told at {} that it is on its way", instant(at)));
    let answer = json!({"fulfillment": undone, "customer_told_at": told.map(instant)});
    done(is_json, &answer, &format!("{id} is taken back, its units can be sent again{letter}"));
    Ok(())
}

fn other_than_told(store: &Store, id: &str, error: StoreError) -> CommandError {
    let StoreError::Refused(Refusal::CustomerTold) = error else { return failed(error) };
    let at = wait_for(store.letter_sent_at(LetterKind::Sent, id)).ok().and_then(Result::ok).flatten();
    let when = at.map_or_else(|| "is being told right now".to_owned(), |at| format!("was told at {}", instant(at)));
    CommandError::Usage(format!(
        "the customer {when} that it is on its way; write --even-if-told, and tell them yourself that it is not"
    ))
}

/// One line about what was sent.
pub(super) fn summary(sent: &Fulfillment) -> String {
    let mut words: Vec<String> = sent.lines.iter().map(|line| format!("{} × {}", line.quantity, line.sku)).collect();
    let Parcel { carrier, tracking, url } = &sent.parcel;
    words.extend([carrier, tracking, url].into_iter().filter(|text| !text.is_empty()).map(|text| printable(text)));
    format!("{} ({})", words.join(", "), sent.id)
}
