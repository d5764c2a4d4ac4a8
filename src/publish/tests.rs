//! Jobs that are killed at every object while a crawler walks the target.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::PublishError;
use super::body::{Body, PART};
use super::host::Host;
use super::job::{BundleFile, State, Wish, kept};
use super::lease::Lease;
use super::record::{LEASE, RECORD, Record, Retired};
use super::target::{Caching, Place, Target};
use super::upload::{Job, Outcome, Source, carry_out};
use crate::site::manifest::{Entry, Manifest};
use crate::theme::bundle::SigningKey;

const HOUR: i64 = 3600;
const MONTH: i64 = 31 * 24 * HOUR;

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

fn target() -> Target {
    Target {
        name: "test".to_owned(),
        place: Place::S3 { bucket: "shop".to_owned(), region: None, endpoint: None },
        prefix: "live".to_owned(),
        private: "_vitrine".to_owned(),
        caching: Caching::default(),
        purge: None,
        previews: None,
        encodings: Vec::new(),
        keep: 3,
        max_deletions: 100,
        lease_seconds: 60,
    }
}

/// A store that dies at its n-th change, before or after that is done, and is walked by a crawler after each.
#[derive(Debug)]
struct Mortal {
    inner: Arc<InMemory>,
    /// Changes until it dies.
    left: AtomicUsize,
    /// Whether the last change is made and its answer lost.
    is_answer_lost: bool,
    /// Public objects that were put.
    puts: AtomicUsize,
    /// Whether what pages refer to is looked at.
    is_crawled: bool,
}

impl Mortal {
    fn new(inner: Arc<InMemory>, left: usize, is_answer_lost: bool) -> Arc<Self> {
        Arc::new(Self { inner, left: AtomicUsize::new(left), is_answer_lost, puts: AtomicUsize::new(0), is_crawled: true })
    }

    fn dead(&self) -> object_store::Error {
        object_store::Error::NotSupported { source: "it is dead".into() }
    }

    fn is_dead(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }

    /// One more change; `Ok(true)`: it is the last, and is made.
    fn pass(&self) -> Result<bool> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(1) if self.is_answer_lost => Ok(true),
            Ok(0 | 1) | Err(_) => Err(self.dead()),
            Ok(_) => Ok(false),
        }
    }

    async fn end(&self, is_last: bool) -> Result<()> {
        if self.is_crawled {
            crawl(&self.inner).await;
        }
        if is_last { Err(self.dead()) } else { Ok(()) }
    }
}

impl fmt::Display for Mortal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mortal")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Mortal {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let is_last = self.pass()?;
        if location.as_ref().starts_with("live/") {
            self.puts.fetch_add(1, Ordering::SeqCst);
        }
        let put = self.inner.put_opts(location, payload, options).await?;
        self.end(is_last).await?;
        Ok(put)
    }

    async fn put_multipart_opts(&self, location: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.pass()?;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if self.is_dead() { Err(self.dead()) } else { self.inner.get_opts(location, options).await }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.pass() {
            Ok(_) => self.inner.delete_stream(locations),
            Err(error) => Box::pin(futures_util::stream::once(async { Err(error) })),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let is_last = self.pass()?;
        self.inner.copy_opts(from, to, options).await?;
        self.end(is_last).await
    }
}

/// Walks from the home page and from robots.txt, as far as they are there: all that is referred to has to be there.
async fn crawl(store: &InMemory) {
    let listed: Vec<ObjectMeta> = store.list(Some(&Path::from("live"))).try_collect().await.expect("a list");
    let there: BTreeSet<String> = listed.iter().map(|meta| meta.location.to_string()).collect();
    let mut left: Vec<String> = ["live/index.html", "live/robots.txt"].map(str::to_owned).into();
    left.retain(|key| there.contains(key));
    let mut seen: BTreeSet<String> = left.iter().cloned().collect();
    while let Some(key) = left.pop() {
        let bytes = store.get(&Path::from(key.as_str())).await.expect("it is there").bytes().await.expect("bytes");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for reference in text.split(['"', '\n']).filter_map(|part| part.strip_prefix('/')) {
            let name = if reference.is_empty() { "index.html" } else { reference };
            let named = format!("live/{name}");
            assert!(there.contains(&named), "{key} refers to {named}, which is not there");
            if seen.insert(named.clone()) {
                left.push(named);
            }
        }
    }
}

/// A build: files by their names, each referring to others by lines that begin with a slash.
struct Made {
    folder: tempfile::TempDir,
    manifest: Manifest,
    bundle: BundleFile,
}

fn made(files: &[(&str, &str)]) -> Made {
    let folder = tempfile::tempdir().expect("a folder");
    let mut manifest: Manifest = Manifest::default();
    for (path, text) in files {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().expect("it lies in a folder")).expect("made");
        std::fs::write(file, text).expect("written");
        manifest.files.insert((*path).to_owned(), Entry::of(path, text.as_bytes()));
    }
    let text = format!("bundle of {:?}", manifest.files);
    let name = blake3::hash(text.as_bytes()).to_string();
    Made { folder, manifest, bundle: BundleFile::new(&name, text.into()) }
}

fn first() -> Made {
    made(&[
        ("a/theme.1.css", "body {}"),
        ("a/lamp.1.webp", "a picture"),
        ("index.html", "home\n/products/lamp\n/products/mug\n/a/theme.1.css\n/feed.xml"),
        ("products/lamp.html", "lamp 10.00\n/\n/a/lamp.1.webp\n/a/theme.1.css"),
        ("products/mug.html", "mug 5.00\n/products/lamp\n/a/theme.1.css"),
        ("feed.xml", "feed\n/products/lamp\n/"),
        ("robots.txt", "robots\n/sitemap.xml"),
        ("sitemap.xml", "sitemap\n/\n/products/lamp\n/products/mug"),
    ])
}

fn second() -> Made {
    made(&[
        ("a/theme.2.css", "body { color: red }"),
        ("a/lamp.1.webp", "a picture"),
        ("a/bowl.1.webp", "another picture"),
        ("index.html", "home\n/products/lamp\n/products/bowl\n/a/theme.2.css\n/feed.xml\n/de/feed.xml"),
        ("products/lamp.html", "lamp 11.00\n/\n/a/lamp.1.webp\n/a/theme.2.css\n/products/bowl"),
        ("products/bowl.html", "bowl 7.00\n/products/lamp\n/products/vase\n/a/bowl.1.webp\n/a/theme.2.css"),
        ("products/vase.html", "vase 9.00\n/products/bowl\n/a/theme.2.css"),
        ("feed.xml", "feed\n/products/bowl\n/"),
        ("de/feed.xml", "feed\n/products/vase"),
        ("robots.txt", "robots\n/sitemap.xml"),
        ("sitemap.xml", "sitemap\n/\n/products/lamp\n/products/bowl\n/products/vase"),
    ])
}

/// One job from its lease to its record.
async fn publish(store: Arc<dyn ObjectStore>, made: &Made, seconds: i64) -> std::result::Result<Outcome, PublishError> {
    let source = Source { folder: Some(made.folder.path().to_owned()), ..Source::default() };
    run(store, &made.manifest, &source, &made.bundle, None, seconds).await
}

async fn run(
    store: Arc<dyn ObjectStore>,
    manifest: &Manifest,
    source: &Source,
    bundle: &BundleFile,
    rollback_to: Option<u64>,
    seconds: i64,
) -> std::result::Result<Outcome, PublishError> {
    let (target, key) = (target(), key());
    let host = Host::over(store, &target);
    static JOBS: AtomicUsize = AtomicUsize::new(0);
    let holder = format!("job-{}", JOBS.fetch_add(1, Ordering::SeqCst));
    let lease = Lease::take(&host, &holder, Duration::from_secs(60), Duration::ZERO).await?;
    let state = State::read(&host, "tiny", &[key.verifying_key()]).await?;
    let wish = Wish {
        shop_id: "tiny",
        base_url: "https://tiny.example",
        manifest,
        source,
        bundle,
        prices: None,
        rollback_to,
        now: jiff::Timestamp::from_second(1_800_000_000 + seconds).expect("an instant"),
    };
    let plan = state.plan(&target, &wish);
    let job = Job { host: &host, target: &target, lease: &lease, key: &key, progress: &|_, _, _| {} };
    let outcome = carry_out(job, &state, &wish, &plan).await?;
    lease.release(&host).await?;
    Ok(outcome)
}

/// A dead job's lease runs out.
async fn outlive(store: &InMemory) {
    let _ = store.delete(&Path::from(format!("_vitrine/live/{LEASE}"))).await;
}

async fn record(store: &InMemory) -> Option<Record> {
    let found = store.get(&Path::from(format!("_vitrine/live/{RECORD}"))).await.ok()?;
    Some(serde_json::from_slice(&found.bytes().await.expect("bytes")).expect("a record"))
}

/// Every file of a build lies there with its bytes.
async fn check_holds(store: Arc<InMemory>, made: &Made) {
    let host = Host::over(store.clone(), &target());
    for (path, entry) in &made.manifest.files {
        let bytes = host.read(path).await.expect("read").unwrap_or_else(|| panic!("{path} is missing"));
        assert_eq!(blake3::hash(&bytes), entry.hash, "{path} has other bytes");
    }
    crawl(&store).await;
}

#[tokio::test]
async fn a_page_stands_under_its_address_with_its_headers() {
    let store = Arc::new(InMemory::new());
    publish(store.clone(), &first(), 0).await.expect("published");
    let found = store.get(&Path::from("live/products/lamp")).await.expect("it is there");
    let header = |name| found.attributes.get(&name).map(|value| value.to_string());
    assert_eq!(header(object_store::Attribute::ContentType).as_deref(), Some("text/html; charset=utf-8"));
    assert_eq!(header(object_store::Attribute::CacheControl), Some(Caching::default().page));
    let found = store.get(&Path::from("live/a/theme.1.css")).await.expect("it is there");
    assert_eq!(
        found.attributes.get(&object_store::Attribute::CacheControl).map(AsRef::as_ref),
        Some(Caching::default().immutable.as_str())
    );
    assert_eq!(publish(store.clone(), &first(), 1).await.expect("nothing to do").id, None);
}

#[tokio::test]
async fn killed_at_every_object_no_reference_is_broken_and_the_next_job_has_its_way() {
    let (a, b) = (first(), second());
    let mut points = 0;
    for before in [None, Some(&a)] {
        let base = Arc::new(InMemory::new());
        if let Some(before) = before {
            publish(base.clone(), before, 0).await.expect("published");
        }
        for is_answer_lost in [false, true] {
            for kill_at in 1.. {
                let world = Arc::new(base.fork());
                let mortal = Mortal::new(world.clone(), kill_at, is_answer_lost);
                let killed = publish(mortal.clone(), &b, HOUR).await;
                if killed.is_ok() && !mortal.is_dead() {
                    break;
                }
                points += 1;
                let done = mortal.puts.load(Ordering::SeqCst);
                // Whoever comes next: the same build goes on where it ended, the one before has its own bytes everywhere.
                for next in [&b, &a] {
                    let world = Arc::new(world.fork());
                    outlive(&world).await;
                    let mortal = Mortal::new(world.clone(), usize::MAX, false);
                    publish(mortal.clone(), next, 2 * HOUR).await.unwrap_or_else(|error| panic!("after {kill_at}: {error}"));
                    check_holds(world.clone(), next).await;
                    let record = record(&world).await.expect("published");
                    assert_eq!(record.manifest().files, next.manifest.files);
                    if std::ptr::eq(next, &b) {
                        let whole = b.manifest.files.len();
                        let again = mortal.puts.load(Ordering::SeqCst);
                        assert!(done + again <= whole + 1, "{done} and then {again} of {whole}");
                    }
                    let intents: Vec<ObjectMeta> =
                        world.list(Some(&Path::from("_vitrine/live/intents"))).try_collect().await.expect("a list");
                    assert!(intents.is_empty(), "nothing is left unfinished");
                    assert_eq!(publish(world, next, 3 * HOUR).await.expect("nothing to do").put, 0);
                }
            }
        }
    }
    assert!(points >= 78, "{points} points");
}

#[tokio::test]
async fn what_nothing_refers_to_any_more_goes_after_its_time_and_not_before() {
    let (a, b) = (first(), second());
    let store = Arc::new(InMemory::new());
    for (made, seconds) in [(&a, 0), (&b, HOUR)] {
        publish(Mortal::new(store.clone(), usize::MAX, false), made, seconds).await.expect("published");
    }
    let host = Host::over(store.clone(), &target());
    let is_there = async |path: &str| host.look(path).await.expect("a look").is_some();
    assert!(is_there("a/theme.1.css").await && is_there("products/mug.html").await);
    let outcome = publish(store.clone(), &b, MONTH).await.expect("published");
    assert_eq!((outcome.removed, outcome.put), (2, 0));
    assert!(!is_there("a/theme.1.css").await && !is_there("products/mug.html").await);
    // What an earlier publication needs was kept.
    back(store.clone(), 1).await;
    check_holds(store, &a).await;
}

/// Goes back to a publication.
async fn back(store: Arc<InMemory>, id: u64) {
    try_back(store, id).await.expect("gone back");
}

async fn try_back(store: Arc<InMemory>, id: u64) -> std::result::Result<Outcome, PublishError> {
    let host = Host::over(store.clone(), &target());
    let state = State::read(&host, "tiny", &[key().verifying_key()]).await.expect("read");
    let earlier = state.earlier(&host, Some(id), "tiny").await.expect("it is kept");
    let bundle = BundleFile::new(&earlier.bundle, state.bundle(&host, &earlier.bundle).await.expect("it is kept"));
    let source = Source { kept: kept(&host).await.expect("a list"), ..Source::default() };
    let mortal = Mortal::new(store, usize::MAX, false);
    run(mortal, &earlier.manifest(), &source, &bundle, Some(id), MONTH + HOUR).await
}

#[tokio::test]
async fn every_publication_that_is_kept_can_be_gone_back_to() {
    let store = Arc::new(InMemory::new());
    let versions: Vec<Made> = (0..6)
        .map(|version| {
            let (page, asset) = (format!("page {version}\n/a/x.{version}.css"), format!("a/x.{version}.css"));
            made(&[("index.html", &page), (&asset, &page), ("old.html", if version < 4 { "old" } else { "new" })])
        })
        .collect();
    for (version, made) in versions.iter().enumerate() {
        publish(store.clone(), made, version as i64 * MONTH).await.expect("published");
    }
    let kept: Vec<u64> = record(&store).await.expect("published").history.iter().map(|past| past.id).collect();
    assert_eq!(kept, [3, 4, 5]);
    for id in [3, 4, 5] {
        let world = Arc::new(store.fork());
        back(world.clone(), id).await;
        check_holds(world.clone(), &versions[id as usize - 1]).await;
        let record = record(&world).await.expect("published");
        assert_eq!((record.id, record.rollback_to), (7, Some(id)));
    }
    // What the dropped ones had is gone by the next job.
    publish(store.clone(), &versions[0], 6 * MONTH).await.expect("published");
    let listed: Vec<ObjectMeta> = store.list(Some(&Path::from("_vitrine/live"))).try_collect().await.expect("a list");
    let names: Vec<String> = listed.iter().map(|meta| meta.location.to_string()).collect();
    assert!(!names.iter().any(|name| name.contains("/kept/2/") || name.ends_with("history/2.json")), "{names:?}");
}

#[tokio::test]
async fn one_job_at_a_time_and_a_robbed_one_stops() {
    let store = Arc::new(InMemory::new());
    let host = Host::over(store.clone(), &target());
    let life = Duration::from_millis(40);
    let lease = Lease::take(&host, "one", life, Duration::ZERO).await.expect("it is free");
    let told = Lease::take(&host, "two", Duration::from_secs(60), Duration::ZERO).await.expect_err("it is held").to_string();
    assert!(told.contains("one"), "{told}");
    lease.check().expect("it holds");
    store.put(&Path::from(format!("_vitrine/live/{LEASE}")), "{\"holder\":\"two\",\"renewal\":0}".into()).await.expect("robbed");
    let robbed = async {
        while lease.check().is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), robbed).await.expect("a robbed job stops");
    lease.release(&host).await.expect("nothing to give back");
    let found = store.get(&Path::from(format!("_vitrine/live/{LEASE}"))).await.expect("the other's");
    assert!(String::from_utf8_lossy(&found.bytes().await.expect("bytes")).contains("two"));
    // Another target's clock says that it has run out.
    let lease = Lease::take(&host, "three", Duration::ZERO, Duration::from_secs(60)).await.expect("the other's has run out");
    assert_eq!(lease.holder, "three");
}

#[tokio::test]
async fn another_shops_target_and_what_cannot_be_read_are_refused() {
    let store = Arc::new(InMemory::new());
    publish(store.clone(), &first(), 0).await.expect("published");
    let host = Host::over(store.clone(), &target());
    let told = async |shop: &str| {
        let read = State::read(&host, shop, &[key().verifying_key()]).await;
        read.expect_err("it is refused").to_string()
    };
    assert!(told("other").await.starts_with("published.json on the target belongs to the shop `tiny`, not to `other`"));
    let name = Path::from(format!("_vitrine/live/{RECORD}"));
    let good = store.get(&name).await.expect("it is there").bytes().await.expect("bytes");
    store.put(&name, good.slice(..good.len() / 2).into()).await.expect("cut");
    let cut = told("tiny").await;
    assert!(cut.contains("published.json on the target was changed by hand or cut"), "{cut}");
    store.put(&name, "{\"format\": 9}".into()).await.expect("newer");
    assert!(told("tiny").await.contains("has format 9, this vitrine reads 1"));
}

async fn objects(store: &InMemory, below: &str) -> Vec<String> {
    let listed: Vec<ObjectMeta> = store.list(Some(&Path::from(below))).try_collect().await.expect("a list");
    listed.into_iter().map(|meta| meta.location.to_string()).collect()
}

#[tokio::test]
async fn a_large_file_goes_in_parts_and_comes_back_from_what_was_kept_of_it() {
    let large = |letter: &str| letter.repeat(2 * PART + 17);
    let (a, b) = (made(&[("index.html", "home"), ("feed.xml", &large("a"))]), made(&[("feed.xml", &large("b"))]));
    let store = Arc::new(InMemory::new());
    publish(store.clone(), &a, 0).await.expect("published");
    check_holds(store.clone(), &a).await;
    publish(store.clone(), &b, HOUR).await.expect("published");
    check_holds(store.clone(), &b).await;
    let tampered = Arc::new(store.fork());
    back(store.clone(), 1).await;
    check_holds(store, &a).await;

    // What was kept and is another thing by now is found before anything is put.
    let kept = objects(&tampered, "_vitrine/live/kept").await;
    for name in &kept {
        tampered.put(&Path::from(name.as_str()), large("c").into()).await.expect("put");
    }
    let before = objects(&tampered, "live").await;
    let told = try_back(tampered.clone(), 1).await.expect_err("it is refused").to_string();
    assert!(!kept.is_empty() && told.contains("feed.xml") && told.contains("on the target is not what it was"), "{told}");
    assert_eq!(objects(&tampered, "live").await, before);
    let begun = objects(&tampered, "_vitrine/live/intents").await;
    assert!(begun.is_empty(), "nothing was begun: {begun:?}");
    check_holds(tampered, &b).await;
}

#[tokio::test]
async fn bytes_that_change_after_they_were_proven_become_no_object() {
    let store = Arc::new(InMemory::new());
    let host = Host::over(store.clone(), &target());
    let folder = tempfile::tempdir().expect("a folder");
    for (text, now) in [("page 1".to_owned(), "page 2".to_owned()), ("a".repeat(PART + 1), "b".repeat(PART + 1))] {
        let entry = Entry::of("index.html", text.as_bytes());
        // As many bytes, more, and fewer.
        for bytes in [now.clone(), format!("{text}!"), text[1..].to_owned()] {
            let file = folder.path().join("index.html");
            std::fs::write(&file, bytes).expect("written");
            let told = host.put("index.html", &entry, &Body::File(file)).await.expect_err("it is refused").to_string();
            assert!(told.contains("index.html is not what manifest.json says (other bytes)"), "{told}");
            assert!(objects(&store, "live").await.is_empty());
        }
    }
}

#[tokio::test]
async fn what_no_target_could_hold_is_refused_before_anything_is_put() {
    for (path, size, expected) in [
        ("a/film.1.mp4", (5 << 30) + 1, "a/film.1.mp4: it has 5368709121 bytes, and a published file at most 5368709120"),
        ("../secret.html", 4, "live/../secret: no object can be called so"),
        ("a//b.css", 4, "live/a//b.css: no object can be called so"),
    ] {
        let (store, mut build) = (Arc::new(InMemory::new()), first());
        build.manifest.files.insert(path.to_owned(), Entry { size, ..Entry::of(path, b"text") });
        let told = publish(store.clone(), &build, 0).await.expect_err("it is refused").to_string();
        assert!(told.contains(expected), "{told}");
        assert!(objects(&store, "live").await.is_empty() && record(&store).await.is_none());
    }
}

#[tokio::test]
async fn a_record_that_was_edited_by_hand_is_believed_of_nothing_but_what_it_says() {
    let store = Arc::new(InMemory::new());
    publish(store.clone(), &first(), 0).await.expect("published");
    let name = Path::from(format!("_vitrine/live/{RECORD}"));
    let good = record(&store).await.expect("published");
    let edited = async |change: &dyn Fn(&mut Record)| {
        let world = Arc::new(store.fork());
        let mut record = good.clone();
        change(&mut record);
        world.put(&name, serde_json::to_vec(&record).expect("plain data").into()).await.expect("put");
        world
    };
    // Another hash: that file is put again, and no other.
    let world = edited(&|record| {
        record.files.get_mut("products/mug.html").expect("it is there").entry.hash = blake3::hash(b"?");
    });
    let world = world.await;
    assert_eq!(publish(world.clone(), &first(), HOUR).await.expect("published").put, 1);
    check_holds(world, &first()).await;
    // A path that leads out of the target is never removed.
    let world = edited(&|record| {
        let stored = record.files["index.html"].clone();
        record.retired.insert("../../other/index.html".to_owned(), Retired { stored: Some(stored), last: 1, until: 0 });
    });
    let world = world.await;
    let other = Path::from("other/index.html");
    world.put(&other, "another's".into()).await.expect("put");
    let told = publish(world.clone(), &first(), HOUR).await.expect_err("it is refused").to_string();
    assert!(told.contains("no object can be called so"), "{told}");
    assert!(world.head(&other).await.is_ok());
    check_holds(world, &first()).await;
}

#[tokio::test]
async fn a_build_that_was_changed_by_hand_puts_nothing() {
    let store = Arc::new(InMemory::new());
    let made = first();
    std::fs::write(made.folder.path().join("products/mug.html"), "mug 4.00\n/products/lamp\n/a/theme.1.css").expect("written");
    let told = publish(store.clone(), &made, 0).await.expect_err("it is refused").to_string();
    assert!(told.contains("products/mug.html is not what manifest.json says (other bytes)"), "{told}");
    let listed: Vec<ObjectMeta> = store.list(Some(&Path::from("live"))).try_collect().await.expect("a list");
    assert!(listed.is_empty());
}
