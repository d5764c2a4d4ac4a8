//! `vitrine report`: shoppers whose truth is known are sent through the shop, and the report has to find it.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use vitrine::edge::app::Settings;
use vitrine::edge::counted;
use vitrine::store::aggregates::Aggregates;
use vitrine::telemetry::vitals::{Band, Bucket, Connection, Device, Origin};

use crate::limits::Buyer;
use crate::support::counter::details;
use crate::support::edge::{Caller, NOW};
use crate::support::rig::Rig;
use crate::support::shop::run;

/// Shoppers of each band.
const SHOPPERS: u32 = 200;
/// Truth by band: how many of a hundred carts become checkouts, and how many of those orders.
const TRUTH: [(Band, f64, f64); 4] =
    [(Band::Under1s, 0.60, 0.50), (Band::Under2s, 0.50, 0.40), (Band::Under4s, 0.40, 0.35), (Band::Over4s, 0.25, 0.30)];

/// Lots, the same in each run (SplitMix64).
struct Lots(u64);

impl Lots {
    fn falls(&mut self, share: f64) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 <= share
    }
}

fn write_down(rig: &Rig, folder: &Path) {
    let aggregates = Aggregates::open_file(&folder.join("shop.metrics.db")).expect("a file");
    rig.run(counted::write_down(&rig.app, &aggregates, "one")).expect("written");
}

fn hours() -> [String; 2] {
    [0, 7_200].map(|more| jiff::Timestamp::from_second(NOW.0 + more).expect("an instant").to_string())
}

fn report(folder: &Path, more: &[&str]) -> (i32, String, String) {
    let [since, until] = hours();
    let mut words = vec!["report", "--store", "shop.db", "--since", &since, "--until", &until];
    words.extend(more);
    run(folder, &words)
}

#[test]
fn the_truth_of_known_shoppers_is_found_within_its_intervals() {
    // However busy this machine is, nobody gives up waiting.
    let patience = Duration::from_secs(600);
    let rig = Rig::with(Settings { patience, payments_per_second: 10_000, ..Settings::default() });
    let mut lots = Lots(20_261_128);
    let mut orders = 0;
    for (band, checks_out, pays) in TRUTH {
        let bucket = Bucket { band, device: Device::Phone, connection: Connection::Fast, origin: Origin::Product };
        for _ in 0..SHOPPERS {
            let mut caller = Caller::new(&rig.app);
            let add = json!({"sku": "PATTERN", "quantity": 1, "vitals": bucket.number()});
            caller.json("POST", "/api/v1/cart/lines", add).expect(200);
            if !lots.falls(checks_out) {
                continue;
            }
            let opened = caller.json("POST", "/api/v1/checkouts", json!({})).expect(201).json();
            if !lots.falls(pays) {
                continue;
            }
            let path = format!("/api/v1/checkouts/{}", opened["id"].as_str().expect("an id"));
            let ready = caller.json("PATCH", &path, details()).expect(200).json();
            let mut buyer = Buyer { caller, path, ready };
            let paying = buyer.pay().expect(200).json();
            Buyer::gives_card(&rig, &paying);
            buyer.look();
            orders += 1;
        }
    }
    for _ in 0..20 {
        if rig.captured() == orders {
            break;
        }
        rig.pass(40);
        rig.round();
    }
    assert_eq!(rig.captured(), orders);
    let folder = tempfile::tempdir().expect("a folder");
    write_down(&rig, folder.path());
    let (code, out, told) = report(folder.path(), &["--json"]);
    assert_eq!(code, 0, "{told}");
    let found: Value = serde_json::from_str(&out).expect("JSON");
    let whole = found["total"]["revenue"][0]["amount"].as_u64().expect("money");
    let mut shown = 0;
    for (band, checks_out, pays) in TRUTH {
        let groups = found["bands"].as_array().expect("bands");
        let group = groups.iter().find(|group| group["name"] == band.word()).expect("its band");
        let told = &group["told"];
        assert_eq!(told["carts"], SHOPPERS, "{group}");
        let truths =
            [("conversion", checks_out * pays), ("cart_abandonment", 1.0 - checks_out), ("checkout_abandonment", 1.0 - pays)];
        for (name, truth) in truths {
            let (low, high) = (told[name]["low"].as_f64().expect("low"), told[name]["high"].as_f64().expect("high"));
            assert!(low <= truth && truth <= high, "{} of {}: {truth} is not within {low} and {high}", name, band.word());
            assert!(high - low < 0.35, "and the interval says something");
        }
        let paid = told["orders"].as_u64().expect("orders");
        // Each paid the same; money of few orders is not shown.
        if let Some(money) = told["revenue"][0]["amount"].as_u64() {
            assert!(paid >= 20, "{told}");
            assert_eq!(money * orders as u64, whole * paid, "{told}");
            shown += 1;
        }
    }
    assert!(shown >= 2, "{found}");
    assert_eq!(found["total"]["orders"], orders);
}

#[test]
fn a_report_is_text_json_and_a_page_over_a_period_or_an_event() {
    let rig = Rig::open();
    let mut buyer = Buyer::at(&rig);
    let paying = buyer.pay().expect(200).json();
    Buyer::gives_card(&rig, &paying);
    rig.round();
    let folder = tempfile::tempdir().expect("a folder");
    write_down(&rig, folder.path());
    let (code, text, told) = report(folder.path(), &[]);
    assert!(code == 0 && text.contains("1 orders") && text.contains("not shown"), "{text}{told}");
    let (code, text, told) = report(folder.path(), &["--html", "report.html"]);
    assert!(code == 0 && text.is_empty() && told.contains("report.html: written"), "{text}{told}");
    let page = std::fs::read_to_string(folder.path().join("report.html")).expect("written");
    assert!(page.contains("<svg") && page.contains("<table") && !page.contains("<script"), "{page}");
    // An event is held against the week before.
    let [begin, _] = hours();
    let event = format!("{begin}/2h");
    let (code, text, told) = run(folder.path(), &["report", "--store", "shop.db", "--event", &event]);
    assert!(code == 0 && text.contains("A week before: 0 page views"), "{text}{told}");
}

#[test]
fn a_period_without_anything_and_one_of_ages_are_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, _, told) = report(folder.path(), &[]);
    assert!(code == 3 && told.contains("nothing was counted yet"), "{told}");
    write_down(&Rig::open(), folder.path());
    let (code, text, _) = report(folder.path(), &[]);
    assert!(code == 0 && text.contains("Nothing was counted in this period."), "{text}");
    let ages = ["report", "--store", "shop.db", "--since", "0001-01-01", "--until", "9999-01-01"];
    let (code, text, told) = run(folder.path(), &ages);
    assert!(code == 0 && text.contains("Nothing was counted"), "{text}{told}");
    for wrong in [["--since", "2026-12-01"], ["--event", "Someday/2h"]] {
        let mut words = vec!["report", "--store", "shop.db", "--until", "2026-11-01"];
        if wrong[0] == "--event" {
            words.truncate(3);
        }
        words.extend(wrong);
        assert_eq!(run(folder.path(), &words).0, 2, "{words:?}");
    }
}
