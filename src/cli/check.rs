//! `vitrine check`: everything that can be wrong before publishing, without touching what is published.

use std::path::PathBuf;

use super::source::{self, Source};
use super::{CommandError, build};
use crate::site::check::{Written, one_price};
use crate::site::plan::plan;
use crate::site::problem::{Problem, Problems};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shop's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,
    /// Origin of the shop instead of the one in site.toml
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The instant that decides which products and sales hold [default: SOURCE_DATE_EPOCH, else now]
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    let at = source::as_of(args.as_of.as_deref())?;
    let folder = source::state(&args.source).join("check");
    let out = folder.join("public");
    let mut outcome = build::build(&build::Args {
        source: args.source.clone(),
        out: Some(out.clone()),
        bundle: Some(folder.join("shop.bundle")),
        base_url: args.base_url.clone(),
        drafts: false,
        // The same instant for the build and for the prices it is held against.
        as_of: Some(jiff::Timestamp::from_second(at.0).map_err(|error| CommandError::Usage(error.to_string()))?.to_string()),
        stock: None,
        no_cache: false,
        threads: None,
        report: None,
    })?;
    if let Some(source) =
        Source::read(&args.source, args.base_url.as_deref(), Some(&source::cache(&args.source)), &mut Problems::new())
        && outcome.built.is_some()
    {
        let plan = plan(&source.loaded, &source.config.rules, &source.config.build, at, false);
        let catalog = &source.loaded.catalog;
        let written = Written { folder: &out, plan: &plan, catalog, rules: &source.config.rules, at };
        for fault in one_price(&written) {
            outcome.problems.push(Problem::about("", fault.to_string()).hint("a page and a cart have to say the same price"));
        }
    }
    source::tell(&outcome.problems)?;
    if args.strict && !outcome.problems.all().is_empty() {
        return Err(CommandError::Content);
    }
    let pages = outcome.built.map_or(0, |built| built.pages);
    eprintln!("  nothing is wrong: {pages} pages, every price on them is the one a cart would charge");
    Ok(())
}
