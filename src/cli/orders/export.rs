//! `vitrine orders export`: orders as a table, page by page.
//!
//! Always  a page is written before the next one is read, so that a shop of any size is exported in little memory; a file has its name
//!         once it is whole. Orders are people's data: the file is for its owner alone.
//! Source  CSV: RFC 4180. Formulas: OWASP, "CSV Injection".

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::super::CommandError;
use super::super::stock::{failed, instant, wait_for};
use super::State;
use crate::commerce::fulfillment::{Fulfillment, FulfillmentState};
use crate::commerce::ids::Timestamp;
use crate::commerce::money::Money;
use crate::store::export::Exported;
use crate::store::{OrderFilter, Store};
use accounts::Taxes;

mod accounts;

/// Orders that are read at once.
const PAGE: u32 = 500;

/// The columns, in their order.
const COLUMNS: [&str; 40] = [
    "number",
    "id",
    "checkout",
    "state",
    "created_at",
    "placed_at",
    "paid_at",
    "market",
    "language",
    "email",
    "phone",
    "name",
    "line1",
    "line2",
    "postal_code",
    "city",
    "region",
    "country",
    "units",
    "lines",
    "coupons",
    "shipping_rate",
    "currency",
    "subtotal",
    "discount",
    "shipping",
    "shipping_discount",
    "tax",
    "total",
    "refunded",
    "tax_mode",
    "tax_country",
    "gateway",
    "reference",
    "card",
    "quote_hash",
    "fulfillment",
    "units_sent",
    "sent_at",
    "tracking",
];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What each row is about; for all but orders as they are read by bookkeeping
    #[arg(long, value_enum, default_value_t = What::Orders)]
    what: What,
    /// Written at this instant or later: 2026-12-01T08:00:00Z, or a day, which begins at midnight UTC
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    since: Option<Timestamp>,
    /// Written before this instant
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Timestamp>,
    /// In this state only
    #[arg(long, value_enum)]
    state: Option<State>,
    /// CSV by RFC 4180, or one JSON object a line
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Where to; only its owner may read it, and a file that is there is replaced [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// An order
    Orders,
    /// A line of an order
    Lines,
    /// A refund
    Refunds,
    /// A quarter, country and rate of tax
    Taxes,
}

impl What {
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Orders => &COLUMNS,
            Self::Lines => accounts::LINES,
            Self::Refunds => accounts::REFUNDS,
            Self::Taxes => accounts::TAXES,
        }
    }

    /// What is counted in the end.
    fn noun(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Lines => "lines",
            Self::Refunds => "refunds",
            Self::Taxes => "sums of taxes",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Csv,
    Jsonl,
}

/// An instant, or the day it begins with.
fn moment(text: &str) -> Result<Timestamp, String> {
    let at = text.parse::<jiff::Timestamp>().or_else(|_| format!("{text}T00:00:00Z").parse());
    let at = at.map_err(|_| "write an instant such as 2026-12-01T08:00:00Z, or a day such as 2026-12-01".to_owned())?;
    Ok(Timestamp(at.as_second()))
}

pub(super) fn run(store: &Store, args: &Args, is_json: bool) -> Result<(), CommandError> {
    if let (Some(since), Some(until)) = (args.since, args.until)
        && since >= until
    {
        let text = format!("--since {} is not before --until {}: no order can be between", instant(since), instant(until));
        return Err(CommandError::Usage(text));
    }
    let state = args.state.map(State::of_order);
    let filter = OrderFilter { state, limit: PAGE, since: args.since, until: args.until, fulfillment: None };
    let format = if is_json { Format::Jsonl } else { args.format };
    let Some(path) = &args.out else {
        return match write(store, filter, (args.what, format), std::io::stdout().lock()) {
            // Whoever reads has read enough.
            Err(Failed::Io(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written.map(drop).map_err(|error| error.told("standard output")),
        };
    };
    let wish = (args.what, format);
    let count = to_file(store, filter, wish, path).map_err(|error| error.told(&path.display().to_string()))?;
    eprintln!("{}: {count} {}", path.display(), args.what.noun());
    Ok(())
}

fn to_file(store: &Store, filter: OrderFilter, wish: (What, Format), path: &Path) -> Result<u64, Failed> {
    for_its_owner(path, |file| write(store, filter, wish, file))
}

/// Writes a file that only its owner may read; what was there before is replaced by the whole of it.
pub(super) fn for_its_owner<T>(path: &Path, write: impl FnOnce(&mut File) -> Result<T, Failed>) -> Result<T, Failed> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".part");
    let draft = PathBuf::from(draft);
    let written = begin(&draft).map_err(Failed::Io).and_then(|mut file| {
        let told = write(&mut file)?;
        file.sync_all()?;
        std::fs::rename(&draft, path)?;
        Ok(told)
    });
    if written.is_err() {
        // What could not be written whole is not left behind; that it was never made is no other failure.
        let _ = std::fs::remove_file(&draft);
    }
    written
}

fn begin(draft: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft)
}

/// Why an export was not written.
pub(super) enum Failed {
    Io(std::io::Error),
    Command(CommandError),
}

impl Failed {
    pub(super) fn told(self, place: &str) -> CommandError {
        match self {
            Self::Io(error) => CommandError::World(format!("{place}: {error}")),
            Self::Command(error) => error,
        }
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<csv::Error> for Failed {
    fn from(error: csv::Error) -> Self {
        Self::Io(error.into())
    }
}

/// Gives how many rows were written.
fn write(store: &Store, filter: OrderFilter, (what, format): (What, Format), to: impl Write) -> Result<u64, Failed> {
    let mut table = match format {
        Format::Csv => {
            let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(BufWriter::new(to));
            table.write_record(what.columns())?;
            Table::Csv(Box::new(table))
        }
        Format::Jsonl => Table::Jsonl(BufWriter::new(to)),
    };
    let columns = what.columns();
    let mut put = |cells: &[String]| table.write(columns, cells);
    let (mut count, mut after, mut taxes) = (0, 0, Taxes::of(filter.since, filter.until));
    // What is booked in a period may be of an order from before it.
    let filter = if what == What::Taxes { OrderFilter { since: None, until: None, ..filter } } else { filter };
    loop {
        let page = wait_for(store.export_page(filter, after)).map_err(Failed::Command)?;
        let page = page.map_err(|error| Failed::Command(failed(error)))?;
        let Some(last) = page.last() else { break };
        after = last.place;
        for row in &page {
            let rows = match what {
                What::Orders => vec![cells(row).to_vec()],
                What::Lines => accounts::lines(row),
                What::Refunds => accounts::refunds(row),
                What::Taxes => {
                    taxes.count(row);
                    Vec::new()
                }
            };
            count += rows.len() as u64;
            rows.iter().try_for_each(|cells| put(cells))?;
        }
    }
    let rows = taxes.rows();
    count += rows.len() as u64;
    rows.iter().try_for_each(|cells| put(cells))?;
    table.end()?;
    Ok(count)
}

enum Table<W: Write> {
    Csv(Box<csv::Writer<BufWriter<W>>>),
    Jsonl(BufWriter<W>),
}

impl<W: Write> Table<W> {
    fn write(&mut self, columns: &[&str], cells: &[String]) -> Result<(), Failed> {
        match self {
            Self::Csv(table) => table.write_record(cells.iter().map(|cell| harmless(cell).into_owned()))?,
            Self::Jsonl(lines) => {
                let object: serde_json::Map<String, serde_json::Value> =
                    columns.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), cell.as_str().into())).collect();
                writeln!(lines, "{}", serde_json::Value::Object(object))?;
            }
        }
        Ok(())
    }

    fn end(self) -> std::io::Result<()> {
        match self {
            Self::Csv(mut table) => table.flush(),
            Self::Jsonl(mut lines) => lines.flush(),
        }
    }
}

/// A cell that no spreadsheet takes for a formula. An amount below zero is none.
fn harmless(cell: &str) -> std::borrow::Cow<'_, str> {
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_amount(cell) {
        true => format!("'{cell}").into(),
        false => cell.into(),
    }
}

/// Such as `-4.03`.
fn is_amount(cell: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let (whole, minor) = digits.split_once('.').unwrap_or((digits, "0"));
    is_digits(whole) && is_digits(minor)
}

/// The cells of an order, one for each column. What is not known is empty.
fn cells(row: &Exported) -> [String; COLUMNS.len()] {
    let (order, quote) = (&row.order, &row.order.quote);
    let (address, priced, totals) = (&quote.address, &quote.priced, &quote.priced.totals);
    let at = |at: Option<Timestamp>| at.map_or_else(String::new, instant);
    let known = |text: &Option<String>| text.clone().unwrap_or_default();
    let money = |money: Money| money.to_decimal_string();
    let units: u64 = priced.lines.iter().map(|line| u64::from(line.quantity)).sum();
    let lines: Vec<String> = priced.lines.iter().map(|line| format!("{} × {}", line.quantity, line.sku)).collect();
    let coupons: Vec<&str> =
        priced.coupons.iter().filter(|coupon| coupon.result.is_ok()).map(|coupon| coupon.code.as_str()).collect();
    let sent = row.fulfillments.iter().filter(|one| one.undone_at.is_none());
    let tax_mode = serde_json::to_value(priced.tax_mode).ok().and_then(|mode| mode.as_str().map(str::to_owned));
    [
        known(&order.number),
        order.id.0.clone(),
        order.checkout.0.clone(),
        order.state.name().to_owned(),
        instant(order.created_at),
        at(order.placed_at),
        at(order.paid_at),
        quote.market.as_str().to_owned(),
        quote.language.clone(),
        quote.contact.email.clone(),
        quote.contact.phone.clone(),
        address.name.clone(),
        address.line1.clone(),
        address.line2.clone(),
        address.postal_code.clone(),
        address.city.clone(),
        address.region.clone(),
        address.country.clone(),
        units.to_string(),
        lines.join("; "),
        coupons.join("; "),
        priced.shipping.as_ref().map_or_else(String::new, |option| option.id.as_str().to_owned()),
        priced.currency.code().to_owned(),
        money(totals.subtotal),
        money(totals.discount),
        money(totals.shipping),
        money(totals.shipping_discount),
        money(totals.tax),
        money(totals.total),
        money(row.refunded),
        tax_mode.unwrap_or_default(),
        known(&priced.tax_country),
        known(&row.gateway),
        known(&row.reference),
        known(&row.card),
        quote.hash.clone(),
        FulfillmentState::of(order, &row.fulfillments).name().to_owned(),
        sent.clone().map(Fulfillment::units).sum::<u64>().to_string(),
        at(sent.clone().map(|one| one.created_at).max()),
        sent.map(|one| one.parcel.tracking.as_str()).filter(|number| !number.is_empty()).collect::<Vec<_>>().join("; "),
    ]
}
