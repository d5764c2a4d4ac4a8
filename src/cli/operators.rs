//! `vitrine operators`: who may sign in to the operators' pages, and who did what.
//!
//! Always  a password is read from the terminal, without being shown, or from standard input; never from an argument, which every list of
//!         processes shows.

use std::io::{IsTerminal, Read};

use serde_json::json;

use super::CommandError;
use super::shelf::BesideEdge;
use super::stock::{failed, instant, wait_for};
use crate::commerce::ids::Timestamp;
use crate::edge::desk::password::{self, PASSWORD_MAX_BYTES};
use crate::store::operators::{Audited, COMMAND, Operator};
use crate::store::{Refusal, Store, StoreError};

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
    /// Make an operator; the password is asked for, or read from standard input
    Add {
        /// The name to sign in with
        name: String,
    },
    /// Everybody who can sign in, or could
    List,
    /// Keep an operator out, and end its sessions; what it did stays in the log
    Disable {
        /// The operator's name
        name: String,
    },
    /// Give an operator another password, and end its sessions; one who was kept out may sign in again
    Password {
        /// The operator's name
        name: String,
    },
    /// What was done on the pages and by commands, the newest first
    Audit {
        /// At most that many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    let shelf = args.beside.shelf()?;
    let now = Timestamp(jiff::Timestamp::now().as_second());
    match args.action {
        Action::Add { name } => {
            check(password::check_name(&name))?;
            // The first operator may be there before the first edge.
            let store = shelf.open_or_tell()?;
            if operators(&store)?.iter().any(|one| one.name == name) {
                return Err(there_is(&name));
            }
            let hash = asked(&name)?;
            wait_for(store.add_operator(&name, &hash, COMMAND, now))?.map_err(|error| match error {
                StoreError::Refused(Refusal::WrongState) => there_is(&name),
                other => failed(other),
            })?;
            done(args.json, &name, "added", &format!("{name} can sign in at /desk on the operators' listener"))
        }
        Action::List => list(&operators(&shelf.open_existing()?)?, args.json),
        Action::Disable { name } => {
            let store = shelf.open_existing()?;
            wait_for(store.disable_operator(&name, COMMAND, now))?.map_err(|error| missing(error, &name))?;
            done(args.json, &name, "disabled", &format!("{name} is kept out from now on"))
        }
        Action::Password { name } => {
            let store = shelf.open_existing()?;
            if operators(&store)?.iter().all(|one| one.name != name) {
                return Err(missing(Refusal::NotFound.into(), &name));
            }
            let hash = asked(&name)?;
            wait_for(store.set_password(&name, &hash, COMMAND, now))?.map_err(|error| missing(error, &name))?;
            done(args.json, &name, "password", &format!("{name} signs in with the new password from now on"))
        }
        Action::Audit { limit } => {
            let log = wait_for(shelf.open_existing()?.audit(None, None, limit))?.map_err(failed)?;
            audit(&log, args.json)
        }
    }
}

fn operators(store: &Store) -> Result<Vec<Operator>, CommandError> {
    wait_for(store.operators())?.map_err(failed)
}

fn check(fit: Result<(), password::Unfit>) -> Result<(), CommandError> {
    fit.map_err(|unfit| CommandError::Usage(unfit.to_string()))
}

fn there_is(name: &str) -> CommandError {
    CommandError::Usage(format!("there is an operator `{name}`; `vitrine operators password {name}` gives another password"))
}

fn missing(error: StoreError, name: &str) -> CommandError {
    match error {
        StoreError::Refused(Refusal::NotFound) => {
            CommandError::Usage(format!("there is no operator `{name}`; `vitrine operators list` prints their names"))
        }
        other => failed(other),
    }
}

/// Reads a password, and gives what is kept of it.
fn asked(name: &str) -> Result<String, CommandError> {
    let world = |error: std::io::Error| CommandError::World(format!("the password cannot be read: {error}"));
    let password = if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password(format!("Password for {name}: ")).map_err(world)?;
        if rpassword::prompt_password("Once more: ").map_err(world)? != first {
            return Err(CommandError::Usage("the two passwords are not the same; nothing was changed".to_owned()));
        }
        first
    } else {
        let mut text = String::new();
        std::io::stdin().lock().take(PASSWORD_MAX_BYTES as u64 + 3).read_to_string(&mut text).map_err(world)?;
        text.trim_end_matches(['\r', '\n']).to_owned()
    };
    check(password::check_password(name, &password))?;
    Ok(password::hash(&password))
}

fn done(is_json: bool, name: &str, what: &str, text: &str) -> Result<(), CommandError> {
    if is_json {
        println!("{:#}", json!({"operator": name, "done": what}))
    } else {
        eprintln!("{text}")
    }
    Ok(())
}

fn print(value: &impl serde::Serialize) -> Result<(), CommandError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CommandError::World(error.to_string()))?;
    println!("{text}");
    Ok(())
}

fn list(operators: &[Operator], is_json: bool) -> Result<(), CommandError> {
    if is_json {
        return print(&operators);
    }
    if operators.is_empty() {
        eprintln!("there are no operators; `vitrine operators add NAME` makes one");
    }
    for Operator { name, created_at, disabled_at, seen_at, .. } in operators {
        let state = match (disabled_at, seen_at) {
            (Some(at), _) => format!("kept out since {}", instant(*at)),
            (None, Some(at)) => format!("here at {}", instant(*at)),
            (None, None) => "not signed in".to_owned(),
        };
        println!("{name:<24} since {}  {state}", instant(*created_at));
    }
    Ok(())
}

fn audit(log: &[Audited], is_json: bool) -> Result<(), CommandError> {
    if is_json {
        return print(&log);
    }
    for one in log {
        let order = one.order.as_ref().map_or(String::new(), |order| format!(" order {order}"));
        let change = if one.before.is_empty() { String::new() } else { format!(" ({} → {})", one.before, one.after) };
        let text = format!("{} {}{order} {}{change}", one.action, one.subject, one.detail);
        println!("{}  {:<16} {}", instant(one.at), one.operator, super::orders::printable(&text));
    }
    Ok(())
}
