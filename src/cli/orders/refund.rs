//! Money back: what would be done, whether it shall be, and the promise that the edge keeps.

use std::io::{BufRead, IsTerminal, Write};

use serde_json::json;

use super::super::CommandError;
use super::super::stock::{failed, wait_for};
use super::{done as tell, found, name_of, one_line, when};
use crate::commerce::fulfillment::Fulfillment;
use crate::commerce::ids::Timestamp;
use crate::commerce::money::Money;
use crate::commerce::order::Order;
use crate::store::desk::Act;
use crate::store::operators::COMMAND;
use crate::store::refunds::{AskRefund, RefundProblem};
use crate::store::{Refusal, Store, StoreError};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The number that people read aloud, or the order's id
    order: String,
    /// How much, such as 12.50 [default: all that is left]
    #[arg(long)]
    amount: Option<String>,
    /// Why, for the customer: it stands in the mail
    #[arg(long, default_value = "")]
    reason: String,
    /// For the house
    #[arg(long, default_value = "")]
    note: String,
    /// Put the order's units back into stock, as they are back in the house
    #[arg(long)]
    restock: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(store: &Store, wish: &Args, is_json: bool, now: Timestamp) -> Result<(), CommandError> {
    let (reason, note) = (one_line("--reason", &wish.reason)?, one_line("--note", &wish.note)?);
    let order = found(store, &wish.order)?;
    let name = name_of(&order);
    let nothing = || {
        let hint = match order.placed_at {
            Some(_) => format!("; `vitrine orders cancel {name}` lets held money go"),
            None => String::new(),
        };
        CommandError::Usage(format!("nothing was taken for {name}, so nothing can go back{hint}"))
    };
    let refundable = wait_for(store.refundable(&order.id))?.map_err(failed)?.ok_or_else(nothing)?;
    let left = refundable.left();
    let too_much = |left: Money| match left.minor {
        0 => {
            CommandError::Usage(format!("all of {name} went back already, or is on its way; `vitrine orders show {name}` tells"))
        }
        _ => CommandError::Usage(format!(
            "of {name} at most {left} can still go back; write --amount {}",
            left.to_decimal_string()
        )),
    };
    let amount = refundable.plan(wish.amount.as_deref(), wish.restock).map_err(|problem| match problem {
        RefundProblem::MoreThanLeft { left } => too_much(left),
        RefundProblem::AlreadyRestocked => {
            CommandError::Usage(format!("the units of {name} were put back into stock before; leave --restock out"))
        }
        problem @ RefundProblem::NotAnAmount { .. } => {
            CommandError::Usage(format!("--amount {}: {problem}", wish.amount.as_deref().unwrap_or_default()))
        }
    })?;
    let away = units_away(store, &order)?;
    let restocked = match (wish.restock, away) {
        (false, _) => String::new(),
        (true, 0) => " and put its units back".to_owned(),
        (true, away) => format!(" and put its units back, of which {away} left the house"),
    };
    let plan = format!(
        "{amount} of {name} ({} taken, {} back so far) by {}{restocked}",
        refundable.captured, refundable.refunded, refundable.gateway
    );
    if wish.dry_run {
        let told = json!({"order": name, "amount": amount, "left": left, "restock": wish.restock, "units_away": away,
            "gateway": refundable.gateway, "done": false});
        tell(is_json, &told, &format!("would give back {plan}"));
        return Ok(());
    }
    if !wish.yes && !confirmed(&format!("give back {plan}?"))? {
        return Err(CommandError::Usage("nothing was done".to_owned()));
    }
    let ask = AskRefund {
        id: crate::edge::perform::new_id(),
        order: order.id.clone(),
        amount_minor: Some(amount.minor),
        reason,
        note,
        restocks: wish.restock,
        now,
    };
    let done = wait_for(store.act(COMMAND, None, Act::Refund(ask), now))?.map_err(|error| match error {
        StoreError::Refused(Refusal::MoreThanLeft { left }) => too_much(left),
        other => failed(other),
    })?;
    let refund = done.refund.ok_or_else(|| CommandError::World("the store gave no refund".to_owned()))?;
    let when = when(store, now)?;
    let told = json!({"order": name, "refund": refund.id, "amount": amount, "state": refund.state, "when": when, "done": true});
    tell(is_json, &told, &format!("refund {} of {amount} is promised: {when}", refund.id));
    Ok(())
}

/// Units of an order that left the house.
fn units_away(store: &Store, order: &Order) -> Result<u64, CommandError> {
    let sent = wait_for(store.fulfillments(&order.id))?.map_err(failed)?;
    Ok(sent.iter().filter(|one| one.undone_at.is_none()).map(Fulfillment::units).sum())
}

/// Asks a person; a program has to say --yes.
pub(super) fn confirmed(question: &str) -> Result<bool, CommandError> {
    let world = |error: std::io::Error| CommandError::World(error.to_string());
    if !std::io::stdin().is_terminal() {
        return Err(CommandError::Usage(
            "nobody can be asked here; write --yes, or --dry-run to see what would be done".to_owned(),
        ));
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush().map_err(world)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(world)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
