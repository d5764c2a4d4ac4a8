//! Dialects: what a source may declare of how its file is written, and that the way in which values are written leaves no trace in a shop.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use vitrine::site::load::sources::{self, BulkFormat, BulkSource};
use vitrine::site::problem::Problems;

use crate::support::shop::{build, changed, folder, rules, run, site, tree};

const AS_OF: &str = "2026-12-01T00:00:00Z";

/// A shop that sells what one source holds.
fn shop(source: &str, file: &str, bytes: &[u8]) -> tempfile::TempDir {
    let folder = folder(&[("site.toml", &(site("EUR") + "\n[[sources]]\n" + source + "\n"))]);
    fs::write(folder.path().join(file), bytes).expect("written");
    folder
}

/// Builds what must not be built; gives what is told.
#[track_caller]
fn refused(shop: &tempfile::TempDir) -> String {
    let (code, _, told) = run(shop.path(), &["build"]);
    assert_eq!(code, 1, "{told}");
    assert!(!shop.path().join("public").exists(), "{told}");
    told
}

fn utf_16(text: &str) -> Vec<u8> {
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn another_encoding_is_read_where_it_is_declared_and_told_with_its_place_where_it_is_not() {
    let csv = "format = \"shopify\"\npath = \"x.csv\"";
    let lines = "format = \"jsonl\"\npath = \"x.jsonl\"";
    let json = "format = \"json\"\npath = \"x.json\"\nmap = { title = \"t\", price = \"p\" }";
    let latin = b"Handle,Title,Variant Price\nmug,Mug,1\ncafe,Caf\xe9 \x80,2\n";
    for (source, file, bytes, encoding, places) in [
        (csv, "x.csv", latin.to_vec(), "windows-1252", "x.csv:3:2: the byte 0xE9 is not UTF-8"),
        (csv, "x.csv", utf_16("Handle,Title,Variant Price\nmug,Mug,1\ncafe,Café €,2\n"), "utf-16", "x.csv:1: this file is written in UTF-16"),
        (
            lines,
            "x.jsonl",
            b"{\"title\": \"Mug\", \"slug\": \"mug\", \"price\": 1}\n{\"title\": \"Caf\xe9 \xa4\", \"slug\": \"cafe\", \"price\": 2}\n".to_vec(),
            "ISO-8859-15",
            "x.jsonl:2:15: the byte 0xE9 is not UTF-8",
        ),
        (
            json,
            "x.json",
            b"[{\"t\": \"Mug\", \"p\": 1},\n {\"t\": \"Caf\xe9 \x80\", \"p\": 2}]".to_vec(),
            "iso-8859-1",
            "x.json:2:12: the byte 0xE9 is not UTF-8",
        ),
    ] {
        let told = refused(&shop(source, file, &bytes));
        let (place, message) = places.split_once(": ").expect("both");
        assert!(told.contains(place) && told.contains(message), "{places}: {told}");
        assert!(told.contains("`encoding = \"") && told.contains("`--encoding` for an import"), "{told}");
        let declared = shop(&format!("{source}\nencoding = \"{encoding}\""), file, &bytes);
        let (code, _, told) = run(declared.path(), &["build"]);
        assert_eq!(code, 0, "{told}");
        let pages = tree(&declared.path().join("public/products"));
        let has_title = |page: &Vec<u8>| String::from_utf8_lossy(page).contains("Café €");
        assert!(pages.values().any(has_title), "{encoding}: {:?}", pages.keys());
    }
}

#[test]
fn what_a_declared_encoding_does_not_know_is_told_with_its_place() {
    for (source, file, bytes, place) in [
        ("format = \"shopify\"", "x.csv", &b"Handle,Title,Variant Price\nmug,Mug,1\nvase,\"Va\nse \x81\",2\n"[..], "x.csv:3:2"),
        ("format = \"jsonl\"", "x.csv", b"{\"title\": \"Mug\", \"price\": 1}\n{\"title\": \"\xe9\x81\"}\n", "x.csv:2:13"),
        ("format = \"json\"\nmap = { title = \"t\" }", "x.csv", b"[{\"t\": \"Mug\"},\n {\"t\": \"\xe9\x81\"}]\n", "x.csv:2:10"),
    ] {
        let told = refused(&shop(&format!("{source}\npath = \"x.csv\"\nencoding = \"windows-1252\""), file, bytes));
        assert!(told.contains(place) && told.contains("the byte 0x81 is not windows-1252"), "{source}: {told}");
    }
    let told = refused(&shop("format = \"shopify\"\npath = \"x.csv\"\nencoding = \"latin9\"", "x.csv", b"Handle\n"));
    for part in ["site.toml:", "nobody here knows the encoding `latin9`", "utf-16le", "iso-8859-15"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_table_without_header_and_with_a_sign_of_its_own_is_read_as_declared() {
    let rows = b"mug,blue~Mug~1.50\nvase~Vase~2,50\n";
    let source = "format = \"shopify\"\npath = \"x.csv\"";
    let told = refused(&shop(source, "x.csv", rows));
    assert!(
        told.contains("x.csv:1") && told.contains("the header has no column Handle") && told.contains("`columns = ["),
        "{told}"
    );
    let told = refused(&shop(source, "x.csv", b"Handle,Title\nmug,Mug\n"));
    assert!(told.contains("the header has no column Variant Price") && !told.contains("`columns = ["), "it has a header: {told}");
    let columns = "columns = [\"Handle\", \"Title\", \"Variant Price\"]";
    let declared = shop(&format!("{source}\ndelimiter = \"~\"\n{columns}"), "x.csv", b"mug~Mug, blue~1.50\nvase~Vase~2,50\n");
    let (code, _, told) = run(declared.path(), &["build"]);
    assert_eq!(code, 0, "{told}");
    let page = |slug: &str| fs::read_to_string(declared.path().join(format!("public/products/{slug}.html"))).expect("a page");
    assert!(page("mug").contains("Mug, blue") && page("vase").contains("2.50"), "the first row is a product like the others");
    for (settings, file, parts) in [
        (columns, &b"Handle,Title,Variant price\nmug,Mug,1\n"[..], ["x.csv:1", "take `columns` out"]),
        (
            "columns = [\"Handle\", \"Title\"]",
            b"mug,Mug\n",
            ["the declared `columns` have no Variant Price", "name the columns as"],
        ),
        ("columns = []", b"mug,Mug\n", ["site.toml:", "a table has at least one column"]),
        ("delimiter = \"ab\"", b"Handle\n", ["this cannot stand between columns", "or the word `tab`"]),
    ] {
        let told = refused(&shop(&format!("{source}\n{settings}"), "x.csv", file));
        assert!(parts.iter().all(|part| told.contains(part)), "{settings}: {told}");
    }
    for setting in ["delimiter = \";\"", "columns = [\"title\"]"] {
        let told =
            refused(&shop(&format!("format = \"jsonl\"\npath = \"x.jsonl\"\n{setting}"), "x.jsonl", b"{\"title\": \"A\"}\n"));
        assert!(told.contains("site.toml:") && told.contains("and this format is none"), "{told}");
    }
}

#[test]
fn an_import_takes_the_same_settings_as_flags() {
    let folder = folder(&[("site.toml", &site("EUR"))]);
    fs::write(folder.path().join("x.txt"), b"cafe\tCaf\xe9, noir\t2\n").expect("written");
    let flags = [
        "import",
        "shopify",
        "x.txt",
        "--encoding",
        "Windows-1252",
        "--delimiter",
        "tab",
        "--columns",
        "handle,title,variant price",
    ];
    let (code, _, told) = run(folder.path(), &flags);
    let written = fs::read_to_string(folder.path().join("content/products/cafe.md")).unwrap_or_default();
    assert!(code == 0 && written.contains("title = \"Café, noir\""), "{told}{written}");
    let (code, _, told) = run(folder.path(), &["import", "shopify", "x.txt", "--encoding", "latin9"]);
    assert!(code == 2 && told.contains("utf-16le"), "{told}");
    let (code, _, told) = run(folder.path(), &["import", "jsonl", "x.txt", "--delimiter", ";"]);
    assert!(code == 2 && told.contains("this format is none"), "{told}");
}

#[test]
fn options_that_add_to_a_price_stop_their_product_and_no_other() {
    let told = |format: BulkFormat, text: &str| {
        let mut problems = Problems::new();
        let source = BulkSource::new(format, "x", PathBuf::new());
        let found = sources::parse(text.as_bytes(), &source, &rules("EUR"), &mut problems);
        let slugs: Vec<String> = found.products.iter().map(|one| one.product.slug.to_string()).collect();
        problems.sort();
        let told = problems.all().iter().map(|one| (one.line, one.column, one.left_out, one.message.clone()));
        (slugs.join(" "), told.collect::<Vec<_>>(), problems)
    };
    let magento = "sku,name,price,product_type,visibility,custom_options,configurable_variations,configurable_variation_prices\n\
        RING,Ring,50,simple,4,\"name=Engraving,type=field,required=0,price=10.0000,sku=|name=Box,type=checkbox,price=0.0000\",,\n\
        CUP,Cup,5,simple,4,\"name=Your text,type=field,required=1,price=0.0000,max_characters=20\",,\n\
        TEE,Tee,,configurable,4,,\"sku=TEE-S,size=S|sku=TEE-L,size=L\",\"name=Size,value=S,price=0|name=Size,value=L,price=2.50\"\n\
        TEE-S,Tee S,9,simple,1,,,\nTEE-L,Tee L,9,simple,1,,,\nMUG,Mug,3,simple,4,,,\n";
    let (slugs, problems, all) = told(BulkFormat::Magento, magento);
    assert_eq!(slugs, "cup mug");
    assert_eq!(problems[0], (2, 6, true, "`Engraving` changes the price by 10.0000; this product is left out".to_owned()));
    assert_eq!((problems[1].0, problems[1].2), (3, false), "a text costs nothing: {problems:?}");
    assert_eq!(problems[2], (4, 8, true, "`Size: L` changes the price by 2.50; this product is left out".to_owned()));
    assert_eq!(problems.len(), 3);
    assert!(all.render(false).contains("make every choice a variant with a price of its own"));
    let woo = "Type,SKU,Name,Regular price,Meta: _product_addons\n\
        simple,A,Ring,50,\"a:1:{i:0;a:2:{s:4:\"\"name\"\";s:4:\"\"Text\"\";s:5:\"\"price\"\";s:2:\"\"10\"\";}}\"\n\
        simple,B,Cup,5,\"[{\"\"name\"\":\"\"Text\"\",\"\"price\"\":\"\"\"\"}]\"\nsimple,C,Mug,3,\"[{\"\"price\"\":\"\"1.5\"\"}]\"\n";
    let (slugs, problems, _) = told(BulkFormat::Woocommerce, woo);
    assert_eq!(slugs, "cup");
    let places: Vec<_> = problems.iter().map(|(line, column, left_out, _)| (*line, *column, *left_out)).collect();
    assert_eq!(places, [(2, 5, true), (4, 5, true)]);
}

#[test]
fn values_in_another_form_give_the_same_bytes_and_a_changed_one_only_its_own_pages() {
    let sources = "format = \"shopify\"\npath = \"a.csv\"\n\n[[sources]]\nformat = \"magento\"\npath = \"b.csv\"\nweight_unit = \"kg\"\n\n\
        [[sources]]\nformat = \"json\"\npath = \"c.json\"\nmap = { title = \"t\", price = \"p\", compare_at = \"c\", stock = \"s\" }\n\n\
        [[sources]]\nformat = \"woocommerce\"\npath = \"d.csv\"";
    let shop = shop(sources, "a.csv", b"");
    let write = |files: [&str; 4]| {
        let names = ["a.csv", "b.csv", "c.json", "d.csv"];
        names.iter().zip(files).for_each(|(name, text)| fs::write(shop.path().join(name), text).expect("written"));
    };
    let one = [
        "Handle,Title,Variant Price,Variant Compare At Price,Variant Inventory Qty,Variant Grams,Published\nlamp,Lamp,25,0,3,0,TRUE\n",
        "sku,name,price,qty,weight,product_online,is_in_stock\nV,Vase,9.9,25,1.5,1,1\n",
        "[{\"t\": \"Mug\", \"p\": 3, \"c\": 4.5, \"s\": 7}]",
        "Type,SKU,Name,Published,In stock?,Stock,Regular price,Sale price\nsimple,M,Mat,1,1,4,18,16.5\n",
    ];
    let other = [
        "\u{feff}handle;title;Variant price;Variant compare at price;Variant inventory qty;Variant grams;Published\r\nlamp;Lamp;25.00;0.00;3.0;0.0;true\r\n",
        "sku,name,price,qty,weight,product_online,is_in_stock\n\nV , Vase ,9.9000,25.0000,1.500,1,1\n",
        "{\"t\": \"Mug\", \"p\": \"3.00\", \"c\": 4.50, \"s\": 7.0}\n",
        "type\tSKU\tName\tPublished\tIn stock?\tStock\tRegular price\tSale price\nsimple\tM\tMat\t1\tyes\t4.0\t\"18,00\"\t16.50\n",
    ];
    write(one);
    build(shop.path(), AS_OF, &[]);
    let first = tree(&shop.path().join("public"));
    let bundle = |name: &str| fs::read(shop.path().join(name)).expect("a bundle");
    write(other);
    build(shop.path(), AS_OF, &["--no-cache", "--out", "again", "--bundle", "again.bundle"]);
    assert_eq!(changed(&first, &tree(&shop.path().join("again"))), [""; 0]);
    assert!(bundle("shop.bundle") == bundle("again.bundle"));
    let warm = build(shop.path(), AS_OF, &[]);
    assert_eq!(changed(&first, &tree(&shop.path().join("public"))), [""; 0], "{warm}");
    let dearer = other[2].replace("3.00", "3.25");
    write([other[0], other[1], &dearer, other[3]]);
    build(shop.path(), AS_OF, &[]);
    let differing: BTreeSet<String> = changed(&first, &tree(&shop.path().join("public"))).into_iter().collect();
    let pages: Vec<&String> = differing.iter().filter(|path| path.starts_with("products/")).collect();
    assert_eq!(pages, ["products/mug.html"], "{differing:?}");
}
