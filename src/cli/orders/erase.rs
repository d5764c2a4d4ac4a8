//! Whoever bought is taken out: what would be, whether it shall be, and what keeps it from being done.

use serde_json::json;

use super::super::CommandError;
use super::super::stock::{failed, wait_for};
use super::refund::confirmed;
use super::{done as tell, found, name_of};
use crate::commerce::ids::{CheckoutId, Timestamp};
use crate::store::desk::Act;
use crate::store::operators::COMMAND;
use crate::store::people::{Kept, KeptOrder, Obstacle};
use crate::store::{Refusal, Store, StoreError};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The number that people read aloud, or the order's id
    #[arg(required_unless_present = "email", conflicts_with = "email")]
    order: Option<String>,
    /// Everything that names this address, checkouts that never became an order among it
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(store: &Store, wish: &Args, is_json: bool, now: Timestamp) -> Result<(), CommandError> {
    let wanted = match (&wish.order, &wish.email) {
        (Some(order), _) => vec![found(store, order)?.checkout],
        (None, email) => wait_for(store.checkouts_of(email.as_deref().unwrap_or_default()))?.map_err(failed)?,
    };
    let (mut open, mut refused) = (Vec::new(), Vec::new());
    for checkout in &wanted {
        let Some(kept) = wait_for(store.kept(checkout))?.map_err(failed)? else { continue };
        match wait_for(store.check_erasable(checkout, now))? {
            Ok(()) => open.push(kept),
            Err(StoreError::Refused(Refusal::UnderWay { obstacle })) => refused.push((kept, obstacle)),
            Err(error) => return Err(failed(error)),
        }
    }
    if open.is_empty() && refused.is_empty() {
        tell(is_json, &told(&open, &refused, None), "nothing is kept that names that address");
        return Ok(());
    }
    if wish.dry_run {
        for kept in &open {
            if !is_json {
                eprintln!("would erase whoever bought from {}{}", names(kept), unsent(kept));
            }
        }
    } else {
        let question = format!("erase whoever bought from {}, for ever?", open.iter().map(names).collect::<Vec<_>>().join("; "));
        if !open.is_empty() && !wish.yes && !confirmed(&question)? {
            return Err(CommandError::Usage("nothing was done".to_owned()));
        }
        let (mut still, mut failure) = (Vec::new(), None);
        for kept in open {
            let act = Act::Erase { checkout: kept.checkout.clone() };
            match wait_for(store.act(COMMAND, None, act, now))? {
                Ok(_) => still.push(kept),
                // It came between.
                Err(StoreError::Refused(Refusal::UnderWay { obstacle })) => refused.push((kept, obstacle)),
                Err(error) => {
                    // What is erased by now is to stand nowhere all the same.
                    failure = Some(failed(error));
                    break;
                }
            }
        }
        if let Some(failure) = failure {
            wait_for(store.empty_log())?.map_err(failed)?;
            return Err(failure);
        }
        open = still;
        for kept in open.iter().filter(|_| !is_json) {
            eprintln!("whoever bought is erased from {}", names(kept));
        }
    }
    let is_gone = match wish.dry_run || open.is_empty() {
        true => None,
        false => Some(wait_for(store.empty_log())?.map_err(failed)?),
    };
    if is_json {
        println!("{:#}", told(&open, &refused, is_gone));
    }
    if is_gone == Some(false) {
        eprintln!("the log beside the file is being read and may still hold the old words; do this once more in a while");
    }
    for (kept, obstacle) in refused.iter().filter(|_| !is_json) {
        eprintln!("not erased: {}: {obstacle}", names(kept));
    }
    if refused.is_empty() { Ok(()) } else { Err(CommandError::Content) }
}

/// For programs. `is_gone`: whether it stands nowhere on the disk any more; none where nothing was done.
fn told(open: &[Kept], refused: &[(Kept, Obstacle)], is_gone: Option<bool>) -> serde_json::Value {
    let of = |kept: &Kept| json!({"checkout": kept.checkout, "orders": orders(kept)});
    let why = |(kept, obstacle): &(Kept, Obstacle)| json!({"checkout": kept.checkout, "orders": orders(kept), "why": obstacle.to_string()});
    json!({
        "erased": open.iter().map(of).collect::<Vec<_>>(), "refused": refused.iter().map(why).collect::<Vec<_>>(),
        "done": is_gone.is_some(), "overwritten": is_gone,
    })
}

fn orders(kept: &Kept) -> Vec<&str> {
    kept.orders.iter().map(|one| name_of(&one.order)).collect()
}

fn names(kept: &Kept) -> String {
    match orders(kept)[..] {
        [] => format!("the checkout {}", CheckoutId::as_str(&kept.checkout)),
        ref orders => format!("order {}", orders.join(", ")),
    }
}

/// What can be sent to nobody afterwards.
fn unsent(kept: &Kept) -> &'static str {
    let waits = |one: &KeptOrder| {
        let sent: u64 = one.fulfillments.iter().filter(|one| one.undone_at.is_none()).map(|one| one.units()).sum();
        let ordered: u64 = one.order.quote.priced.lines.iter().map(|line| u64::from(line.quantity)).sum();
        one.order.paid_at.is_some() && one.order.erased_at.is_none() && one.refunds.is_empty() && sent < ordered
    };
    if kept.orders.iter().any(waits) { "; it is paid, and not all of it is written as sent" } else { "" }
}
