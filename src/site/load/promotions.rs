//! Promotions: content/promotions/*.toml, one each.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::files;
use super::written::{Amount, Place, parse_known};
use crate::commerce::ids::{CategoryPath, CouponCode, MarketId, Slug};
use crate::commerce::money::{Currency, Percent};
use crate::commerce::problems::PromotionProblem;
use crate::commerce::promotion::{Benefit, BuyGet, Promotion, Tier, TierFrom, TierOff, Trigger};
use crate::commerce::rules::Rules;
use crate::site::problem::{Problem, Problems, SourceFile};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: Spanned<String>,
    code: Option<Spanned<String>>,
    percentage: Option<Spanned<String>>,
    fixed: Option<Spanned<Amount>>,
    #[serde(default)]
    free_shipping: bool,
    /// With `get`: units that are bought as they are.
    buy: Option<Spanned<u32>>,
    get: Option<Spanned<u32>>,
    /// What `get` counts; none: what the promotion covers.
    #[serde(default)]
    get_products: Vec<String>,
    #[serde(default)]
    get_categories: Vec<String>,
    times: Option<Spanned<u32>>,
    #[serde(default)]
    tiers: Vec<Spanned<WrittenTier>>,
    minimum: Option<Spanned<Amount>>,
    #[serde(default)]
    minimum_quantity: u32,
    #[serde(default)]
    markets: Vec<Spanned<String>>,
    #[serde(default)]
    products: Vec<String>,
    #[serde(default)]
    categories: Vec<String>,
    starts_at: Option<Spanned<String>>,
    ends_at: Option<Spanned<String>>,
    usage_limit: Option<u32>,
    per_customer: Option<u32>,
    #[serde(default)]
    first_order: bool,
    stacking_class: Option<String>,
    #[serde(default)]
    combines_with: Vec<String>,
    /// Amounts in other currencies: `other = { USD = { fixed = "5.00", minimum = "50.00" } }`.
    #[serde(default)]
    other: BTreeMap<String, Other>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Other {
    fixed: Option<Spanned<Amount>>,
    minimum: Option<Spanned<Amount>>,
}

/// One of `from` and `quantity`, and one of `percentage` and `fixed`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTier {
    from: Option<Spanned<Amount>>,
    quantity: Option<u32>,
    percentage: Option<Spanned<String>>,
    fixed: Option<Spanned<Amount>>,
    #[serde(default)]
    other: BTreeMap<String, OtherTier>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OtherTier {
    from: Option<Spanned<Amount>>,
    fixed: Option<Spanned<Amount>>,
}

const FOLDER: &str = "content/promotions";

pub(super) fn read(root: &Path, rules: &Rules, problems: &mut Problems) -> Vec<Promotion> {
    let files = files(root, FOLDER, "toml", problems);
    twins(&files, problems);
    let mut promotions: Vec<Promotion> = files.iter().filter_map(|file| promotion(file, rules, problems)).collect();
    promotions.sort_by(|one, other| one.id.cmp(&other.id));
    promotions
}

/// Files of one name in two folders: their uses would be counted as those of one promotion.
fn twins(files: &[SourceFile], problems: &mut Problems) {
    let mut known: BTreeMap<String, &SourceFile> = BTreeMap::new();
    for file in files {
        let Some(id) = id_of(file) else { continue };
        match known.get(&id) {
            Some(first) => {
                let message = format!("two promotions are called `{id}`, which is their file's name");
                let hint = format!("the other one is {}; give one of the files another name", first.path);
                problems.push(Problem::about(&file.path, message).hint(hint));
            }
            None => drop(known.insert(id, file)),
        }
    }
}

fn id_of(file: &SourceFile) -> Option<String> {
    Some(Path::new(&*file.path).file_stem()?.to_string_lossy().into_owned())
}

fn promotion(file: &SourceFile, rules: &Rules, problems: &mut Problems) -> Option<Promotion> {
    let id = id_of(file)?;
    let (before, mut found) = (problems.errors(), Vec::new());
    let written: Option<Written> = parse_known(file, &file.text, 0, &mut found);
    found.into_iter().for_each(|problem| problems.push(problem));
    let written = written?;
    let place = Place { file, offset: 0 };
    let mut reader = Reader { place, root: rules.root_market().currency, problems };
    let trigger = reader.trigger(&written);
    let minimum_minor = reader.amounts(written.minimum.as_ref(), &written.other, |other| other.minimum.as_ref());
    let benefit = reader.benefit(&written);
    for market in written.markets.iter().filter(|market| rules.market(&MarketId::from(market.get_ref().as_str())).is_none()) {
        problems.push(place.problem(market, format!("there is no market `{}`", market.get_ref())));
    }
    let starts_at = written.starts_at.as_ref().and_then(|text| place.instant(text, problems));
    let ends_at = written.ends_at.as_ref().and_then(|text| place.instant(text, problems));
    if problems.errors() > before {
        return None;
    }
    Some(Promotion {
        id,
        title: written.title.into_inner(),
        trigger,
        benefit: benefit?,
        minimum_minor,
        minimum_quantity: written.minimum_quantity,
        markets: written.markets.into_iter().map(|market| MarketId(market.into_inner())).collect(),
        products: slugs(written.products),
        categories: paths(written.categories),
        starts_at,
        ends_at,
        usage_limit: written.usage_limit,
        per_customer: written.per_customer,
        first_order: written.first_order,
        stacking_class: written.stacking_class.unwrap_or_else(|| "order".to_owned()),
        combines_with: written.combines_with,
    })
}

/// A problem of one promotion, or of two, at the file it is about.
pub(super) fn told(found: &PromotionProblem) -> Problem {
    let path = |id: &str| format!("{FOLDER}/{id}.toml");
    let (of, other) = found.promotions();
    let problem = Problem::about(&of.map_or_else(|| FOLDER.to_owned(), path), found.to_string());
    match other {
        Some(other) => problem.hint(format!("the other one is {}", path(other))),
        None => problem,
    }
}

fn slugs(written: Vec<String>) -> Vec<Slug> {
    written.into_iter().map(Slug::from).collect()
}

fn paths(written: Vec<String>) -> Vec<CategoryPath> {
    written.into_iter().map(CategoryPath::from).collect()
}

/// Reads the parts of one file; `root`: the currency of amounts that name none.
struct Reader<'a> {
    place: Place<'a>,
    root: Currency,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn trigger(&mut self, written: &Written) -> Trigger {
        let Some(typed) = &written.code else { return Trigger::Automatic };
        let code = CouponCode::normal(typed.get_ref());
        if !code.is_typable() {
            let problem = self.place.problem(typed, "nobody can type this code");
            self.problems.push(problem.hint("write 1 to 40 letters, digits, `-` or `_`"));
        }
        Trigger::Code(code)
    }

    /// An amount in the root market's currency, and those in others.
    fn amounts<T>(
        &mut self,
        own: Option<&Spanned<Amount>>,
        others: &BTreeMap<String, T>,
        of: impl Fn(&T) -> Option<&Spanned<Amount>>,
    ) -> Vec<(Currency, i64)> {
        let mut amounts: Vec<(Currency, i64)> = Vec::new();
        let mut take = |amount: Option<&Spanned<Amount>>, currency, problems: &mut Problems| {
            let minor = amount.and_then(|amount| self.place.minor(amount, currency, problems));
            amounts.extend(minor.map(|minor| (currency, minor)));
        };
        take(own, self.root, self.problems);
        for (code, values) in others {
            match Currency::from_code(code) {
                Some(currency) => take(of(values), currency, self.problems),
                None => {
                    let message = format!("`{code}` is not a currency of ISO 4217");
                    self.problems.push(Problem::about(&self.place.file.path, message));
                }
            }
        }
        amounts.sort();
        amounts
    }

    fn benefit(&mut self, written: &Written) -> Option<Benefit> {
        let before = self.problems.errors();
        let fixed = self.amounts(written.fixed.as_ref(), &written.other, |other| other.fixed.as_ref());
        let buys = written.buy.is_some() || written.get.is_some();
        let percentage = written.percentage.as_ref();
        let benefit = match (percentage, fixed.is_empty(), written.free_shipping, buys, written.tiers.is_empty()) {
            (Some(percentage), true, false, false, true) => self.percent(percentage).map(Benefit::Percentage),
            (None, false, false, false, true) => Some(Benefit::Fixed(fixed)),
            (None, true, true, false, true) => Some(Benefit::FreeShipping),
            (_, true, false, true, true) => self.buy_get(written).map(Benefit::BuyGet),
            (None, true, false, false, false) => self.tiers(&written.tiers).map(Benefit::Tiers),
            _ => {
                let message = "a promotion gives one of percentage, fixed, free_shipping, buy with get, and tiers";
                let hint = "write percentage = \"10\", or fixed = \"5.00\", or free_shipping = true, or buy = 2 and get = 1, or [[tiers]]";
                self.fault(&written.title, message, hint, before);
                None
            }
        };
        let has_own = !written.get_products.is_empty() || !written.get_categories.is_empty() || written.times.is_some();
        if has_own && !buys {
            let message = "get_products, get_categories and times belong to buy and get";
            self.fault(&written.title, message, "write buy = 2 and get = 1, or take them out", before);
        }
        if buys && written.minimum_quantity > 0 {
            let message = "minimum_quantity says nothing beside buy and get";
            self.fault(&written.title, message, "take it out: buy and get say how many units it needs", before);
        }
        benefit
    }

    /// A mistake of the whole, where no part of it has one.
    fn fault<T>(&mut self, at: &Spanned<T>, message: &str, hint: &str, before: usize) {
        if self.problems.errors() == before {
            self.problems.push(self.place.problem(at, message).hint(hint));
        }
    }

    fn percent(&mut self, text: &Spanned<String>) -> Option<Percent> {
        self.place.percent(text, self.problems)
    }

    fn buy_get(&mut self, written: &Written) -> Option<BuyGet> {
        let off = written.percentage.as_ref().map_or(Some(Percent::WHOLE), |percentage| self.percent(percentage));
        let buy = self.units(written, "buy", written.buy.as_ref());
        let get = self.units(written, "get", written.get.as_ref());
        let times = written.times.as_ref().map(|times| self.units(written, "times", Some(times)));
        Some(BuyGet {
            buy: buy?,
            get: get?,
            off: off?,
            products: slugs(written.get_products.clone()),
            categories: paths(written.get_categories.clone()),
            times: times.map_or(Some(None), |times| times.map(Some))?,
        })
    }

    fn units(&mut self, written: &Written, name: &str, units: Option<&Spanned<u32>>) -> Option<NonZeroU32> {
        let found = units.and_then(|units| NonZeroU32::new(*units.get_ref()));
        if found.is_none() {
            let hint = format!("write {name} = 1 or more");
            self.problems.push(match units {
                Some(units) => self.place.problem(units, format!("`{name}` is at least 1")).hint(hint),
                None => self.place.problem(&written.title, format!("`{name}` is missing")).hint(hint),
            });
        }
        found
    }

    fn tiers(&mut self, written: &[Spanned<WrittenTier>]) -> Option<Vec<Tier>> {
        let tiers: Vec<Option<Tier>> = written.iter().map(|tier| self.tier(tier)).collect();
        tiers.into_iter().collect()
    }

    fn tier(&mut self, spanned: &Spanned<WrittenTier>) -> Option<Tier> {
        let before = self.problems.errors();
        let written = spanned.get_ref();
        let value = self.amounts(written.from.as_ref(), &written.other, |other| other.from.as_ref());
        let fixed = self.amounts(written.fixed.as_ref(), &written.other, |other| other.fixed.as_ref());
        let from = match (written.quantity, value.is_empty()) {
            (Some(quantity), true) => Some(TierFrom::Quantity(quantity)),
            (None, false) => Some(TierFrom::Value(value)),
            _ => None,
        };
        let off = match (&written.percentage, fixed.is_empty()) {
            (Some(percentage), true) => self.percent(percentage).map(TierOff::Percentage),
            (None, false) => Some(TierOff::Fixed(fixed)),
            _ => None,
        };
        if from.is_none() || off.is_none() {
            let message = "a tier begins at one of from and quantity, and gives one of percentage and fixed";
            self.fault(spanned, message, "write from = \"50.00\" and percentage = \"5\", for example", before);
        }
        Some(Tier { from: from?, off: off? })
    }
}
