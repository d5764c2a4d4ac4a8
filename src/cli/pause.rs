//! `vitrine edge pause` and `resume`: new payments stop and begin again beside a running edge.

use super::CommandError;
use super::shelf::Shelf;
use super::stock::{failed, instant, wait_for};
use crate::commerce::ids::Timestamp;
use crate::store::desk::Act;
use crate::store::operators::COMMAND;
use crate::store::watch::Pause;

/// A reason is a sentence, not a letter.
const MAX_REASON_BYTES: usize = 500;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Stop something beside a running edge, within a second or so
    Pause {
        #[command(subcommand)]
        what: Pausing,
    },
    /// Let it begin again
    Resume {
        #[command(subcommand)]
        what: Resuming,
    },
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Pausing {
    /// No new payment begins: nothing is written or held for it, and shoppers read that card payments are interrupted and that they
    /// have not been charged. Carts, payments under way, webhooks, captures and recovery go on, and so do orders over nothing
    Payments {
        /// Why, for /readyz and the log; shoppers do not see it
        #[arg(long, default_value = "")]
        reason: String,
        /// Print JSON for programs
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Resuming {
    /// New payments begin again
    Payments {
        /// Print JSON for programs
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(action: Action, shelf: &Shelf) -> Result<(), CommandError> {
    let (is_json, told) = match action {
        Action::Pause { what: Pausing::Payments { reason, json } } => {
            let reason = reason.trim().to_owned();
            if reason.len() > MAX_REASON_BYTES || reason.chars().any(char::is_control) {
                let text = format!("--reason is one line of at most {MAX_REASON_BYTES} bytes");
                return Err(CommandError::Usage(text));
            }
            let store = shelf.open_existing()?;
            let now = Timestamp(jiff::Timestamp::now().as_second());
            let is_new = wait_for(store.act(COMMAND, None, Act::Pause { reason }, now))?.map_err(failed)?.is_changed;
            let pause = wait_for(store.watch())?.map_err(failed)?.pause;
            (json, Told { is_changed: is_new, pause })
        }
        Action::Resume { what: Resuming::Payments { json } } => {
            let store = shelf.open_existing()?;
            let now = Timestamp(jiff::Timestamp::now().as_second());
            let is_changed = wait_for(store.act(COMMAND, None, Act::Resume, now))?.map_err(failed)?.is_changed;
            (json, Told { is_changed, pause: None })
        }
    };
    told.print(is_json);
    Ok(())
}

/// How it stands now.
struct Told {
    is_changed: bool,
    pause: Option<Pause>,
}

impl Told {
    fn print(&self, is_json: bool) {
        if is_json {
            let told = serde_json::json!({
                "payments": if self.pause.is_some() { "paused" } else { "open" },
                "changed": self.is_changed,
                "reason": self.pause.as_ref().map(|pause| &pause.reason),
                "since": self.pause.as_ref().map(|pause| instant(pause.since)),
            });
            println!("{told}");
            return;
        }
        let Some(pause) = &self.pause else {
            let text = if self.is_changed { "new payments begin again" } else { "new payments were not paused; nothing changed" };
            eprintln!("{text}");
            return;
        };
        let first = if self.is_changed { "new payments are paused from now on" } else { "new payments were paused already" };
        eprintln!("{first} (since {})", instant(pause.since));
        if !pause.reason.is_empty() {
            eprintln!("  reason    {}", pause.reason);
        }
        eprintln!(
            "  shoppers  read that card payments are interrupted, that they have not been charged and that their cart is saved"
        );
        eprintln!("  operators see it in /readyz and as vitrine_payments_paused in /metrics");
        eprintln!("  goes on   carts, payments under way, webhooks, captures, mails, orders over nothing");
        eprintln!("  end it by `vitrine edge resume payments`");
    }
}
