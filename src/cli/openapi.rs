//! `vitrine openapi`: the HTTP contract on stdout.

use super::CommandError;
use crate::edge::openapi::DOCUMENT;

/// Prints OpenAPI 3.1 as JSON.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: Args) -> Result<(), CommandError> {
    print!("{DOCUMENT}");
    Ok(())
}
