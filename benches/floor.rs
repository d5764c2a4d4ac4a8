//! Floor: what the disk, the kernel and the libraries cost, and nothing else: every input read; every product parsed, its text rendered
//! and its page printed, with what it says to machines; as many files of the same sizes written. In parallel, each by itself.
//!
//! Run     cargo bench --bench floor -- SITE TREE DEST BUNDLE (benches/build/run does)
//! Prints  seconds of looking at the times of SITE's content, as a build of nothing new has to; of reading its content, templates and
//!         settings; of the libraries' work on its products; and of writing to DEST, which must not exist yet, the files of TREE and the
//!         bundle with other bytes.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use pulldown_cmark::{Options, Parser};
use rayon::prelude::*;
use serde_json::json;
use tera::{Context, Tera};
use walkdir::WalkDir;

/// About as much as the benchmark's product page prints.
const PAGE: &str = r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ product.title }}</title></head><body>
<h1>{{ product.title }}</h1><p>{{ product.brand }}</p>
<ul>{% for image in product.images %}<li><img src="{{ image.src }}" alt="{{ image.alt }}" width="600" height="600"></li>{% endfor %}</ul>
<form><select>{% for one in product.variants %}<option value="{{ one.sku }}">{{ one.sku }}: {{ one.price }}</option>{% endfor %}</select></form>
<table>{% for one in product.variants %}<tr><td>{{ one.sku }}</td>{% for value in one.options %}<td>{{ value }}</td>{% endfor %}<td>{{ one.price }}</td></tr>{% endfor %}</table>
<section>{{ body | safe }}</section>
<ul>{% for slug in product.related %}<li><a href="/products/{{ slug }}">{{ slug }}</a></li>{% endfor %}</ul>
<script type="application/ld+json">{{ data | safe }}</script></body></html>"#;

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench").map(PathBuf::from);
    let (Some(site), Some(tree), Some(dest), Some(bundle)) = (words.next(), words.next(), words.next(), words.next()) else {
        // `cargo bench` runs every benchmark; this one is a part of another.
        println!("floor: run by benches/build/run");
        return;
    };
    let mut written = files(&tree);
    written.push((PathBuf::from("shop.bundle"), length(&bundle)));
    let longest = written.iter().map(|(_, length)| *length).max().unwrap_or(0);
    let bytes: Vec<u8> = b"<p>a page</p>\n".iter().copied().cycle().take(longest).collect();

    let started = Instant::now();
    let looked_at = files(&site.join("content")).len();
    let looking = started.elapsed();

    let started = Instant::now();
    let of =
        |folder: &str| files(&site.join(folder)).into_iter().map(|(path, _)| site.join(folder).join(path)).collect::<Vec<_>>();
    let inputs = [of("content"), of("templates"), vec![site.join("site.toml")]].concat();
    let read: usize = inputs.par_iter().map_init(Vec::new, |buffer, path| read_into(buffer, path)).sum();
    let reading = started.elapsed();

    let products: Vec<String> = of("content/products").iter().map(|path| fs::read_to_string(path).expect("a product")).collect();
    let mut tera = Tera::new();
    tera.add_raw_templates([("page.html", PAGE)]).expect("a template");
    let started = Instant::now();
    let printed: usize = products.par_iter().map_init(Vec::new, |buffer, product| print_into(buffer, &tera, product)).sum();
    let working = started.elapsed();

    let started = Instant::now();
    let mut folders: Vec<PathBuf> = written.iter().filter_map(|(path, _)| path.parent()).map(|path| dest.join(path)).collect();
    folders.sort_unstable();
    folders.dedup();
    folders.iter().for_each(|folder| fs::create_dir_all(folder).expect("a folder"));
    written.par_iter().for_each(|(path, length)| {
        let file = fs::OpenOptions::new().write(true).create_new(true).open(dest.join(path));
        file.and_then(|mut file| file.write_all(&bytes[..*length])).expect("a file");
    });
    let writing = started.elapsed();
    let sum: usize = written.iter().map(|(_, length)| length).sum();
    println!(
        "{{\"looked_at\": {looked_at}, \"inputs\": {}, \"read_bytes\": {read}, \"products\": {}, \
         \"printed_bytes\": {printed}, \"files\": {}, \"bytes\": {sum}, \
         \"look_s\": {:.3}, \"read_s\": {:.3}, \"work_s\": {:.3}, \"write_s\": {:.3}}}",
        inputs.len(),
        products.len(),
        written.len(),
        looking.as_secs_f64(),
        reading.as_secs_f64(),
        working.as_secs_f64(),
        writing.as_secs_f64()
    );
}

fn read_into(buffer: &mut Vec<u8>, path: &Path) -> usize {
    buffer.clear();
    fs::File::open(path).and_then(|mut file| file.read_to_end(buffer)).expect("an input")
}

/// What no program that shows the product by these libraries can leave out.
fn print_into(buffer: &mut Vec<u8>, tera: &Tera, product: &str) -> usize {
    let (front, text) = product.trim_start_matches("+++\n").split_once("\n+++\n").expect("front matter");
    let product: toml::Table = toml::from_str(front).expect("TOML");
    let mut body = String::with_capacity(2 * text.len());
    pulldown_cmark::html::push_html(&mut body, Parser::new_ext(text, Options::ENABLE_TABLES));
    let data = json!({"@context": "https://schema.org", "@type": "Product", "name": product["title"], "brand": product["brand"],
        "image": product["images"], "offers": product["variants"]});
    let mut context = Context::new();
    context.insert("product", &product);
    context.insert("body", &body);
    context.insert("data", &data.to_string());
    buffer.clear();
    tera.render_to("page.html", &context, &mut *buffer).expect("a page");
    buffer.len()
}

fn length(path: &Path) -> usize {
    usize::try_from(fs::metadata(path).expect("its length").len()).expect("it fits")
}

/// Files below a folder with their lengths.
fn files(root: &Path) -> Vec<(PathBuf, usize)> {
    let entries = WalkDir::new(root).into_iter().map(|entry| entry.expect("a readable folder"));
    let is_file = |entry: &walkdir::DirEntry| entry.file_type().is_file();
    let one = |entry: walkdir::DirEntry| (entry.path().strip_prefix(root).expect("below it").to_owned(), length(entry.path()));
    entries.filter(is_file).map(one).collect()
}
