//! What a plan keeps true, over random shops, killed jobs and instants.

use proptest::prelude::*;

use super::*;
use crate::publish::record::FORMAT;

/// Paths of each kind, few enough to meet again and again.
const PATHS: [&str; 11] = [
    "a/one.1.css",
    "a/two.2.js",
    "products/lamp.html",
    "products/mug.html",
    "index.html",
    "de/index.html",
    "feed.xml",
    "sitemap.xml",
    "_headers",
    "products/lamp.html.br",
    "index.html.br",
];

fn entry(path: &str, version: u8) -> Entry {
    match path.strip_suffix(".br") {
        Some(base) => Entry::of(base, &[version]).encoded(Encoding::Br, &[version, 1]),
        None => Entry::of(path, &[version]),
    }
}

fn manifest(versions: &[Option<u8>]) -> Manifest {
    let files = PATHS.iter().zip(versions).filter_map(|(path, version)| Some(((*path).to_owned(), entry(path, (*version)?))));
    let mut files: BTreeMap<String, Entry> = files.collect();
    // A sibling is made of its file.
    let lonely: Vec<String> =
        files.iter().filter(|(path, entry)| !files.contains_key(entry.base(path))).map(|(path, _)| path.clone()).collect();
    files.retain(|path, _| !lonely.contains(path));
    Manifest { files, ..Manifest::default() }
}

/// A target: what lies there, what was published, what unfinished jobs named.
#[derive(Clone, Debug, Default)]
struct World {
    lies: BTreeMap<String, blake3::Hash>,
    kept: BTreeSet<(u64, String)>,
    record: Option<Record>,
    named: BTreeSet<String>,
    now: i64,
}

impl World {
    fn plan(&self, manifest: &Manifest, keep: usize) -> Plan {
        let seen = |path: &String| self.lies.get(path).map(|hash| Seen { hash: Some(*hash), e_tag: None });
        let doubtful = self.named.iter().map(|path| (path.clone(), seen(path))).collect();
        let known = Known {
            record: self.record.as_ref(),
            doubtful: &doubtful,
            doubtful_bundles: &BTreeSet::new(),
            sequence: 0,
            caching: &Caching::default(),
            keep,
            now: Timestamp(self.now),
        };
        plan(Wanted { manifest, bundle: "b" }, known)
    }

    /// Carries out so many steps of a plan; all of them: it is published.
    fn carry_out(&mut self, plan: &Plan, steps: usize) {
        self.named.extend(plan.paths());
        let mut left = steps;
        let mut step = || {
            let is_alive = left > 0;
            left = left.saturating_sub(1);
            is_alive
        };
        for keep in &plan.keeps {
            if !step() {
                return;
            }
            let hash = self.lies.get(&keep.path).map(ToString::to_string);
            assert_eq!(hash.as_ref(), Some(&keep.hash), "a copy is of what it says");
            self.kept.insert((keep.id, keep.hash.clone()));
        }
        let (assets, rest): (Vec<&Upload>, Vec<&Upload>) = plan.uploads.iter().partition(|upload| upload.phase == Phase::Asset);
        let put =
            |upload: &Upload, lies: &mut BTreeMap<String, blake3::Hash>| lies.insert(upload.path.clone(), upload.entry.hash);
        for upload in assets {
            if !step() {
                return;
            }
            put(upload, &mut self.lies);
        }
        for path in &plan.drops {
            if !step() {
                return;
            }
            self.lies.remove(path);
        }
        for upload in rest {
            if !step() {
                return;
            }
            // What a server would send in the place of this file is not of another one.
            let sibling = format!("{}.br", upload.path);
            let is_old = self.lies.get(&sibling).is_some_and(|lies| {
                let wanted = plan.uploads.iter().find(|other| other.path == sibling).map(|other| other.entry.hash);
                wanted.or(plan.unchanged.get(&sibling).map(|stored| stored.entry.hash)) != Some(*lies)
            });
            assert!(!is_old, "{sibling} is sent instead of {}", upload.path);
            put(upload, &mut self.lies);
        }
        for path in &plan.deletions {
            if !step() {
                return;
            }
            self.lies.remove(path);
        }
        if !step() {
            return;
        }
        let uploaded = plan.uploads.iter().map(|upload| (upload.path.clone(), Stored { entry: upload.entry, e_tag: None }));
        self.record = Some(Record {
            format: FORMAT,
            shop_id: "tiny".to_owned(),
            id: plan.id,
            intent: String::new(),
            published_at: String::new(),
            caching: Caching::default(),
            base_url: String::new(),
            bundle: "b".to_owned(),
            bundle_file: blake3::hash(b""),
            next_change_at: None,
            rollback_to: None,
            files: plan.unchanged.clone().into_iter().chain(uploaded).collect(),
            retired: plan.retired.clone(),
            history: plan.history.clone(),
            dropped: plan.dropped.clone(),
        });
        self.named.clear();
    }
}

fn versions() -> impl Strategy<Value = Vec<Option<u8>>> {
    prop::collection::vec(prop::option::weighted(0.8, 0..3u8), PATHS.len())
}

/// Jobs one after the other: what each publishes, after how many steps it is killed, how much time passes then.
fn jobs() -> impl Strategy<Value = Vec<(Vec<Option<u8>>, usize, i64)>> {
    prop::collection::vec((versions(), prop_oneof![Just(usize::MAX), 0..12usize], prop_oneof![Just(0), Just(10_000_000)]), 1..8)
}

proptest! {
    #[test]
    fn whatever_was_killed_before_a_finished_job_leaves_its_own_bytes_everywhere(jobs in jobs()) {
        let mut world = World::default();
        let mut published: BTreeMap<u64, Manifest> = BTreeMap::new();
        for (versions, steps, seconds) in jobs {
            let wanted = manifest(&versions);
            let plan = world.plan(&wanted, 3);
            let before = world.record.as_ref().map(Record::manifest);
            world.carry_out(&plan, steps);
            // Until another record is written, all that the last one names lies there, in some version; siblings may be on their way.
            for path in before.iter().flat_map(|manifest| manifest.files.keys()).filter(|path| !path.ends_with(".br")) {
                prop_assert!(world.lies.contains_key(path), "{path} is missing");
            }
            if world.named.is_empty() {
                for (path, entry) in &wanted.files {
                    prop_assert_eq!(world.lies.get(path), Some(&entry.hash), "{} has other bytes", path);
                }
                published.insert(plan.id, wanted.clone());
                let record = world.record.clone().expect("it was published");
                prop_assert_eq!(record.manifest().files, wanted.files.clone());
                let is_stale = |path: &String| {
                    path.strip_suffix(".br").is_some_and(|base| wanted.files.contains_key(base)) && !wanted.files.contains_key(path)
                };
                prop_assert!(!world.lies.keys().any(is_stale), "a sibling is sent instead of its file");
                // Nothing lies there that nobody knows of.
                let known: BTreeSet<&String> = record.files.keys().chain(record.retired.keys()).collect();
                prop_assert!(world.lies.keys().all(|path| known.contains(path)));
                // All that the publications before had is there, or was kept under them or a later one.
                for past in &record.history {
                    for (path, entry) in &published[&past.id].files {
                        let hash = entry.hash.to_string();
                        let lies = world.lies.get(path) == Some(&entry.hash);
                        prop_assert!(lies || world.kept.iter().any(|(id, kept)| *id >= past.id && *kept == hash), "{} of {}", path, past.id);
                    }
                }
                let again = world.plan(&wanted, 3);
                prop_assert!(again.uploads.is_empty() && again.gone.is_empty(), "a second time there is nothing to do");
            }
            world.now += seconds;
        }
    }

    #[test]
    fn what_a_file_may_refer_to_is_there_before_it(was in versions(), is in versions()) {
        let mut world = World::default();
        world.carry_out(&world.plan(&manifest(&was), 3), usize::MAX);
        let (before, wanted) = (world.lies.clone(), manifest(&is));
        let plan = world.plan(&wanted, 3);
        let place = |path: &str| plan.uploads.iter().position(|upload| upload.path == path);
        for (index, upload) in plan.uploads.iter().enumerate() {
            let needs: &[&str] = match upload.path.as_str() {
                path if path.starts_with("a/") => &[],
                "sitemap.xml" => &["index.html", "de/index.html", "products/lamp.html", "products/mug.html"],
                _ => &["a/one.1.css", "a/two.2.js"],
            };
            for need in needs.iter().filter(|need| wanted.files.contains_key(**need)) {
                let is_there = before.contains_key(*need) || place(need).is_some_and(|place| place < index);
                prop_assert!(is_there, "{} before {}", upload.path, need);
            }
            // A page that people can reach may lead to every page.
            if upload.path == "index.html" || before.contains_key(&upload.path) && upload.path.ends_with(".html") {
                for page in wanted.files.keys().filter(|path| path.starts_with("products/") && path.ends_with(".html") || *path == "feed.xml") {
                    let is_there = before.contains_key(page) || place(page).is_some_and(|place| place < index);
                    prop_assert!(is_there, "{} before {}", upload.path, page);
                }
            }
        }
    }
}

#[test]
fn files_go_only_when_nothing_can_refer_to_them() {
    let mut world = World::default();
    let both = manifest(&[Some(1), None, Some(1), None, Some(1), None, None, None, None]);
    let one = manifest(&[None, None, None, None, Some(2), None, None, None, None]);
    world.carry_out(&world.plan(&both, 3), usize::MAX);
    world.carry_out(&world.plan(&one, 3), usize::MAX);
    let deletions = |world: &World, seconds: i64| World { now: seconds, ..world.clone() }.plan(&one, 3).deletions;
    assert!(deletions(&world, 3600 - 1).is_empty());
    assert_eq!(deletions(&world, 3600), ["products/lamp.html"]);
    assert_eq!(deletions(&world, 3600 + 604_800), ["a/one.1.css", "products/lamp.html"]);
    // What comes back meanwhile is not put again.
    let back = World { now: 3599, ..world.clone() }.plan(&both, 3);
    let paths: Vec<&str> = back.uploads.iter().map(|upload| upload.path.as_str()).collect();
    assert_eq!(paths, ["index.html"]);
}

#[test]
fn other_headers_are_put_again() {
    let mut world = World::default();
    let wanted = manifest(&[Some(1), None, Some(1), None, Some(1), None, None, None, None]);
    world.carry_out(&world.plan(&wanted, 3), usize::MAX);
    world.record.as_mut().expect("published").caching.page = "no-store".to_owned();
    let plan = world.plan(&wanted, 3);
    assert_eq!(plan.uploads.len(), 2, "both pages");
    assert!(plan.keeps.is_empty(), "their bytes stay");
}
