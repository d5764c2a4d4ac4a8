//! `vitrine keygen`.

use super::CommandError;

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: Args) -> Result<(), CommandError> {
    Err(CommandError::World("not there yet".to_owned()))
}
