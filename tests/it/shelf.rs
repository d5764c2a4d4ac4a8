//! Shelf: where orders are kept is said once, for the edge and for every command beside it.

use std::path::Path;

use vitrine::commerce::ids::Timestamp;

use crate::support::place;
use crate::support::shop::vitrine;

/// Runs a command with a database's address in its environment.
fn run(folder: &Path, address: &str, words: &[&str]) -> (i32, String, String) {
    let output = vitrine(folder).args(words).env("VITRINE_DATABASE_URL", address).output().expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[test]
fn an_address_that_is_none_is_refused_without_its_password() {
    let folder = tempfile::tempdir().expect("a folder");
    for (address, expected) in [
        ("mysql://ada:s3crete@db/shop", "postgresql://USER:PASSWORD@HOST:5432/DATABASE"),
        ("postgresql://ada:s3/crete@db:port/shop", "%2F"),
        ("postgresql://db.example/shop", "names no user"),
        ("postgresql://ada:s3crete@db/shop?sslmode=maybe", "verify-full"),
        ("postgresql://ada:s3crete@db/shop?sslrootcert=/nowhere/ca.pem", "/nowhere/ca.pem"),
    ] {
        for words in [&["stock", "show"][..], &["orders", "list"], &["store", "verify"], &["edge", "resume", "payments"]] {
            let (code, _, told) = run(folder.path(), address, words);
            assert!(code == 2 && told.contains("VITRINE_DATABASE_URL") && told.contains(expected), "{words:?} {code} {told}");
            assert!(!told.contains("crete"), "{told}");
        }
    }
}

#[test]
fn a_file_and_a_database_at_once_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, _, told) = run(folder.path(), "postgresql://ada@db/shop", &["stock", "show", "--store", "shop.db"]);
    assert!(code == 2 && told.contains("VITRINE_DATABASE_URL") && told.contains("shop.db"), "{told}");
}

#[test]
fn a_database_that_is_not_there_is_named_without_its_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let address = format!("postgresql://ada:s3crete@{nobody}/shop");
    let (code, _, told) = run(folder.path(), &address, &["stock", "show"]);
    assert!(code == 3 && told.contains(&format!("ada at {nobody}, database shop")), "{code} {told}");
    assert!(told.contains("see that it runs"), "{told}");
    assert!(!told.contains("s3crete"), "{told}");
}

#[test]
fn commands_work_on_the_database_that_the_edges_share() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(address) = place::address(folder.path()) else { return };
    let (code, out, told) = run(folder.path(), &address, &["stock", "set", "LAMP-S", "7", "--json"]);
    assert!(code == 0 && out.contains("\"on_hand\": 7"), "{out}{told}");
    let store = place::open(folder.path());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let adjusted = runtime.block_on(store.adjust_stock(&"LAMP-S".into(), -2, "", Timestamp(1_790_000_000)));
    assert_eq!(adjusted.expect("it is there").on_hand, 5);
    let (code, out, _) = run(folder.path(), &address, &["stock", "export"]);
    assert_eq!((code, out.as_str()), (0, "sku,on_hand,reserved,sold\nLAMP-S,5,0,0\n"));
    let (code, out, told) = run(folder.path(), &address, &["store", "verify"]);
    assert!(code == 0 && out.contains("whole, schema 18, 0 orders"), "{out}{told}");
    let (code, _, told) = run(folder.path(), &address, &["store", "backup", "copy.db"]);
    assert!(code == 2 && told.contains("pg_dump"), "{told}");
    // Whoever looks at a file says which.
    let (code, _, told) = run(folder.path(), &address, &["store", "verify", "none.db"]);
    assert!(code == 3 && told.contains("there is no store at none.db"), "{told}");
}

#[test]
fn an_edge_that_would_look_elsewhere_than_the_shop_says_does_not_start() {
    // An edge that got past the question would end at this address, which is taken.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = taken.local_addr().expect("its address").to_string();
    let database = "postgresql://ada:s3crete@127.0.0.1:1/shop";
    for (engine, address, expected) in
        [("postgres", None, "set VITRINE_DATABASE_URL to"), ("sqlite", Some(database), "write engine = \"postgres\"")]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let shop = |words: &[&str]| vitrine(folder.path()).args(words).output().expect("the binary runs").status.code();
        assert_eq!(shop(&["init", "."]), Some(0));
        let site = folder.path().join("site.toml");
        let text = std::fs::read_to_string(&site).expect("written by init");
        std::fs::write(&site, format!("{text}\n[store]\nengine = \"{engine}\"\n")).expect("written");
        assert_eq!(shop(&["build"]), Some(0));
        let mut edge = vitrine(folder.path());
        edge.args(["edge", "--listen", &listen, "--operator", "127.0.0.1:0"]);
        edge.envs(address.map(|address| ("VITRINE_DATABASE_URL", address)));
        let output = edge.output().expect("the binary runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && told.contains(expected), "{engine}: {told}");
        assert!(!told.contains("s3crete"), "{told}");
        assert!(!folder.path().join(".vitrine/shop.db").exists(), "nothing was begun");
    }
}
