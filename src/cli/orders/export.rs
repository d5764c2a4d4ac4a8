//! Orders for other programs.
//!
//! Source  CSV: RFC 4180. JSON Lines: one order a line, as `list --json` prints it.

use std::io::Write;

use super::super::CommandError;
use super::super::stock::{failed, instant, wait_for};
use super::State;
use crate::commerce::ids::Timestamp;
use crate::commerce::order::Order;
use crate::store::{OrderFilter, Store};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// csv, or jsonl: one order a line with all it holds
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// In this state only
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Written on this day (UTC) or later, such as 2026-11-01
    #[arg(long, value_parser = day)]
    since: Option<Timestamp>,
    /// Written before this day (UTC)
    #[arg(long, value_parser = day)]
    until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Csv,
    Jsonl,
}

fn day(text: &str) -> Result<Timestamp, String> {
    let date: jiff::civil::Date = text.parse().map_err(|_| "write a day such as 2026-11-01".to_owned())?;
    let start = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|error| error.to_string())?;
    Ok(Timestamp(start.timestamp().as_second()))
}

const COLUMNS: [&str; 13] = [
    "number",
    "id",
    "state",
    "created_at",
    "placed_at",
    "paid_at",
    "email",
    "country",
    "currency",
    "subtotal",
    "shipping",
    "tax",
    "total",
];

pub(super) fn run(store: &Store, wish: &Args) -> Result<(), CommandError> {
    let filter = OrderFilter { state: wish.state.map(State::of_order), limit: u32::MAX, since: wish.since, until: wish.until };
    let mut orders = wait_for(store.orders(filter))?.map_err(failed)?;
    orders.reverse();
    let bytes = match wish.format {
        Format::Csv => csv(&orders).map_err(|error| CommandError::World(error.to_string()))?,
        Format::Jsonl => {
            let mut text = String::new();
            for order in &orders {
                text += &serde_json::to_string(order).map_err(|error| CommandError::World(error.to_string()))?;
                text.push('\n');
            }
            text.into_bytes()
        }
    };
    std::io::stdout().write_all(&bytes).map_err(|error| CommandError::World(error.to_string()))
}

fn csv(orders: &[Order]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    table.write_record(COLUMNS)?;
    for order in orders {
        let totals = &order.quote.priced.totals;
        let at = |instant_of: Option<Timestamp>| instant_of.map_or(String::new(), instant);
        let money = |money: crate::commerce::money::Money| money.to_decimal_string();
        table.write_record([
            order.number.clone().unwrap_or_default(),
            order.id.to_string(),
            order.state.name().to_owned(),
            instant(order.created_at),
            at(order.placed_at),
            at(order.paid_at),
            order.quote.contact.email.clone(),
            order.quote.address.country.clone(),
            totals.total.currency.code().to_owned(),
            money(totals.subtotal),
            money(totals.shipping),
            money(totals.tax),
            money(totals.total),
        ])?;
    }
    Ok(table.into_inner()?)
}
