//! `vitrine orders`: what was sold, read beside a running edge.

use super::stock::{failed, instant, open_existing, wait_for};
use super::{BesideEdge, CommandError};
use crate::commerce::order::{Order, OrderState};
use crate::store::OrderFilter;

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
        /// At most that many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// One order with its lines and totals
    Show {
        /// The number that people read aloud, or the order's id
        order: String,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum State {
    PendingPayment,
    Placed,
    Canceled,
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    let store = open_existing(&args.beside.store())?;
    match args.action {
        Action::List { state, limit } => {
            let filter = OrderFilter { state: state.map(State::of_order), limit };
            let orders = wait_for(store.orders(filter))?.map_err(failed)?;
            if args.json {
                return print_json(&orders);
            }
            if orders.is_empty() {
                eprintln!("there are no such orders");
            }
            for order in &orders {
                println!("{}", summary(order));
            }
        }
        Action::Show { order: name } => {
            let by_number = wait_for(store.order_by_number(&name))?.map_err(failed)?;
            let found = match by_number {
                Some(order) => Some(order),
                None => wait_for(store.order(&name.as_str().into()))?.map_err(failed)?,
            };
            let order = found.ok_or_else(|| CommandError::Usage(format!("there is no order `{name}`")))?;
            if args.json {
                return print_json(&order);
            }
            show(&order);
        }
    }
    Ok(())
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

fn summary(order: &Order) -> String {
    let number = order.number.as_deref().unwrap_or("-");
    let paid = if order.paid_at.is_some() { "paid" } else { "unpaid" };
    let state = order.state.name();
    let (made, total) = (instant(order.created_at), order.quote.total());
    format!("{number:<8} {state:<16} {paid:<7} {made}  {total:>14}  {}", printable(&order.quote.contact.email))
}

fn show(order: &Order) {
    println!("{}", summary(order));
    println!("id        {}", order.id);
    let address = &order.quote.address;
    let parts =
        [&address.name, &address.line1, &address.line2, &address.postal_code, &address.city, &address.region, &address.country];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).map(|part| printable(part)).collect();
    println!("to        {}", parts.join(", "));
    for line in &order.quote.priced.lines {
        println!("{:>5} × {:<24} {} {}  {}", line.quantity, line.sku, line.title, line.variant_title, line.total);
        for (key, value) in &line.properties {
            println!("          {}: {}", printable(key), printable(value));
        }
    }
    let totals = &order.quote.priced.totals;
    println!("subtotal  {}\ndiscount  {}\nshipping  {}", totals.subtotal, totals.discount, totals.shipping);
    println!("tax       {}\ntotal     {}", totals.tax, totals.total);
}

/// Shoppers' text without what a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}
