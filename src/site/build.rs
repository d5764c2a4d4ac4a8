//! Build: the phases of a build in their order, timed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rayon::prelude::*;
use serde::Serialize;
use tera::Value;

use super::assets::{AssetError, AssetSet};
use super::costs::{self, PageCost, TemplateCost};
use super::facets::TooManyFacetPages;
use super::images::Workshop;
use super::keys::{Key, Keys, Remembered, RememberedReads, path_key};
use super::load::{Loaded, PageSource, now_ns};
use super::lock::{Busy, Lock};
use super::manifest::{Encoding, Entry};
use super::navigation::{editions, navigation};
use super::plan::{Addresses, Page, PageKind, Plan, plan, prefix};
use super::precompress::Press;
use super::problem::Problem;
use super::render::cards::{Cards, Offer};
use super::render::feeds::google::{self, GoogleFeed};
use super::render::feeds::sitemap;
use super::render::functions::{self, Desk};
use super::render::key::Shared;
use super::render::policy::{self, Policy};
use super::render::reads::reading;
use super::render::{PrintError, Printer, TextFaults, Ways, feeds};
use super::schedule::next_change_at;
use super::sealed::{BUNDLE, bundle};
use super::shown::{pictures_elsewhere, put, shared_picture};
use super::stopwatch::{Phase, Stopwatch};
use super::write::{Changes, Output, Put, WriteError};
use super::{BuildSettings, Shop, search};
use crate::commerce::ids::{Sku, Timestamp};
use crate::commerce::rules::Rules;
use crate::commerce::withdrawal::MIN_DAYS;
use crate::theme::bundle::services::{InventoryTerms, PricingTerms};
use crate::theme::bundle::{Bundle, FrontTerms, Keeper, MailTerms, PaymentTerms, SigningKey, SubscriberTerms};
use crate::theme::engine::{Engine, TemplateError};
use crate::theme::locale;
use crate::theme::look::Look;
use crate::theme::texts::Dictionary;
use crate::theme::view::{Link, SiteView};

/// Everything a build is made from.
#[derive(Debug)]
pub struct Order<'a> {
    /// The shop's folder.
    pub root: &'a Path,
    /// Where pages go.
    pub out: &'a Path,
    /// Where the bundle goes.
    pub bundle: &'a Path,
    /// The shop's own facts.
    pub shop: &'a Shop,
    /// Markets, tax, shipping and, from content, promotions.
    pub rules: &'a Rules,
    /// `[build]` of site.toml.
    pub settings: &'a BuildSettings,
    /// `[theme]` of site.toml.
    pub look: &'a Look,
    /// The site's own templates: (name, source), sorted.
    pub templates: &'a [(String, String)],
    /// What the theme says, in every language.
    pub texts: &'a Dictionary,
    /// Catalogue and texts.
    pub loaded: &'a Loaded,
    /// Units in stock by a snapshot.
    pub stock: &'a BTreeMap<Sku, u32>,
    /// Decides which products and sales hold.
    pub at: Timestamp,
    /// Whether drafts are shown.
    pub drafts: bool,
    /// How it is paid.
    pub payment: &'a PaymentTerms,
    /// Who writes mails.
    pub mail: &'a MailTerms,
    /// The merchant's systems that are told what happens to orders.
    pub webhooks: &'a [SubscriberTerms],
    /// What stands before the edge.
    pub front: &'a FrontTerms,
    /// Who tells prices beside the catalogue.
    pub pricing: Option<&'a PricingTerms>,
    /// Who holds units beside the store's own ledger.
    pub inventory: Option<&'a InventoryTerms>,
    /// Where orders are kept; `None`: nobody said.
    pub keeper: Option<Keeper>,
    /// Where to remember what pages were printed from; `None`: every page is printed, and every picture made anew.
    pub cache: Option<&'a Path>,
    /// Where the sets of pictures are kept; it may be deleted at any time.
    pub pictures: &'a Path,
    /// What to do while another build writes pages or bundle.
    pub busy: Busy,
    /// Signs the bundle.
    pub key: &'a SigningKey,
    /// Whether to tell what each template costs.
    pub costs: bool,
    /// Makes siblings of files for hosts that negotiate them; `None`: there are none.
    pub press: Option<&'a Press>,
}

/// What a build has done.
#[derive(Clone, Debug, Serialize)]
pub struct Built {
    /// Pages printed.
    pub pages: usize,
    /// What changed in the output folder.
    pub changes: Changes,
    /// Bytes of the bundle.
    pub bundle_bytes: u64,
    /// Whether the bundle's bytes changed.
    pub bundle_written: bool,
    /// When pages will change of themselves (RFC 3339): a product appears or goes, a sale begins or ends. `None`: never.
    pub next_change_at: Option<String>,
    /// Whether there is an Atom feed: a product of the shop says when it changed.
    pub atom: bool,
    /// Product feeds, one per market; empty where site.toml asks for none.
    pub google: Vec<GoogleFeed>,
    /// Seconds of each phase, in order.
    pub phases: Vec<Phase>,
    /// What is to be told of pictures; it is among the problems of the run.
    #[serde(skip)]
    pub pictures: Vec<Problem>,
    /// What each template has cost, the dearest first. Where costs were not asked for: of those alone that asked for all products.
    pub costs: Vec<TemplateCost>,
}

/// Why a build could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Files of static/ that cannot be taken.
    #[error("files of static/ cannot be taken")]
    Assets(Vec<AssetError>),
    /// Facets of site.toml that make too many pages.
    #[error(transparent)]
    Facets(#[from] TooManyFacetPages),
    /// Pages that cannot be printed.
    #[error("pages cannot be printed")]
    Pages(PageFaults),
    /// The output cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// What was read cannot be read back.
    #[error(transparent)]
    Read(#[from] io::Error),
}

/// Why pages cannot be printed.
#[derive(Debug, Default)]
pub struct PageFaults {
    /// Templates that cannot be understood, or that ask for what is not there, each with the page's address where there is one.
    pub templates: Vec<(Option<String>, TemplateError)>,
    /// Texts that call shortcodes wrongly.
    pub texts: Vec<TextFaults>,
}

/// What a build is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Pictures.
    Pictures,
    /// Pages.
    Pages,
}

/// Makes `public/` and the bundle. `progress` is told (done, in all) of a step now and then, from any thread.
pub fn build(order: &Order<'_>, progress: &(dyn Fn(Step, usize, usize) + Sync)) -> Result<Built, BuildError> {
    let mut clock = Stopwatch::new();
    let workshop = Workshop {
        settings: &order.settings.images,
        folder: order.pictures,
        is_fresh: order.cache.is_none(),
        now_ns: now_ns(),
        previews: order.loaded.catalog.products().iter().filter_map(shared_picture).collect(),
        ground: order.look.ground(),
        progress: &|done, all| progress(Step::Pictures, done, all),
    };
    // Each is for the most part the work of one thread; the longest is to read what the last build has written.
    let ((engine, plan), output) = rayon::join(
        || rayon::join(|| engine(order, &workshop), || plan(order.loaded, order.rules, order.settings, order.at, order.drafts)),
        || {
            let output = Output::open(order.out, order.busy)?;
            Ok::<_, WriteError>((output, Lock::take(order.bundle, order.busy)?))
        },
    );
    let (assets, engine, desk) = engine?;
    // Both are held to the end: the manifest names the bundle that was sealed beside it.
    let (output, _bundle_lock) = output?;
    let plan = Arc::new(plan);
    if let Some(too_many) = &plan.facet_shelves.too_many {
        return Err(too_many.clone().into());
    }
    let sites: Vec<SiteView> = (0..order.rules.markets.len()).map(|market| site_view(order, &plan, market)).collect();
    let site_values: Vec<Value> = sites.iter().map(Value::from_serializable).collect();
    clock.lap("plan");

    let mut printer = Printer {
        shop: order.shop,
        rules: order.rules,
        loaded: order.loaded,
        plan: &plan,
        settings: order.settings,
        assets: &assets,
        engine: &engine,
        sites: &sites,
        site_values: &site_values,
        stock: order.stock,
        at: order.at,
        ways: ways(order, &sites),
        offers: Arc::default(),
        traits: OnceLock::new(),
    };
    printer.offers = Arc::new((0..order.rules.markets.len()).map(|market| printer.offers(market)).collect());
    desk.get_or_init(|| new_desk(order, &plan, &assets, &printer.offers));
    let keys = Keys::open(order.cache, order.out, key_base(order, &sites, &assets));
    // What one thread does at a time lies beside the pages, of which each thread takes some.
    let policy = OnceLock::new();
    let print = || print_pages(&printer, &output, (&keys, &policy), order.costs, &|done, all| progress(Step::Pages, done, all));
    let ((printed, bundle), (few, next_change_at)) = rayon::join(
        || rayon::join(print, || bundle(order, &sites, &assets, &keys)),
        || (few_feeds(&printer, &output, &keys), next_change_at(order.loaded, order.rules, &plan, order.at)),
    );
    let Printed { mut puts, mut remembered, reads, costs } = printed?;
    let (bundle, bundle_key) = bundle?;
    remembered.push(Remembered::new(path_key(BUNDLE), bundle_key, &bundle.hash));
    clock.lap("pages");

    if order.settings.search {
        puts.extend(search::write(&printer, &|path, bytes| output.put(path, bytes))?);
    }
    clock.lap("search");

    let (headers, headers_key) = policy::write(&printer, &output, &keys, policy)?;
    puts.push(headers);
    remembered.push(headers_key);
    let (few, few_keys) = few?;
    remembered.extend(few_keys);
    let atom = few.iter().any(|put| put.path() == feeds::ATOM);
    puts.extend(few);
    let google = if order.settings.google_feed {
        product_feeds(&printer, &output, &keys, &mut puts, &mut remembered)?
    } else {
        Vec::new()
    };
    clock.lap("feeds");
    let files: Result<Vec<Vec<Put>>, WriteError> = assets.files.par_iter().map(|file| put(file, &output, &workshop)).collect();
    puts.extend(files?.into_iter().flatten());
    clock.lap("files");
    if let Some(press) = order.press {
        puts.extend(siblings(press, &puts, &output)?);
        clock.lap("siblings");
    }

    // The edge is ready for a product before its page can be seen.
    let (bundle_bytes, bundle_written) = (bundle.size, bundle.settle()?);
    let next_change_at = next_change_at.map(feeds::rfc3339);
    // A key counts for the bytes that it led to: those remembered of a build that comes to nothing keep nothing.
    let output = output.due_again(next_change_at.clone()).beside(Bundle::name_of(&mut File::open(order.bundle)?)?);
    let (changes, ()) = rayon::join(|| output.finish(puts), || keys.remember(remembered, reads));
    let changes = changes?;
    clock.lap("write");
    Ok(Built {
        pages: plan.pages.len(),
        changes,
        bundle_bytes,
        bundle_written,
        next_change_at,
        atom,
        google,
        phases: clock.phases,
        pictures: assets.problems.clone(),
        costs,
    })
}

// Files of static/ that are compressed already have a fingerprint in their names: none of them stands where a sibling goes.
fn siblings(press: &Press, puts: &[Put], output: &Output) -> Result<Vec<Put>, WriteError> {
    let files: Vec<(&str, Entry)> = puts.iter().map(|put| (put.path(), *put.entry())).collect();
    let made = press.siblings(&files, &Encoding::ALL, |path, _| output.read(path))?;
    made.par_iter().map(|sibling| output.put_sibling(sibling)).collect()
}

type Asked = Arc<OnceLock<Desk>>;

// Files of static/, the templates that name them, and where these will find what they ask for.
fn engine(order: &Order<'_>, workshop: &Workshop<'_>) -> Result<(Arc<AssetSet>, Engine, Asked), BuildError> {
    let elsewhere = pictures_elsewhere(order.loaded, order.settings)?;
    let (assets, errors) = AssetSet::collect(&order.root.join("static"), workshop, elsewhere);
    if !errors.is_empty() {
        return Err(BuildError::Assets(errors));
    }
    let wrong = |error| BuildError::Pages(PageFaults { templates: vec![(None, error)], texts: Vec::new() });
    let mut engine = Engine::new(order.templates, Arc::new(assets.for_templates())).map_err(wrong)?;
    let desk = Asked::default();
    functions::register(&mut engine, &desk);
    Ok((Arc::new(assets), engine, desk))
}

/// What every page is printed with: templates, `site`, files of static/, and this program.
fn key_base(order: &Order<'_>, sites: &[SiteView], assets: &AssetSet) -> [u8; 32] {
    let mut base = blake3::Hasher::new();
    let mut add = |text: &str| {
        base.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    };
    add(&super::keys::program());
    add(&format!("{:?} {:?} {:?}", order.settings, order.rules.markets, order.rules.tax));
    add(&format!("{:?}", order.rules.words));
    for (name, source) in order.templates {
        add(name);
        add(source);
    }
    for site in sites {
        add(&serde_json::to_string(site).expect("views are plain data"));
    }
    for (name, asset) in assets.for_templates() {
        add(&name);
        add(&asset.url);
        add(&asset.integrity);
    }
    *base.finalize().as_bytes()
}

// What the functions of templates answer from.
fn new_desk(order: &Order<'_>, plan: &Arc<Plan>, assets: &Arc<AssetSet>, offers: &Arc<Vec<Vec<Offer>>>) -> Desk {
    let markets = 0..order.rules.markets.len();
    Desk {
        catalog: Arc::clone(&order.loaded.catalog),
        plan: Arc::clone(plan),
        assets: Arc::clone(assets),
        offers: Arc::clone(offers),
        prefixes: markets.clone().map(|market| prefix(order.rules, market)).collect(),
        languages: order.rules.markets.iter().map(|market| market.language.clone()).collect(),
        data: Arc::clone(&order.loaded.data),
        whole: markets.map(|_| OnceLock::new()).collect(),
    }
}

/// Pages with the keys they were printed by.
struct Printed {
    puts: Vec<Put>,
    remembered: Vec<Remembered>,
    reads: Vec<RememberedReads>,
    costs: Vec<TemplateCost>,
}

/// One page of them.
struct PrintedPage {
    put: Put,
    remembered: Option<Remembered>,
    reads: Option<RememberedReads>,
    /// Boxed: most builds ask for none.
    cost: Option<Box<PageCost>>,
}

fn print_pages(
    printer: &Printer<'_>,
    output: &Output,
    (keys, policy): (&Keys, &OnceLock<Policy>),
    costs: bool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Printed, BuildError> {
    let pages = &printer.plan.pages;
    let shared: Vec<Shared> = (0..printer.rules.markets.len()).map(|market| printer.shared_keys(market, keys)).collect();
    let done = AtomicUsize::new(0);
    let print = |(cards, bytes): &mut (Cards, Vec<u8>), page: &Page| -> Result<PrintedPage, PageError> {
        let shared = &shared[page.market];
        let own_key = printer.key(page, shared, keys);
        let path = printer.plan.path(page);
        let place = path_key(&path);
        let before = keys.reads(&place).filter(|_| own_key.is_some());
        let key = own_key.map(|key| printer.key_with_reads(key, before.into_iter().flat_map(|reads| reads.iter()), shared, keys));
        let remembered = |key: Option<Key>, hash: &blake3::Hash| key.map(|key| Remembered::new(place, key, hash));
        let kept = key.and_then(|_| output.keep(&path, |hash| remembered(key, hash).is_some_and(|page| keys.knows(&page))));
        let printed = match kept {
            Some(put) => {
                let remembered = remembered(key, put.hash());
                PrintedPage { put, remembered, reads: before.map(|reads| (place, Arc::clone(reads))), cost: None }
            }
            None => {
                bytes.clear();
                let started = costs.then(Instant::now);
                let (template, reads) = reading(page.market, || printer.print(page, cards, bytes));
                let template = template?;
                let nanoseconds = started.map_or(0, |started| started.elapsed().as_nanos() as u64);
                policy.get_or_init(|| Policy::of(printer)).check(template, bytes).map_err(PrintError::Template)?;
                let put = output.put(&path, bytes)?;
                let key = own_key.map(|key| printer.key_with_reads(key, reads.all.iter(), shared, keys));
                let asked = key.is_some() && !reads.all.is_empty();
                let all = asked.then(|| (place, reads.all.iter().cloned().collect()));
                let is_told = costs || reads.asked_for_all();
                let cost = is_told.then(|| Box::new(PageCost::new(template, nanoseconds, bytes.len(), reads)));
                PrintedPage { remembered: remembered(key, put.hash()), put, reads: all, cost }
            }
        };
        let count = done.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_multiple_of(64) || count == pages.len() {
            progress(count, pages.len());
        }
        Ok(printed)
    };
    let order = by_shelf(printer);
    let mut results: Vec<Option<_>> =
        order.par_iter().map_init(Default::default, |held, index| Some(print(held, &pages[*index]))).collect();
    let mut places = vec![0; pages.len()];
    order.into_iter().enumerate().for_each(|(place, index)| places[index] = place);
    let mut puts = Vec::with_capacity(pages.len());
    let mut remembered = Vec::with_capacity(pages.len());
    let mut reads = Vec::new();
    let mut told = Vec::new();
    let mut faults = PageFaults::default();
    for (page, place) in pages.iter().zip(places) {
        match results[place].take().expect("every page was printed, and once") {
            Ok(PrintedPage { put, remembered: one, reads: asked, cost }) => {
                remembered.extend(one);
                reads.extend(asked);
                told.extend(cost.map(|cost| (page.url.as_str(), cost)));
                puts.push(put);
            }
            Err(PageError::Print(PrintError::Template(fault))) => faults.templates.push((Some(page.url.clone()), fault)),
            Err(PageError::Print(PrintError::Text(fault))) => faults.texts.push(*fault),
            Err(PageError::Print(PrintError::Read(error))) => return Err(error.into()),
            Err(PageError::Write(error)) => return Err(error.into()),
        }
    }
    // One fault in a template breaks every page that uses it: told once, with the first page.
    faults.templates.dedup_by(|one, other| one.1 == other.1);
    if !faults.templates.is_empty() || !faults.texts.is_empty() {
        return Err(BuildError::Pages(faults));
    }
    let costs = costs::sum(told.iter().map(|(url, cost)| (*url, &**cost)));
    Ok(Printed { puts, remembered, reads, costs })
}

// Sitemaps and the like, one after the other. A sitemap that would be the same again is not written again.
fn few_feeds(printer: &Printer<'_>, output: &Output, keys: &Keys) -> Result<(Vec<Put>, Vec<Remembered>), BuildError> {
    let key = sitemap::key(printer, keys);
    let remembered = |path: &str, hash: &blake3::Hash| Remembered::new(path_key(path), key, hash);
    let keep = |path: &str| output.keep(path, |hash| keys.knows(&remembered(path, hash)));
    let mut puts: Vec<Put> = match sitemap::kept(|path| output.had(path), keep) {
        Some(kept) => kept,
        None => sitemap::files(printer).map(|(path, bytes)| output.put(&path, &bytes)).collect::<Result<_, _>>()?,
    };
    let remembered = puts.iter().map(|put| remembered(put.path(), put.hash())).collect();
    for (path, bytes) in feeds::few(printer)? {
        puts.push(output.put(&path, &bytes)?);
    }
    Ok((puts, remembered))
}

// A feed that would be the same again is not written again.
fn product_feeds(
    printer: &Printer<'_>,
    output: &Output,
    keys: &Keys,
    puts: &mut Vec<Put>,
    remembered: &mut Vec<Remembered>,
) -> Result<Vec<GoogleFeed>, BuildError> {
    let mut found = Vec::new();
    for market in 0..printer.rules.markets.len() {
        let (path, key) = (google::path(printer, market), google::key(printer, market, keys));
        let page = |hash: &blake3::Hash| Remembered::new(path_key(&path), key, hash);
        let put = match output.keep(&path, |hash| keys.knows(&page(hash))) {
            Some(put) => put,
            None => output.put_parts(&path, |take| google::write::<BuildError>(printer, market, &mut |part| Ok(take(part)?)))?,
        };
        remembered.push(page(put.hash()));
        puts.push(put);
        found.push(google::survey(printer, market)?);
    }
    Ok(found)
}

#[derive(Debug, thiserror::Error)]
enum PageError {
    #[error(transparent)]
    Print(#[from] PrintError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

// Pages of one shelf one after the other: they show the same cards, which are made once then.
fn by_shelf(printer: &Printer<'_>) -> Vec<usize> {
    let shelf = |page: &Page| match &page.kind {
        PageKind::Product(index) => printer.plan.home_shelves[*index],
        PageKind::Category { index, .. } => Some(*index),
        PageKind::Facet { shelf, .. } => Some(printer.plan.facet_shelves.all[*shelf].category),
        _ => None,
    };
    let mut order: Vec<(usize, Option<usize>, usize)> =
        printer.plan.pages.par_iter().enumerate().map(|(index, page)| (page.market, shelf(page), index)).collect();
    order.par_sort_unstable();
    order.into_iter().map(|(_, _, index)| index).collect()
}

fn ways(order: &Order<'_>, sites: &[SiteView]) -> Vec<Ways> {
    let of = |market: usize| Ways::new(&order.loaded.catalog, &sites[market]);
    (0..order.rules.markets.len()).map(of).collect()
}

/// `site` of a market.
fn site_view(order: &Order<'_>, plan: &Plan, market: usize) -> SiteView {
    let rules = &order.rules.markets[market];
    let prefix = prefix(order.rules, market);
    let addresses = Addresses { prefix: &prefix };
    let mut footer: Vec<_> = order.loaded.pages.iter().filter(|page| page.footer && page.slug.as_str() != "index").collect();
    footer.sort_by_key(|page| (page.order, page.title.clone()));
    let link =
        |page: &PageSource| Link { title: page.title_in(&rules.language).to_owned(), url: addresses.content(page.slug.as_str()) };
    let is_legal = |slug: &str| matches!(slug, "terms" | "privacy" | "returns" | "withdrawal" | "imprint" | "shipping");
    let legal = order.loaded.pages.iter().filter(|page| is_legal(page.slug.as_str()));
    SiteView {
        name: order.shop.name.clone(),
        tagline: order.rules.words.say(&rules.language, &order.shop.tagline).to_owned(),
        base_url: order.shop.base_url.clone(),
        email: order.shop.email.clone(),
        market: rules.id.to_string(),
        prefix: prefix.clone(),
        language: rules.language.clone(),
        editions: editions(order.rules, market),
        locale: locale::open_graph(&rules.language, rules.countries.first()),
        currency: rules.currency.code().to_owned(),
        tax_mode: rules.tax_mode,
        countries: rules.countries.iter().map(|code| order.texts.country(&rules.language, code)).collect(),
        navigation: navigation(&order.loaded.catalog, plan, addresses, &rules.language),
        footer: footer.into_iter().map(link).collect(),
        legal: legal.map(link).collect(),
        eu_law: rules.consumer_law.is_eu(),
        withdrawal_days: match rules.consumer_law.is_eu() {
            true => order.shop.returns.map_or(0, |returns| returns.days).max(MIN_DAYS),
            false => 0,
        },
        search: order.settings.search,
        beacon: order.settings.beacon.clone(),
        texts: order.texts.texts(&rules.language),
        direction: locale::direction(&rules.language).to_owned(),
        theme: order.look.speaking(|word| order.rules.words.say(&rules.language, word).to_owned()),
    }
}
