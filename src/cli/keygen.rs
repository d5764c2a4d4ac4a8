//! `vitrine keygen`: fresh signing keys as lines of an environment file.

use super::CommandError;
use super::keys::{ORIGIN_SECRETS, WrittenKeys, fresh_secret};

/// Prints to stdout, so that it can be piped into a secret store.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: Args) -> Result<(), CommandError> {
    let keys = WrittenKeys::fresh()?;
    eprintln!("The first line belongs to whoever builds, the second to every edge, the third to the edges alone.");
    eprintln!("The last one belongs to the edges and to what stands before them, where site.toml names a header for it.");
    eprintln!("To rotate VITRINE_TOKEN_KEYS, put a new `ID:SECRET,` in front and drop the old one after 30 days.");
    print!("{}", keys.to_lines());
    println!("{ORIGIN_SECRETS}={}", fresh_secret()?);
    Ok(())
}
