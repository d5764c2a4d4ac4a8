//! `vitrine webhooks`: how the merchant's own systems are told what happens to orders, beside a running edge.
//!
//! Owns    where subscribers' secrets come from: one variable each, in the environment alone.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::json;

use super::CommandError;
use super::shelf::BesideEdge;
use super::stock::{failed, instant, wait_for};
use crate::commerce::ids::Timestamp;
use crate::edge::perform::new_id;
use crate::edge::perform::subscribers::PATIENCE;
use crate::edge::perform::subscribers::message::{Message, Secret, secret_variable};
use crate::gateway::transport::Transport;
use crate::store::desk::Act;
use crate::store::fact::{Delivery, Present, SubscriberState};
use crate::store::operators::COMMAND;
use crate::store::{Refusal, Store, StoreError};
use crate::theme::bundle::Bundle;

/// Events that `show` and `replay --dry-run` print.
const SHOWN: u32 = 20;

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
    /// Every system: how far it is behind, its last error and its next try; those taken out of site.toml too
    List,
    /// One system, with the events that wait for it
    Show {
        /// Its name in site.toml
        name: String,
    },
    /// Send events again, from one on; a running edge begins within a second, else the next one does
    Replay {
        /// Its name in site.toml
        name: String,
        /// The number of the first event, as its `sequence` says; 1 for all that are kept
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        from: u64,
        /// Say what would be sent and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Send a signed `webhook.test` now and say what is answered; its secret comes from the environment
    Test {
        /// Its name in site.toml
        name: String,
    },
    /// Print a fresh secret as a line of an environment file
    Secret {
        /// Its name in site.toml
        name: String,
    },
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    if let Action::Secret { name } = &args.action {
        println!("{}={}", secret_variable(name), Secret::fresh());
        return Ok(());
    }
    let store = args.beside.shelf()?.open_existing()?;
    match args.action {
        Action::List => list(&store, args.json),
        Action::Show { name } => show(&store, &name, args.json),
        Action::Replay { name, from, dry_run } => replay(&store, &name, from, dry_run, args.json),
        Action::Test { name } => test(&store, &name, args.json),
        Action::Secret { .. } => Ok(()),
    }
}

/// The secrets in the environment, by the names of their variables.
///
/// Errors: a variable that is not of the form, by its name.
pub(super) fn secrets() -> Result<BTreeMap<String, Vec<Secret>>, CommandError> {
    let prefix = secret_variable("");
    let named = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok().filter(|name| name.starts_with(&prefix)));
    let mut secrets = BTreeMap::new();
    for variable in named {
        let found = secrets_of(&variable)?;
        secrets.insert(variable, found);
    }
    Ok(secrets)
}

/// Whether every webhook of a bundle has a secret, as an edge needs. On a developer's machine the events of one without wait.
///
/// Errors: the variable that is missing, by its name.
pub(super) fn check_secrets(bundle: &Bundle) -> Result<(), CommandError> {
    let lacks = |name: &str| std::env::var_os(secret_variable(name)).is_none();
    let Some(terms) = bundle.webhooks.iter().find(|terms| lacks(&terms.name)) else { return Ok(()) };
    let (name, variable) = (&terms.name, secret_variable(&terms.name));
    Err(CommandError::Usage(format!(
        "the shop tells `{name}` what happens to orders: set {variable} to its secret; `vitrine webhooks secret {name}` makes one"
    )))
}

fn secrets_of(variable: &str) -> Result<Vec<Secret>, CommandError> {
    let text = std::env::var(variable).map_err(|_| {
        CommandError::Usage(format!("{variable} is not set; without it nothing can be signed. The edge's environment has it"))
    })?;
    Secret::list(&text).map_err(|error| {
        CommandError::Usage(format!("{variable}: {error}; several are separated by commas. `vitrine webhooks secret` makes one"))
    })
}

fn states(store: &Store) -> Result<Vec<SubscriberState>, CommandError> {
    wait_for(store.subscribers(Present::All))?.map_err(failed)
}

fn state(store: &Store, name: &str) -> Result<SubscriberState, CommandError> {
    let states = states(store)?;
    let known: Vec<&str> = states.iter().map(|state| state.name.as_str()).collect();
    let message = match known.as_slice() {
        [] => format!("there is no webhook `{name}`; a running edge takes those of the bundle"),
        _ => format!("there is no webhook `{name}`; there are {}", known.join(", ")),
    };
    states.iter().find(|state| state.name == name).cloned().ok_or(CommandError::Usage(message))
}

fn list(store: &Store, json: bool) -> Result<(), CommandError> {
    let states = states(store)?;
    if json {
        return print(&json!(states));
    }
    if states.is_empty() {
        eprintln!("nobody is told; write [[webhooks]] into site.toml, build, and run the edge");
        return Ok(());
    }
    println!("{:<20} {:>8} {:>9} {:<21} {:<21} last error", "name", "next", "waiting", "oldest waits since", "next try");
    for state in &states {
        let at = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), instant);
        let SubscriberState { name, next_sequence, waiting, .. } = state;
        let (oldest, next_try) = (at(state.waiting_since), at(state.next_try_at));
        let gone = if state.removed_at.is_some() { "not in site.toml; its place is kept" } else { "" };
        let told = [gone, state.last_error.as_deref().unwrap_or("")];
        let told: Vec<&str> = told.into_iter().filter(|text| !text.is_empty()).collect();
        let told = if told.is_empty() { "-".to_owned() } else { told.join("; ") };
        println!("{name:<20} {next_sequence:>8} {waiting:>9} {oldest:<21} {next_try:<21} {told}");
    }
    Ok(())
}

fn show(store: &Store, name: &str, json: bool) -> Result<(), CommandError> {
    let state = state(store, name)?;
    let next = wait_for(store.deliveries_from(name, state.next_sequence, SHOWN))?.map_err(failed)?;
    if json {
        let mut shown = json!(state);
        shown["events_waiting"] = next.iter().map(told).collect();
        return print(&shown);
    }
    let at = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), instant);
    println!("name           {name}\nurl            {}\nevents         {}", state.url, state.events.join(", "));
    println!("known since    {}", instant(state.first_seen_at));
    if let Some(removed) = state.removed_at {
        println!("removed        {}; its place is kept", instant(removed));
    }
    println!("last accepted  {}", at(state.accepted_at));
    if let Some(since) = state.failing_since {
        println!("failing since  {} ({} tries of event {})", instant(since), state.tries, state.next_sequence);
        println!("last error     {}\nnext try       {}", state.last_error.as_deref().unwrap_or("-"), at(state.next_try_at));
    }
    let kept = state.first_kept.map_or_else(|| "none".to_owned(), |first| format!("{first} to {}", state.last_sequence));
    println!("events kept    {kept}\nwaiting        {}", state.waiting);
    print_events(&next, state.waiting);
    Ok(())
}

fn replay(store: &Store, name: &str, from: u64, dry_run: bool, json: bool) -> Result<(), CommandError> {
    state(store, name)?;
    while wait_for(store.number_facts(name))?.map_err(failed)? {}
    let state = state(store, name)?;
    if from >= state.next_sequence {
        return Err(CommandError::Usage(match state.next_sequence {
            1 => format!("`{name}` was sent nothing yet, so nothing can be sent again"),
            next => format!("`{name}` is sent event {next} next; --from goes back to 1 to {}", next - 1),
        }));
    }
    let Some(first) = state.first_kept.filter(|first| *first < state.next_sequence) else {
        return Err(CommandError::Usage(format!("of what `{name}` was sent nothing is kept: events are kept for 13 months")));
    };
    let begins = from.max(first);
    let events = wait_for(store.deliveries_from(name, begins, SHOWN))?.map_err(failed)?;
    let count = state.last_sequence + 1 - begins;
    if begins > from {
        eprintln!("events before {begins} are older than 13 months and not kept any more");
    }
    if !dry_run {
        let act = Act::Replay { subscriber: name.to_owned(), from: begins };
        let now = Timestamp(jiff::Timestamp::now().as_second());
        wait_for(store.act(COMMAND, None, act, now))?.map_err(|error| match error {
            StoreError::Refused(Refusal::WrongState) => CommandError::Usage(format!(
                "`{name}` was set to another event just now; look with `vitrine webhooks show {name}`"
            )),
            other => failed(other),
        })?;
    }
    if json {
        let events: Vec<_> = events.iter().map(told).collect();
        return print(&json!({"name": name, "from": begins, "count": count, "dry_run": dry_run, "events": events}));
    }
    println!("{} event(s) {} to {name}, from {begins} on", count, if dry_run { "would be sent" } else { "are sent again" });
    print_events(&events, count);
    Ok(())
}

fn test(store: &Store, name: &str, json: bool) -> Result<(), CommandError> {
    let state = state(store, name)?;
    let secrets = secrets_of(&secret_variable(name))?;
    let transport = Transport::new().map_err(CommandError::World)?;
    let now = Timestamp(jiff::Timestamp::now().as_second());
    let message = Message::test(&format!("webhook-test-{}", new_id()), name, now);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::World(error.to_string()))?;
    let started = Instant::now();
    let sent = runtime.block_on(message.send(&transport, &state.url, &secrets, now, PATIENCE));
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let answer = match &sent {
        Ok(status) => format!("accepted with {status}"),
        Err(failed) => format!("not accepted: {}", failed.error),
    };
    wait_for(store.act(COMMAND, None, Act::Tested { subscriber: name.to_owned(), answer }, now))?.map_err(failed)?;
    if json {
        let (status, error) = match &sent {
            Ok(status) => (Some(status.as_u16()), None),
            Err(failed) => (None, Some(&failed.error)),
        };
        print(&json!({"name": name, "accepted": sent.is_ok(), "status": status, "error": error, "milliseconds": milliseconds}))?;
    }
    match sent {
        Ok(_) if json => Ok(()),
        Ok(status) => {
            println!("{name} accepted it with {status} in {milliseconds} ms");
            Ok(())
        }
        Err(failed) => Err(CommandError::World(format!("{name} did not accept it after {milliseconds} ms: {}", failed.error))),
    }
}

fn told(event: &Delivery) -> serde_json::Value {
    json!({"sequence": event.sequence, "id": event.key, "type": event.kind, "at": event.at, "order": event.order_number})
}

fn print_events(events: &[Delivery], count: u64) {
    for Delivery { sequence, kind, at, order_number, key, .. } in events {
        println!("{sequence:>8}  {:<21} {kind:<16} {:<10} {key}", instant(*at), order_number.as_deref().unwrap_or("-"));
    }
    let rest = count.saturating_sub(events.len() as u64);
    if rest > 0 && !events.is_empty() {
        println!("{:>8}  and {rest} more", "");
    }
}

fn print(value: &serde_json::Value) -> Result<(), CommandError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CommandError::World(error.to_string()))?;
    println!("{text}");
    Ok(())
}
