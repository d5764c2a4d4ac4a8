//! Promotions: content/promotions/*.toml, one coupon each.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::files;
use super::written::{Amount, Place, parse};
use crate::commerce::ids::{CategoryPath, CouponCode, MarketId, Slug};
use crate::commerce::money::Currency;
use crate::commerce::promotion::{Benefit, Promotion};
use crate::commerce::rules::Rules;
use crate::site::problem::{Problem, Problems, SourceFile};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: String,
    code: Spanned<String>,
    percentage: Option<Spanned<String>>,
    fixed: Option<Spanned<Amount>>,
    #[serde(default)]
    free_shipping: bool,
    minimum: Option<Spanned<Amount>>,
    #[serde(default)]
    markets: Vec<Spanned<String>>,
    #[serde(default)]
    products: Vec<String>,
    #[serde(default)]
    categories: Vec<String>,
    starts_at: Option<Spanned<String>>,
    ends_at: Option<Spanned<String>>,
    usage_limit: Option<u32>,
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

const FOLDER: &str = "content/promotions";

pub(super) fn read(root: &Path, rules: &Rules, problems: &mut Problems) -> Vec<Promotion> {
    let files = files(root, FOLDER, "toml", problems);
    let mut promotions: Vec<Promotion> = files.iter().filter_map(|file| promotion(file, rules, problems)).collect();
    promotions.sort_by(|one, other| one.id.cmp(&other.id));
    promotions
}

fn promotion(file: &SourceFile, rules: &Rules, problems: &mut Problems) -> Option<Promotion> {
    let id = Path::new(&*file.path).file_stem()?.to_string_lossy().into_owned();
    let written: Written = parse(file, &file.text, 0).map_err(|problem| problems.push(problem)).ok()?;
    let place = Place { file, offset: 0 };
    let before = problems.errors();
    let code = CouponCode::normal(written.code.get_ref());
    if !code.is_typable() {
        problems
            .push(place.problem(&written.code, "nobody can type this code").hint("write 1 to 40 letters, digits, `-` or `_`"));
    }
    let currency = rules.root_market().currency;
    let amounts = |own: &Option<Spanned<Amount>>, other: fn(&Other) -> &Option<Spanned<Amount>>, problems: &mut Problems| {
        let mut amounts: Vec<(Currency, i64)> = Vec::new();
        amounts.extend(own.as_ref().and_then(|amount| place.minor(amount, currency, problems)).map(|minor| (currency, minor)));
        for (code, values) in &written.other {
            let Some(currency) = Currency::from_code(code) else {
                let problem = Problem::about(&file.path, format!("`{code}` is not a currency of ISO 4217"));
                problems.push(problem);
                continue;
            };
            amounts.extend(
                other(values).as_ref().and_then(|amount| place.minor(amount, currency, problems)).map(|minor| (currency, minor)),
            );
        }
        amounts.sort();
        amounts
    };
    let fixed = amounts(&written.fixed, |other| &other.fixed, problems);
    let minimum_minor = amounts(&written.minimum, |other| &other.minimum, problems);
    let benefit = match (&written.percentage, fixed.is_empty(), written.free_shipping) {
        (Some(percentage), true, false) => place.percent(percentage, problems).map(Benefit::Percentage),
        (None, false, false) => Some(Benefit::Fixed(fixed)),
        (None, true, true) => Some(Benefit::FreeShipping),
        _ => {
            if problems.errors() == before {
                let problem = place.problem(&written.code, "a coupon gives one of percentage, fixed and free_shipping");
                problems.push(problem.hint("write percentage = \"10\", or fixed = \"5.00\", or free_shipping = true"));
            }
            None
        }
    };
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
        title: written.title,
        code,
        benefit: benefit?,
        minimum_minor,
        markets: written.markets.into_iter().map(|market| MarketId(market.into_inner())).collect(),
        products: written.products.into_iter().map(Slug::from).collect(),
        categories: written.categories.into_iter().map(CategoryPath::from).collect(),
        starts_at,
        ends_at,
        usage_limit: written.usage_limit,
        stacking_class: written.stacking_class.unwrap_or_else(|| "order".to_owned()),
        combines_with: written.combines_with,
    })
}
