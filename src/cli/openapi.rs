//! `vitrine openapi`: the HTTP contracts on stdout.

use super::CommandError;
use crate::edge::openapi::{DOCUMENT, SERVICES};

/// Prints OpenAPI 3.1 as JSON.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What the shop's own services answer to the edge (`[pricing]`), instead of what the edge answers
    #[arg(long)]
    services: bool,
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    print!("{}", if args.services { SERVICES } else { DOCUMENT });
    Ok(())
}
