//! Cli: one thin file per subcommand. Wires rooms together and prints; has no rules of its own.
//!
//! Always  people are spoken to on stderr, machines on stdout; exit codes: 0 done, 1 the shop's content or a check failed, 2 wrong
//!         usage, 3 the world failed (disk, network), 4 published, but caches were not told, 5 nothing is due.

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod build;
mod check;
mod diff;
mod edge;
mod import;
mod init;
mod keygen;
mod keys;
mod load;
mod log;
mod mail;
mod openapi;
mod operators;
mod orders;
mod pause;
mod plan;
mod prices;
mod publish;
mod recipe;
mod report;
mod serve;
mod shelf;
mod source;
mod stock;
mod store;
mod till;
mod webhooks;

/// A shop whose catalogue is static and whose cart is not.
#[derive(Debug, Parser)]
#[command(name = "vitrine", version, max_term_width = 110, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a sellable starter shop into a folder
    Init(init::Args),
    /// Build, watch, reload the browser and run the edge: a whole shop on http://127.0.0.1:8080
    Serve(serve::Args),
    /// Turn content into public/ for the CDN and shop.bundle for the edge
    Build(build::Args),
    /// Say everything that can be wrong before publishing
    Check(check::Args),
    /// Say what the last build changes beside an earlier one, and stop where that should be looked at
    Diff(diff::Args),
    /// Turn another shop's export into content
    Import(import::Args),
    /// Write down the prices that are asked now, for later reductions
    Prices(prices::Args),
    /// Put the last build on a bucket or folder, in an order that breaks no page; go back, verify, repair
    Publish(publish::Args),
    /// Write what stands around the shop: hosts before the edge, jobs that publish, machines that run the edge
    Recipe(recipe::Args),
    /// Run the cart and checkout server, or pause and resume its payments
    Edge(edge::Args),
    /// List and show orders, send them, give money back, cancel, export; say what is stuck
    Orders(orders::Args),
    /// Show, set and export stock
    Stock(stock::Args),
    /// List the letters to customers; print one as it would be sent
    Mail(mail::Args),
    /// Say who may sign in to the operators' pages, and who did what
    Operators(operators::Args),
    /// Show how the merchant's own systems are told what happens to orders; send again, send a test
    Webhooks(webhooks::Args),
    /// Copy the edge's file while it runs, and check it
    Store(store::Args),
    /// Say whether speed earns money: orders, carts given up, waiting and budgets of errors, over a period or an event
    Report(report::Args),
    /// Send shoppers to a running shop at a stated rate, and tell what that was like for them
    Load(load::Args),
    /// Say how many edges, connections and processors a peak needs, from what `vitrine load` has measured
    Plan(plan::Args),
    /// Print the HTTP contract as OpenAPI 3.1
    Openapi(openapi::Args),
    /// Make signing keys
    Keygen(keygen::Args),
}

/// The variable of an edge's state folder.
const STATE: &str = "VITRINE_STATE";
/// Where the state folder is unless told otherwise.
const STATE_FOLDER: &str = ".vitrine";

/// How a command fails. What was wrong is already on stderr when the variant has no text.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    /// The shop's content or a check failed; the problems were printed.
    #[error("")]
    Content,
    /// Wrong usage that clap cannot see.
    #[error("{0}")]
    Usage(String),
    /// Disk, network, another process.
    #[error("{0}")]
    World(String),
    /// It is published, and caches in front of it may still show what was there before.
    #[error("{0}")]
    Owed(String),
    /// There is nothing to do yet; it was said why.
    #[error("")]
    NotDue,
}

/// Makes the folder of keys, database and mails where it is missing.
fn state_folder(path: &Path) -> Result<(), CommandError> {
    std::fs::create_dir_all(path).map_err(|error| {
        let shown = path.display();
        CommandError::World(format!(
            "{shown} has to be a folder that can be written ({error}): keys, orders and mails are kept in it"
        ))
    })
}

/// Runs the command line and gives the process's exit code.
pub fn run() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Init(args) => init::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Build(args) => build::run(args),
        Command::Check(args) => check::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Import(args) => import::run(args),
        Command::Prices(args) => prices::run(args),
        Command::Publish(args) => publish::run(args),
        Command::Recipe(args) => recipe::run(args),
        Command::Edge(args) => edge::run(args),
        Command::Orders(args) => orders::run(args),
        Command::Stock(args) => stock::run(args),
        Command::Mail(args) => mail::run(args),
        Command::Operators(args) => operators::run(args),
        Command::Webhooks(args) => webhooks::run(args),
        Command::Store(args) => store::run(args),
        Command::Report(args) => report::run(args),
        Command::Load(args) => load::run(args),
        Command::Plan(args) => plan::run(args),
        Command::Openapi(args) => openapi::run(args),
        Command::Keygen(args) => keygen::run(args),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    let (text, code) = match &error {
        CommandError::Content => (String::new(), 1),
        CommandError::Usage(text) => (text.clone(), 2),
        CommandError::World(text) => (text.clone(), 3),
        CommandError::Owed(text) => (text.clone(), 4),
        CommandError::NotDue => (String::new(), 5),
    };
    if !text.is_empty() {
        eprintln!("error: {text}");
    }
    ExitCode::from(code)
}
