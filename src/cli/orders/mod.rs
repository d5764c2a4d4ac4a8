//! `vitrine orders`: what was sold, read and dealt with beside a running edge.
//!
//! Always  what moves money is written to the store and done by the edge; each action says what it did, or what to write instead.

use serde_json::json;

use super::CommandError;
use super::shelf::BesideEdge;
use super::stock::{failed, instant, wait_for};
use crate::commerce::fulfillment::{Fulfillment, FulfillmentState};
use crate::commerce::ids::Timestamp;
use crate::commerce::order::{Order, OrderState};
use crate::edge::desk::told::{LATE_SECONDS, advice};
use crate::store::desk::{Act, MAX_NOTE_BYTES as MAX_ORDER_NOTE_BYTES};
use crate::store::operators::COMMAND;
use crate::store::{OrderFilter, Refusal, Store, StoreError};

mod erase;
mod export;
mod fulfil;
mod person;
mod refund;
mod show;

/// Seconds after its last sign of life for which an edge is taken to live; it gives one every 15.
const LIVES_SECONDS: i64 = 45;
/// A note is a sentence, not a letter.
const MAX_NOTE_BYTES: usize = 500;

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
    /// The newest orders first
    List {
        /// In this state only
        #[arg(long, value_enum)]
        state: Option<State>,
        /// Paid, and sent so far only: what is to be packed is `unfulfilled` or `partly`
        #[arg(long, value_enum)]
        fulfilment: Option<Fulfilment>,
        /// At most that many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// One order with its lines and totals, all that happened to it, and what happens next
    Show {
        /// The number that people read aloud, or the order's id
        order: String,
    },
    /// What does not move on by itself, and what to do about each; exit code 1 where there is any
    Stuck,
    /// Give money back; the edge sends it
    Refund(refund::Args),
    /// Write that units of a paid order leave the house; the edge tells the customer
    #[command(alias = "fulfill")]
    Fulfil(fulfil::Args),
    /// Take a fulfilment back that had not left after all, while the customer was not told
    #[command(alias = "unfulfill")]
    Unfulfil(fulfil::Undo),
    /// Let the held money of a placed order go that is not paid yet; the edge does it, and the order is canceled then
    Cancel {
        /// The number that people read aloud, or the order's id
        order: String,
    },
    /// Write the confirmation once more, with the same Message-ID
    ResendMail {
        /// The number that people read aloud, or the order's id
        order: String,
    },
    /// Write a note about an order; it is shown with the order's history and nowhere else
    Note {
        /// The number that people read aloud, or the order's id
        order: String,
        /// What it says
        text: String,
    },
    /// Take a payment, an orphan, a refund or a withdrawal off the list of `stuck`, as you have dealt with it
    Resolve {
        /// Its name, as `stuck` prints it
        name: String,
        /// What was done, for the record
        #[arg(long)]
        note: String,
    },
    /// Print or write all that is kept of a person: checkouts, orders, payments, parcels, letters, notes
    Person(person::Args),
    /// Take whoever bought out of an order for ever, once nothing of it is under way; amounts, taxes and lines stay
    Erase(erase::Args),
    /// Print or write orders, their lines, refunds or taxes as CSV (RFC 4180) or JSON Lines, the oldest first
    Export(export::Args),
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Fulfilment {
    Unfulfilled,
    Partly,
    Wholly,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum State {
    PendingPayment,
    Placed,
    Canceled,
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    let store = args.beside.shelf()?.open_existing()?;
    let now = Timestamp(jiff::Timestamp::now().as_second());
    match args.action {
        Action::List { state, fulfilment, limit } => {
            let state = state.map(State::of_order);
            list(
                &store,
                OrderFilter { state, fulfillment: fulfilment.map(Fulfilment::state), limit, ..OrderFilter::default() },
                args.json,
            )
        }
        Action::Show { order } => show::run(&store, &found(&store, &order)?, args.json),
        Action::Stuck => stuck(&store, args.json, now),
        Action::Refund(wish) => refund::run(&store, &wish, args.json, now),
        Action::Fulfil(wish) => fulfil::run(&store, &wish, args.json, now),
        Action::Unfulfil(wish) => fulfil::undo(&store, &wish, args.json, now),
        Action::Cancel { order } => cancel(&store, &found(&store, &order)?, args.json, now),
        Action::ResendMail { order } => resend(&store, &found(&store, &order)?, args.json, now),
        Action::Resolve { name, note } => {
            let note = one_line("--note", &note)?;
            let act = Act::Resolve { order: None, subject: name.clone(), note: note.clone() };
            wait_for(store.act(COMMAND, None, act, now))?.map_err(|error| match error {
                StoreError::Refused(Refusal::NotFound) => CommandError::Usage(format!(
                    "nothing named `{name}` waits for a person; write a name as `vitrine orders stuck` prints it"
                )),
                other => failed(other),
            })?;
            done(args.json, &json!({"resolved": name, "note": note}), &format!("{name} is off the list"));
            Ok(())
        }
        Action::Note { order, text } => {
            let order = found(&store, &order)?;
            let text = text.trim();
            if text.is_empty() || text.len() > MAX_ORDER_NOTE_BYTES {
                return Err(CommandError::Usage(format!("a note is a text of at most {MAX_ORDER_NOTE_BYTES} bytes")));
            }
            let act = Act::Note { order: order.id.clone(), text: text.to_owned() };
            wait_for(store.act(COMMAND, None, act, now))?.map_err(failed)?;
            let name = name_of(&order);
            done(args.json, &json!({"order": name, "note": text}), &format!("the note is with {name}"));
            Ok(())
        }
        Action::Person(wish) => person::run(&store, &wish, args.json),
        Action::Erase(wish) => erase::run(&store, &wish, args.json, now),
        Action::Export(wish) => export::run(&store, &wish, args.json),
    }
}

/// An order of the list with how far it is sent.
#[derive(serde::Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    order: &'a Order,
    fulfillment: FulfillmentState,
}

fn list(store: &Store, filter: OrderFilter, is_json: bool) -> Result<(), CommandError> {
    let orders = wait_for(store.orders(filter))?.map_err(failed)?;
    let sent = wait_for(store.fulfillments_of(orders.iter().map(|order| order.id.clone()).collect()))?.map_err(failed)?;
    let of = |(order, sent): (_, &Vec<Fulfillment>)| Listed { order, fulfillment: FulfillmentState::of(order, sent) };
    let listed: Vec<Listed<'_>> = orders.iter().zip(&sent).map(of).collect();
    if is_json {
        return print_json(&listed);
    }
    if listed.is_empty() {
        eprintln!("there are no such orders");
    }
    for one in &listed {
        println!("{}", summary(one.order, one.fulfillment));
    }
    Ok(())
}

/// An order by its number or id.
pub(super) fn found(store: &Store, name: &str) -> Result<Order, CommandError> {
    let found = match wait_for(store.order_by_number(name))?.map_err(failed)? {
        Some(order) => Some(order),
        None => wait_for(store.order(&name.into()))?.map_err(failed)?,
    };
    found.ok_or_else(|| CommandError::Usage(format!("there is no order `{name}`; `vitrine orders list` prints their numbers")))
}

fn one_line(option: &str, text: &str) -> Result<String, CommandError> {
    let text = text.trim();
    if text.len() > MAX_NOTE_BYTES || text.chars().any(char::is_control) {
        return Err(CommandError::Usage(format!("{option} is one line of at most {MAX_NOTE_BYTES} bytes")));
    }
    Ok(text.to_owned())
}

/// What is said of work that the edge does.
fn when(store: &Store, now: Timestamp) -> Result<&'static str, CommandError> {
    let life = wait_for(store.life())?.map_err(failed)?;
    let lives = life.is_some_and(|life| !life.is_stopped && life.seen_at.plus_seconds(LIVES_SECONDS) >= now);
    Ok(if lives { "the running edge does it now" } else { "no edge runs on this file; it is done once one does" })
}

fn done(is_json: bool, told: &serde_json::Value, text: &str) {
    if is_json { println!("{told:#}") } else { eprintln!("{text}") }
}

fn name_of(order: &Order) -> &str {
    order.number.as_deref().unwrap_or(order.id.as_str())
}

fn cancel(store: &Store, order: &Order, is_json: bool, now: Timestamp) -> Result<(), CommandError> {
    let name = name_of(order);
    wait_for(store.act(COMMAND, None, Act::Void(order.id.clone()), now))?.map_err(|error| match error {
        StoreError::Refused(Refusal::WrongState) => CommandError::Usage(match (order.state, order.paid_at) {
            (OrderState::Placed, Some(_)) => {
                format!("{name} is paid; give the money back with `vitrine orders refund {name}`")
            }
            (OrderState::Placed, None) => format!("{name} has no held money; `vitrine orders show {name}` tells how it stands"),
            (OrderState::PendingPayment, _) => {
                format!("{name} is not placed; it ends by itself once its time is over")
            }
            (OrderState::Canceled, _) => format!("{name} is canceled already"),
        }),
        other => failed(other),
    })?;
    let when = when(store, now)?;
    done(is_json, &json!({"order": name, "void": "asked", "when": when}), &format!("the held money of {name} is let go: {when}"));
    Ok(())
}

fn resend(store: &Store, order: &Order, is_json: bool, now: Timestamp) -> Result<(), CommandError> {
    let name = name_of(order);
    wait_for(store.act(COMMAND, None, Act::Confirm(order.id.clone()), now))?.map_err(|error| match error {
        StoreError::Refused(Refusal::WrongState) => {
            CommandError::Usage(format!("{name} is not paid, so there is no confirmation to send"))
        }
        StoreError::Refused(Refusal::Erased) => CommandError::Usage(format!("{name}: {}", Refusal::Erased)),
        other => failed(other),
    })?;
    let when = when(store, now)?;
    let to = printable(&order.quote.contact.email);
    done(
        is_json,
        &json!({"order": name, "mail": "queued", "to": to, "when": when}),
        &format!("the confirmation goes to {to} again: {when}"),
    );
    Ok(())
}

fn stuck(store: &Store, is_json: bool, now: Timestamp) -> Result<(), CommandError> {
    let rows = wait_for(store.stuck(now.plus_seconds(-LATE_SECONDS), u32::MAX))?.map_err(failed)?.rows;
    if is_json {
        let told = rows.iter().map(|row| {
            json!({
                "kind": row.kind, "name": row.subject, "order": row.order, "since": instant(row.since), "reason": row.reason,
                "advice": advice(&row.kind),
            })
        });
        print_json(&told.collect::<Vec<_>>())?;
        return if rows.is_empty() { Ok(()) } else { Err(CommandError::Content) };
    }
    if rows.is_empty() {
        eprintln!("nothing is stuck");
        return Ok(());
    }
    for row in &rows {
        let order = row.order.as_deref().map_or(String::new(), |order| format!(", order {order}"));
        println!("{} {} since {}{order}", row.kind, printable(&row.subject), instant(row.since));
        println!("  why   {}", printable(&row.reason));
        println!("  do    {}", advice(&row.kind));
    }
    Err(CommandError::Content)
}

impl Fulfilment {
    fn state(self) -> FulfillmentState {
        match self {
            Self::Unfulfilled => FulfillmentState::Unfulfilled,
            Self::Partly => FulfillmentState::PartlyFulfilled,
            Self::Wholly => FulfillmentState::Fulfilled,
        }
    }
}

impl State {
    fn of_order(self) -> OrderState {
        match self {
            Self::PendingPayment => OrderState::PendingPayment,
            Self::Placed => OrderState::Placed,
            Self::Canceled => OrderState::Canceled,
        }
    }
}

fn print_json(value: &impl serde::Serialize) -> Result<(), CommandError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CommandError::World(error.to_string()))?;
    println!("{text}");
    Ok(())
}

fn summary(order: &Order, fulfillment: FulfillmentState) -> String {
    let number = order.number.as_deref().unwrap_or("-");
    let paid = match (order.paid_at, fulfillment) {
        (None, _) => "unpaid",
        (Some(_), FulfillmentState::Unfulfilled) => "paid",
        (Some(_), FulfillmentState::PartlyFulfilled) => "partly",
        (Some(_), FulfillmentState::Fulfilled) => "sent",
    };
    let state = order.state.name();
    let (made, total) = (instant(order.created_at), order.quote.total());
    let who = match order.erased_at {
        Some(at) => format!("erased {}", instant(at)),
        None => printable(&order.quote.contact.email),
    };
    format!("{number:<8} {state:<16} {paid:<7} {made}  {total:>14}  {who}")
}

/// Shoppers' text without what a terminal would obey.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}
