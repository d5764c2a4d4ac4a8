//! Images: pictures of a shop in its build. All are drawn here.

use std::fs;
use std::io::{Cursor, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use crate::support::shop::{build, changed, run, site, tree, vitrine, write};

const AS_OF: &str = "2026-11-20";

/// Where it does not matter how large pictures are: these are soon made.
const SMALL: &str = "[images]\nwidths = [60, 120]\n";

/// A photograph of sorts, another one for each `tint`.
fn photo(width: u32, height: u32, tint: u8) -> DynamicImage {
    let pixel = |x: u32, y: u32| Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, ((x ^ y) as u8).wrapping_add(tint)]);
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, pixel))
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("it can be written");
    bytes.into_inner()
}

fn jpeg(tint: u8) -> Vec<u8> {
    encoded(&photo(800, 1000, tint), ImageFormat::Jpeg)
}

fn put(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, bytes).expect("written");
}

fn product(root: &Path, slug: &str, category: &str, images: &[&str]) {
    let images: Vec<String> = images.iter().map(|src| format!("{{ src = \"{src}\", alt = \"A {slug}\" }}")).collect();
    let text = format!(
        "+++\ntitle = \"The {slug}\"\nsku = \"{slug}\"\nprice = \"19.90\"\nstock = 5\ncategories = [\"{category}\"]\nimages = [{}]\n+++\nText.\n",
        images.join(", ")
    );
    write(root, &format!("content/products/{slug}.md"), &text);
}

/// A lamp with two pictures and a mug with one.
fn shop(settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    write(root, "site.toml", &format!("{}\n{settings}", site("EUR")));
    for category in ["light", "table"] {
        write(root, &format!("content/categories/{category}/_index.md"), &format!("+++\ntitle = \"{category}\"\n+++\n"));
    }
    product(root, "lamp", "light", &["images/lamp.jpg", "images/lamp-back.png"]);
    product(root, "mug", "table", &["images/mug.jpg"]);
    put(root, "static/images/lamp.jpg", &jpeg(0));
    put(root, "static/images/lamp-back.png", &encoded(&photo(300, 300, 9), ImageFormat::Png));
    put(root, "static/images/mug.jpg", &jpeg(100));
    folder
}

fn page(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join("public").join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What is told of a build that ends well.
fn told(root: &Path, words: &[&str]) -> String {
    let (code, _, told) = run(root, &[&["build", "--as-of", AS_OF], words].concat());
    assert_eq!(code, 0, "{told}");
    told
}

#[test]
fn a_product_page_offers_its_pictures_by_width_and_the_first_comes_first() {
    let shop = shop("");
    let root = shop.path();
    build(root, AS_OF, &[]);
    let html = page(root, "products/lamp.html");
    let gallery = html.split("data-gallery").nth(1).and_then(|rest| rest.split("</div>").next()).expect("a gallery");
    let pictures: Vec<&str> = gallery.split("<picture>").skip(1).collect();
    assert_eq!(pictures.len(), 2, "{gallery}");
    assert!(pictures[0].contains("fetchpriority=\"high\"") && !pictures[0].contains("loading=\"lazy\""), "{}", pictures[0]);
    assert!(pictures[1].contains("loading=\"lazy\"") && pictures[1].contains("decoding=\"async\""), "{}", pictures[1]);
    for (picture, size) in pictures.iter().zip(["width=\"800\" height=\"1000\"", "width=\"300\" height=\"300\""]) {
        assert!(picture.contains("<source type=\"image/webp\" srcset=\"/i/lamp-") && picture.contains(size), "{picture}");
        assert!(picture.matches("sizes=\"").count() == 2, "{picture}");
        for candidate in
            picture.split("srcset=\"").skip(1).filter_map(|rest| rest.split('"').next()).flat_map(|set| set.split(", "))
        {
            let (url, width) = candidate.split_once(' ').expect("an address and a width");
            let bytes = fs::read(root.join("public").join(&url[1..])).unwrap_or_else(|error| panic!("{url}: {error}"));
            let read = image::load_from_memory(&bytes).expect("a picture");
            assert_eq!(format!("{}w", read.width()), width, "{url}");
        }
    }
    // Its colour stands behind a picture without a style of its own.
    assert!(gallery.contains("<svg class=\"tone\"") && !gallery.contains("style="), "{gallery}");
    // Others read what they can: JPEG, whole and clean of what the camera noted.
    assert!(html.contains("\"image\":[\"https://tiny.example/i/lamp-"), "{html}");
    let category = page(root, "categories/light.html");
    assert!(category.contains("elementtiming=\"first-product\""));
    // A link to either is shared with a picture of the shape that its readers show.
    let told = |html: &str, name: &str| {
        let rest = html
            .split(&format!("<meta property=\"og:image{name}\" content=\""))
            .nth(1)
            .unwrap_or_else(|| panic!("{name}: {html}"));
        rest.split('"').next().expect("it ends").to_owned()
    };
    for html in [&html, &category] {
        let url = told(html, "");
        let path = url
            .strip_prefix("https://tiny.example/")
            .filter(|path| path.ends_with("-preview.jpg"))
            .expect("an address of its own");
        let sheet = image::load_from_memory(&fs::read(root.join("public").join(path)).expect("a file")).expect("a picture");
        assert_eq!([sheet.width().to_string(), sheet.height().to_string()], [told(html, ":width"), told(html, ":height")]);
        assert_eq!((sheet.width(), sheet.height()), (1200, 630));
        assert!(!told(html, ":alt").is_empty());
    }
    // What was given is not published.
    let tree = tree(&root.join("public"));
    assert!(!tree.keys().any(|path| path.starts_with("a/images/")), "{:?}", tree.keys());
    let manifest: serde_json::Value = serde_json::from_slice(&tree["manifest.json"]).expect("JSON");
    for (path, entry) in manifest["files"].as_object().expect("files").iter().filter(|(path, _)| path.starts_with("i/")) {
        assert_eq!(entry["cache"], "immutable", "{path}");
    }
    let (code, _, told) = run(root, &["check", "--built"]);
    assert_eq!(code, 0, "{told}");
}

#[test]
fn pictures_that_cannot_be_read_fail_alone_and_are_told() {
    let shop = shop("[images]\nmax_megapixels = 2\n");
    let root = shop.path();
    let whole = jpeg(0);
    put(root, "static/images/lamp.jpg", &whole[..whole.len() / 2]);
    let mut giant = jpeg(1);
    let frame = giant.windows(2).position(|pair| pair == [0xFF, 0xC0]).expect("a frame");
    giant[frame + 5..frame + 9].copy_from_slice(&[&14_000_u16.to_be_bytes()[..], &20_000_u16.to_be_bytes()].concat());
    put(root, "static/images/mug.jpg", &giant);
    let told = told(root, &[]);
    assert!(told.contains("static/images/lamp.jpg") && told.contains("it breaks off in the midst"), "{told}");
    assert!(told.contains("280 megapixels; 2 are read at most"), "{told}");
    // The next picture takes the place of the first; who has none is shown without.
    let lamp = page(root, "products/lamp.html");
    assert!(lamp.contains("/i/lamp-back-") && lamp.contains("fetchpriority=\"high\""), "{lamp}");
    let mug = page(root, "products/mug.html");
    assert!(mug.contains("The mug") && !mug.contains("/i/mug-") && !mug.contains("images/mug"), "{mug}");
    assert!(!page(root, "sitemap.xml").contains("images/mug"));
    // Told again by a build that reads nothing anew.
    assert!(self::told(root, &[]).contains("280 megapixels"));
}

#[test]
fn a_drawing_is_published_without_its_script() {
    let shop = shop("");
    let root = shop.path();
    write(
        root,
        "static/images/drawing.svg",
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 4 5\">\n<script>alert(1)</script>\n<g onload=\"x()\"/>\n</svg>\n",
    );
    product(root, "lamp", "light", &["images/drawing.svg"]);
    let told = told(root, &[]);
    assert!(told.contains("static/images/drawing.svg:2:1") && told.contains("`<script>` is taken out"), "{told}");
    assert!(told.contains("static/images/drawing.svg:3:1") && told.contains("`onload` of `<g>`"), "{told}");
    let tree = tree(&root.join("public"));
    let (_, drawing) = tree.iter().find(|(path, _)| path.starts_with("a/images/drawing.")).expect("it is published");
    assert_eq!(
        String::from_utf8_lossy(drawing),
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 4 5\">\n\n<g/>\n</svg>\n"
    );
    assert!(page(root, "products/lamp.html").contains("width=\"4\" height=\"5\""));
}

#[test]
fn the_same_pictures_give_the_same_bytes_by_any_number_of_threads() {
    let (one, other) = (shop(SMALL), shop(SMALL));
    build(one.path(), AS_OF, &["--threads", "1"]);
    build(other.path(), AS_OF, &["--threads", "4"]);
    let public = |shop: &tempfile::TempDir| tree(&shop.path().join("public"));
    assert_eq!(changed(&public(&one), &public(&other)), Vec::<String>::new());
    let report = build(other.path(), AS_OF, &[]);
    assert_eq!((report["changes"]["written"].as_u64(), report["changes"]["removed"].as_u64()), (Some(0), Some(0)));
    // Made anew, from nothing.
    build(other.path(), AS_OF, &["--no-cache"]);
    assert_eq!(changed(&public(&one), &public(&other)), Vec::<String>::new());
}

#[test]
fn a_changed_picture_rewrites_what_shows_it_and_nothing_else() {
    let shop = shop(SMALL);
    let root = shop.path();
    build(root, AS_OF, &[]);
    let before = tree(&root.join("public"));
    put(root, "static/images/mug.jpg", &jpeg(7));
    build(root, AS_OF, &[]);
    let after = tree(&root.join("public"));
    let changed = changed(&before, &after);
    let pages: Vec<&str> = changed.iter().map(String::as_str).filter(|path| !path.starts_with("i/")).collect();
    let search = |path: &&&str| path.starts_with("a/search/");
    let rest: Vec<&str> = pages.iter().filter(|path| !search(path)).copied().collect();
    let related = "products/lamp.html";
    let wanted = ["categories/table.html", "index.html", "manifest.json", "products/mug.html", "search.json", "sitemap.xml"];
    assert!(rest.iter().all(|path| wanted.contains(path) || *path == related), "{rest:?}");
    for path in ["categories/table.html", "products/mug.html", "sitemap.xml"] {
        assert!(rest.contains(&path), "{path} in {rest:?}");
    }
    assert!(!before[related].windows(7).any(|part| part == b"/i/mug-") || rest.contains(&related));
    let pictures = |of: &str| changed.iter().filter(|path| path.starts_with(&format!("i/{of}-"))).count();
    assert!(pictures("mug") > 0 && pictures("lamp") == 0, "{changed:?}");
}

#[test]
fn a_build_that_was_killed_among_its_pictures_is_finished_by_the_next() {
    let whole = shop(SMALL);
    build(whole.path(), AS_OF, &[]);
    let wanted = tree(&whole.path().join("public"));
    for change in [1, 4, 9, 15, 30] {
        let shop = shop(SMALL);
        let root = shop.path();
        let mut killed = vitrine(root);
        killed.args(["build", "--as-of", AS_OF]).env("VITRINE_DISK_FAULT", format!("kill:{change}"));
        assert!(!killed.output().expect("it runs").status.success(), "{change}");
        build(root, AS_OF, &[]);
        assert_eq!(changed(&wanted, &tree(&root.join("public"))), Vec::<String>::new(), "{change}");
    }
}

/// Pictures on another host; counts what is asked.
struct Host {
    base: String,
    asked: Arc<AtomicUsize>,
}

impl Host {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let count = Arc::clone(&count);
                std::thread::spawn(move || {
                    let (mut head, mut byte) = (Vec::new(), [0]);
                    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                        head.push(byte[0]);
                    }
                    count.fetch_add(1, Ordering::SeqCst);
                    let head = String::from_utf8_lossy(&head).into_owned();
                    let path = head.split(' ').nth(1).unwrap_or("").to_owned();
                    let _ = stream.write_all(&answer(&path));
                });
            }
        });
        Self { base, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn answer(path: &str) -> Vec<u8> {
    let whole = |status: &str, more: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{more}connection: close\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    match path {
        "/good.jpg?size=large" => whole("200 OK", "", &jpeg(50)),
        "/moved.jpg" => whole("301 Moved Permanently", "location: /good.jpg?size=large\r\n", b""),
        // As many steps as its name says, and at the end of them the picture; and one that never ends.
        "/steps-0.jpg" => whole("200 OK", "", &jpeg(50)),
        path if path.starts_with("/steps-") => {
            let steps: u32 = path["/steps-".len()..].trim_end_matches(".jpg").parse().expect("a number");
            whole("302 Found", &format!("location: /steps-{}.jpg\r\n", steps - 1), b"")
        }
        "/circle.jpg" => whole("302 Found", "location: /circle.jpg\r\n", b""),
        // Ten times what is taken, once by its head and once by and by.
        "/large.jpg" => b"HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n".to_vec(),
        "/endless.jpg" => [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec(), vec![0; 5_000_000]].concat(),
        "/short.jpg" => b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nabc".to_vec(),
        _ => whole("404 Not Found", "", b"gone"),
    }
}

const FETCHED: &str = "[images]\nremote = \"fetch\"\nremote_max_bytes = 500000\nremote_timeout_seconds = 20\n";

#[test]
fn a_picture_from_elsewhere_is_fetched_once_and_published_here() {
    let (shop, host) = (shop(FETCHED), Host::start());
    let root = shop.path();
    product(root, "lamp", "light", &[&format!("{}/good.jpg?size=large", host.base)]);
    product(root, "mug", "table", &[&format!("{}/moved.jpg", host.base)]);
    build(root, AS_OF, &[]);
    for slug in ["lamp", "mug"] {
        let html = page(root, &format!("products/{slug}.html"));
        assert!(!html.contains("127.0.0.1") && html.contains("/i/") && html.contains("width=\"800\" height=\"1000\""), "{html}");
    }
    let (asked, first) = (host.asked(), tree(&root.join("public")));
    assert_eq!(asked, 3, "a picture, a redirect and where it leads");
    build(root, AS_OF, &[]);
    assert_eq!((host.asked(), changed(&first, &tree(&root.join("public")))), (asked, Vec::new()));
}

#[test]
fn a_picture_from_elsewhere_that_is_gone_or_too_large_fails_alone() {
    let (shop, host) = (shop(FETCHED), Host::start());
    let root = shop.path();
    let of = |path: &str| format!("{}/{path}", host.base);
    let wrong = ["gone.jpg", "large.jpg", "endless.jpg", "short.jpg", "circle.jpg"].map(of);
    let wrong: Vec<&str> = wrong.iter().map(String::as_str).chain(["http://pictures.example/a.jpg"]).collect();
    product(root, "lamp", "light", &[&wrong[..], &["images/lamp.jpg"]].concat());
    let told = told(root, &[]);
    let of_picture = |path: &str, message: &str| {
        assert!(told.contains(path) && told.contains(message), "{path} {message}: {told}");
    };
    of_picture("/gone.jpg", "its host answers 404");
    of_picture("/large.jpg", "it has more than 500000 bytes");
    assert_eq!(told.matches("it has more than 500000 bytes").count(), 2, "{told}");
    of_picture("/short.jpg", "it breaks off");
    of_picture("/circle.jpg", "leads on more than 3 times");
    of_picture("http://pictures.example/a.jpg", "it is not https");
    let html = page(root, "products/lamp.html");
    assert!(html.contains("/i/lamp-") && !html.contains("127.0.0.1") && !html.contains("pictures.example"), "{html}");
}

#[test]
fn a_picture_from_elsewhere_is_the_one_with_the_checksum_or_none() {
    let (shop, host) = (shop(&format!("{FETCHED}remote_checksums = \"images.sha256\"\n")), Host::start());
    let root = shop.path();
    let url = format!("{}/good.jpg?size=large", host.base);
    product(root, "lamp", "light", &[&url]);
    write(root, "images.sha256", "");
    let first = told(root, &[]);
    assert!(first.contains("it has no checksum"), "{first}");
    let line = first.split('`').find(|part| part.ends_with(&url)).expect("the line to write").to_owned();
    write(root, "images.sha256", &format!("{line}\n"));
    assert!(!told(root, &[]).contains("checksum"));
    write(root, "images.sha256", &format!("{}\n", line.replacen(|digit: char| digit.is_ascii_digit(), "f", 1)));
    let other = told(root, &[]);
    assert!(other.contains("another picture than the one with the checksum"), "{other}");
    assert!(!page(root, "products/lamp.html").contains("/i/good-"));
    write(root, "images.sha256", "abc https://a.example/b.jpg\n");
    let (code, _, told) = run(root, &["build", "--as-of", AS_OF]);
    assert_eq!(code, 1);
    assert!(told.contains("images.sha256:1") && told.contains("64 hex digits"), "{told}");
}

#[test]
fn pictures_from_elsewhere_are_linked_unless_they_are_to_be_fetched() {
    let (shop, host) = (shop(""), Host::start());
    let root = shop.path();
    let url = format!("{}/good.jpg?size=large", host.base);
    product(root, "lamp", "light", &[&url]);
    build(root, AS_OF, &[]);
    assert!(page(root, "products/lamp.html").contains(&format!("src=\"{url}\"")));
    assert_eq!(host.asked(), 0);
}

#[test]
fn a_chain_of_redirects_is_followed_to_its_end_or_told_where_it_has_none() {
    let (shop, host) = (shop(FETCHED), Host::start());
    let root = shop.path();
    let of = |path: &str| format!("{}/{path}", host.base);
    product(root, "lamp", "light", &[&of("steps-3.jpg")]);
    build(root, AS_OF, &[]);
    assert_eq!(host.asked(), 4, "three steps and the picture");
    assert!(page(root, "products/lamp.html").contains("width=\"800\" height=\"1000\""));
    for (path, why) in [("steps-4.jpg", "one step too many"), ("steps-1000000.jpg", "as good as none"), ("circle.jpg", "a ring")]
    {
        let asked = host.asked();
        product(root, "lamp", "light", &[&of(path), "images/lamp.jpg"]);
        let told = told(root, &[]);
        assert!(told.contains(path) && told.contains("its host leads on more than 3 times"), "{why}: {told}");
        assert_eq!(host.asked() - asked, 4, "{why}: it is left after so many");
        assert!(page(root, "products/lamp.html").contains("/i/lamp-"), "the next picture takes its place");
    }
}
