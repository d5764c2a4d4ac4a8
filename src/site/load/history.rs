//! History: price-history.jsonl, and what it says of the prices that are struck out.
//!
//! Owns    the file's lines, and what is told where a struck price is not the one that the law asks for. What the law asks for is
//!         reckoned in `commerce::history`.
//! Always  the file is only ever added to.

use std::fs;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Loaded, text, written};
use crate::commerce::catalog::{Price, Product, Variant};
use crate::commerce::history::{PriceHistory, PriceStep};
use crate::commerce::ids::{MarketId, Sku, Timestamp};
use crate::commerce::money::{Currency, MAX_MINOR, Money};

use crate::commerce::rules::{ConsumerLaw, Rules};
use crate::site::problem::{Kind, Problem, Problems, SourceFile};

/// The file's name in a shop's folder.
pub const FILE: &str = "price-history.jsonl";

/// A line of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sku: String,
    market: String,
    currency: String,
    minor: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    reduced: bool,
    from: String,
}

/// Reads a file of that name; one that is not there is empty.
pub fn read(path: &Path, problems: &mut Problems) -> Vec<PriceStep> {
    let name = path.file_name().map_or_else(|| FILE.to_owned(), |name| name.to_string_lossy().into_owned());
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            problems.push(Problem::about(&name, format!("this file cannot be read: {error}")));
            return Vec::new();
        }
    };
    parse(&name, bytes, problems)
}

/// Reads the bytes of a file of that name.
pub fn parse(name: &str, bytes: Vec<u8>, problems: &mut Problems) -> Vec<PriceStep> {
    let Some(text) = text(name, bytes, problems) else { return Vec::new() };
    let lines: Vec<(usize, &str)> = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()).collect();
    let read: Vec<Result<PriceStep, Problem>> = lines.into_par_iter().map(|(number, line)| step(name, number, line)).collect();
    let keep = |found: Result<PriceStep, Problem>| found.map_err(|problem| problems.push(problem)).ok();
    read.into_iter().filter_map(keep).collect()
}

fn step(name: &str, number: usize, line: &str) -> Result<PriceStep, Problem> {
    let wrong = |text: &str, message: String, hint: &str| {
        let column = line.find(text).map_or(1, |at| line[..at].chars().count() + 1);
        Problem::about(name, message).on_line(number, column, text).hint(hint)
    };
    let parsed: Line = serde_json::from_str(line).map_err(|error| {
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        let example = r#"write {"sku":"LAMP","market":"eu","currency":"EUR","minor":1990,"from":"2026-01-31T09:00:00Z"}"#;
        Problem::about(name, written::unknown_key(message).0).on_line(number, error.column().max(1), line).hint(example)
    })?;
    let currency = Currency::from_code(&parsed.currency).ok_or_else(|| {
        wrong(
            &parsed.currency,
            format!("`{}` is not a currency of ISO 4217", parsed.currency),
            "write three letters, such as EUR",
        )
    })?;
    let from = written::instant(&parsed.from).ok_or_else(|| {
        wrong(&parsed.from, format!("`{}` is not a time", parsed.from), "write 2026-12-24 or 2026-12-24T18:00:00Z")
    })?;
    if !(0..=MAX_MINOR).contains(&parsed.minor) {
        let minor = parsed.minor.to_string();
        return Err(wrong(&minor, format!("`{minor}` is not a price"), "write whole minor units, such as 1990 for 19.90"));
    }
    let (sku, market) = (Sku::from(parsed.sku), MarketId::from(parsed.market));
    Ok(PriceStep { sku, market, currency, minor: parsed.minor, is_reduced: parsed.reduced, from })
}

/// Steps as lines of the file.
pub fn lines(steps: &[PriceStep]) -> String {
    let line = |step: &PriceStep| {
        let line = Line {
            sku: step.sku.to_string(),
            market: step.market.to_string(),
            currency: step.currency.code().to_owned(),
            minor: step.minor,
            reduced: step.is_reduced,
            from: jiff::Timestamp::from_second(step.from.0).unwrap_or(jiff::Timestamp::MAX).to_string(),
        };
        serde_json::to_string(&line).expect("plain data always serialises") + "\n"
    };
    steps.iter().map(line).collect()
}

/// Adds lines at the end of the file, in one piece; makes it where there is none.
///
/// Errors: those of the disk.
pub fn append(path: &Path, lines: &str) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut file = fs::File::options().read(true).append(true).create(true).open(path)?;
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    // Somebody who adds a line by hand may leave its end open.
    let start = if last == [b'\n'] { "" } else { "\n" };
    file.write_all(format!("{start}{lines}").as_bytes())?;
    file.sync_all()
}

/// Writes into the catalogue what was lowest before each reduction, where a market has to say it, and tells what is struck out above it.
/// A price is one per currency: where one market of it has to say it, all of its markets do, and the lowest of what was asked in any
/// counts.
pub fn apply(loaded: &mut Loaded, rules: &Rules, steps: Vec<PriceStep>, root: &Path, at: Timestamp, problems: &mut Problems) {
    let of_law = |currency: Currency| rules.markets.iter().any(|one| one.currency == currency && one.consumer_law.is_eu());
    let markets: Vec<(Currency, Vec<&MarketId>)> = {
        let mut currencies: Vec<Currency> = rules.markets.iter().map(|market| market.currency).collect();
        currencies.sort();
        currencies.dedup();
        let asked = |currency| rules.markets.iter().filter(move |market| market.currency == currency).map(|market| &market.id);
        currencies
            .into_iter()
            .filter(|currency| of_law(*currency))
            .map(|currency| (currency, asked(currency).collect()))
            .collect()
    };
    let history = PriceHistory::new(steps);
    Arc::make_mut(&mut loaded.catalog).set_priors(|sku, price| {
        match markets.iter().find(|(currency, _)| *currency == price.currency) {
            Some((_, markets)) => history.priors(sku.hash(), price, markets.iter().copied(), at),
            None => Vec::new(),
        }
    });
    let mut unknown: Vec<&Product> = Vec::new();
    for (product, notes) in loaded.catalog.products().iter().zip(&loaded.products).filter(|(product, _)| product.is_active(at)) {
        let prices = product.variants.iter().flat_map(|variant| variant.prices.iter().map(move |price| (variant, price)));
        for (variant, price) in prices.filter(|(_, price)| of_law(price.currency)) {
            let Some(struck) = price.written_at(at).compare_at else { continue };
            let known = price.prior.iter().rev().find(|prior| prior.from.is_none());
            match known {
                None if unknown.last().is_none_or(|last| last.slug != product.slug) => unknown.push(product),
                Some(prior) if price.compare_at_minor == Some(struck.minor) && struck.minor > prior.minor => {
                    let place = Place { root, file: &notes.source.file, line: notes.source.line };
                    problems.push(place.too_high(variant, price, Money::new(prior.minor, price.currency), at));
                }
                _ => {}
            }
        }
    }
    if let Some(first) = unknown.first() {
        let (are, others) = match unknown.len() {
            1 => ("is".to_owned(), String::new()),
            count => ("are".to_owned(), format!(" and {} others", count - 1)),
        };
        let message = format!(
            "`{}`{others} {are} reduced, and no price from before is known: the law of the market wants the lowest of 30 days struck out",
            first.slug
        );
        let hint = "run `vitrine prices record` at each publication; what was asked before can be written in by hand";
        let problem = Problem::about(FILE, message).of(Kind::Law).hint(hint);
        let is_strict = rules.markets.iter().any(|market| market.consumer_law == ConsumerLaw::EuStrict);
        problems.push(if is_strict { problem } else { problem.warning() });
    }
}

/// Where a product was written.
struct Place<'a> {
    root: &'a Path,
    file: &'a str,
    line: usize,
}

impl Place<'_> {
    fn too_high(&self, variant: &Variant, price: &Price, prior: Money, at: Timestamp) -> Problem {
        let unit = price.written_at(at).unit;
        let struck = Money::new(price.compare_at_minor.unwrap_or_default(), price.currency);
        let message =
            format!("`{}` is reduced from {struck}, and was sold for {prior} in the 30 days before the reduction", variant.sku);
        let lowest = prior.to_decimal_string();
        let hint = if prior > unit {
            format!("write compare_at = \"{lowest}\"")
        } else {
            format!("take `compare_at` out: {unit} is no reduction from {prior}")
        };
        // Read once more: problems are few, and the place of each value was not kept.
        let text = fs::read_to_string(self.root.join(self.file)).unwrap_or_default();
        let file = SourceFile::new(self.file, &text);
        let is_meant = |(at, _): &(usize, &str)| {
            let rest = text[at + "compare_at".len()..].trim_start_matches(|sign: char| !sign.is_ascii_digit());
            let amount: String = rest.chars().take_while(|sign| sign.is_ascii_digit() || *sign == '.').collect();
            Money::parse(&amount, price.currency).is_ok_and(|amount| amount == struck)
        };
        let found = text.match_indices("compare_at").filter(|(at, _)| file.line(*at) >= self.line).find(is_meant);
        let problem = match found {
            Some((at, word)) => Problem::at(&file, at..at + word.len(), message),
            None => Problem::about(self.file, message).on_line(self.line, 0, &struck.to_decimal_string()),
        };
        problem.hint(hint).of(Kind::Law)
    }
}
