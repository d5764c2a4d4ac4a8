//! Killed: whatever ends a build, and whenever, what was published before stands, and the next build gives what a build from nothing
//! gives.
//!
//! `VITRINE_BUILD_KILLS=n` says at how many random moments builds are ended by a signal, and has every change of the disk met by a
//! fault instead of one in a few.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::luck::Luck;
use crate::support::altered::{Altered, Edit, Left, Matter, Part, edits};
use crate::support::cases;
use crate::support::shop::run;

/// Signals of a usual run.
const KILLS: u64 = 12;

/// Of so many changes of a build one is met by a fault in a usual run.
const STRIDE: usize = 5;

fn kills() -> Option<u64> {
    std::env::var("VITRINE_BUILD_KILLS").ok().map(|text| text.parse().expect("a number"))
}

fn stride() -> usize {
    if kills().is_some() { 1 } else { STRIDE }
}

/// Two shops: one page goes, one comes, some change; a picture, a line of a bulk file and a translation too.
fn turned(shop: &mut Altered, turn: u32) {
    let edits = [
        Edit::Thing(0, Part::Price, turn + 1),
        Edit::Thing(1, Part::Picture, turn + 2),
        Edit::Thing(1, Part::German, turn + 1),
        Edit::Thing(2, Part::Slug, turn),
        Edit::Shop(Matter::Lines, turn + 1),
    ];
    edits.into_iter().for_each(|edit| shop.model.apply(edit));
    shop.write();
}

/// The two shops, built from nothing; the first of them is the output.
fn two() -> (Altered, [Left; 2]) {
    let mut shop = Altered::new();
    turned(&mut shop, 1);
    let second = shop.built_anew();
    turned(&mut shop, 0);
    let first = shop.built_anew();
    shop.build(&[]);
    shop.is(&first);
    (shop, [first, second])
}

// Changes that a build of `wanted` makes at least, what lies there being `left`: two locks, and for each file that it writes two.
fn changes_at_least(shop: &Altered, wanted: &Left) -> u64 {
    if shop.journal_stands() {
        let staged = walkdir::WalkDir::new(shop.path().join(".public.stage")).into_iter().filter_map(Result::ok);
        return 1 + staged.filter(|entry| entry.file_type().is_file()).count() as u64;
    }
    let left = shop.left();
    2 + 2 * wanted.public.iter().filter(|(name, bytes)| left.public.get(*name) != Some(bytes)).count() as u64
}

/// Edits, then builds that are killed somewhere (in thousandths of their changes at least), each followed by more edits, then one that
/// is left alone.
type Round = (Vec<Edit>, Vec<(u64, Vec<Edit>)>);

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let after = prop_oneof![Just(Vec::new()), edits()];
    prop::collection::vec((edits(), prop::collection::vec((0..1000u64, after), 0..3)), 1..4)
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn any_edits_and_kills_give_what_a_build_from_nothing_gives(rounds in rounds()) {
        let mut shop = Altered::new();
        shop.build(&[]);
        for (edits, kills) in rounds {
            let mut known = vec![shop.left()];
            edits.into_iter().for_each(|edit| shop.model.apply(edit));
            shop.write();
            let mut wanted = shop.built_anew();
            for (share, edits) in kills {
                let at = 1 + share * changes_at_least(&shop, &wanted) / 1000;
                prop_assert_eq!(shop.faulty_build(&format!("kill:{at}")), None, "it was to be killed at change {}", at);
                known.push(wanted.clone());
                shop.is_whole(&known);
                if !edits.is_empty() {
                    edits.into_iter().for_each(|edit| shop.model.apply(edit));
                    shop.write();
                    wanted = shop.built_anew();
                }
            }
            shop.build(&[]);
            shop.is(&wanted);
            prop_assert_eq!(shop.litter(), Vec::<String>::new());
        }
        let told = shop.build(&[]);
        prop_assert!(told.contains(": 0 written, 0 removed"), "{}", told);
    }
}

#[test]
fn at_every_change_a_killed_build_leaves_the_old_pages_or_the_new_and_the_next_gives_the_new() {
    let (mut shop, shops) = two();
    let mut met = [0; 3];
    for (count, at) in (1..).step_by(stride()).enumerate() {
        let (old, new) = (&shops[count % 2], &shops[(count + 1) % 2]);
        turned(&mut shop, (count as u32 + 1) % 2);
        // Without a memory at times: then that is written as well, and nothing is known of the pages.
        if count % 3 == 2 {
            fs::remove_dir_all(shop.path().join(".vitrine/cache")).expect("it may be deleted at any time");
        }
        let code = shop.faulty_build(&format!("kill:{at}"));
        shop.is_whole(&[old.clone(), new.clone()]);
        match (code, shop.journal_stands()) {
            (None, false) if shop.left().public == old.public => met[0] += 1,
            (None, true) => met[1] += 1,
            (None, false) => met[2] += 1,
            (code, _) => assert_eq!(code, Some(0)),
        }
        shop.build(&[]);
        shop.is(new);
        assert_eq!(shop.litter(), Vec::<String>::new());
        if code == Some(0) {
            break;
        }
    }
    println!("changes killed before the journal, within it, after it: {met:?}");
    assert!(met[0] * stride() > 15 && met[1] * stride() > 8, "{met:?}");
}

#[test]
fn a_build_that_a_signal_ends_at_any_moment_leaves_the_old_pages_or_the_new() {
    let kills = kills().unwrap_or(KILLS);
    let (mut shop, shops) = two();
    let mut luck = Luck::of(7);
    // How long a whole build takes here, about.
    let mut whole = Duration::ZERO;
    let mut killed = 0;
    for at in 1..=kills {
        let turn = (at % 2) as usize;
        turned(&mut shop, turn as u32);
        if luck.below(3) == 0 {
            fs::remove_dir_all(shop.path().join(".vitrine/cache")).expect("it may be deleted at any time");
        }
        let (started, moment) = (Instant::now(), whole * luck.below(1100) as u32 / 1000);
        let mut build = shop.command(&[]).stderr(std::process::Stdio::null()).spawn().expect("the binary runs");
        while at > 1 && started.elapsed() < moment && build.try_wait().expect("our child").is_none() {
            std::thread::yield_now();
        }
        if at > 1 {
            build.kill().expect("our child");
        }
        let ended = build.wait().expect("our child");
        killed += u64::from(ended.code().is_none());
        if ended.success() {
            whole = started.elapsed();
        }
        shop.is_whole(&shops);
        shop.build(&[]);
        shop.is(&shops[turn]);
        assert_eq!(shop.litter(), Vec::<String>::new());
    }
    println!("builds ended by a signal: {killed} of {kills}");
    assert!(killed * 2 > kills, "{killed} of {kills}");
}

#[test]
fn a_first_build_that_is_killed_leaves_no_half_folder() {
    let shop = Altered::new();
    let mut at = 1;
    while shop.faulty_build(&format!("kill:{at}")) != Some(0) {
        let is_whole = shop.path().join("public/manifest.json").is_file();
        assert!(is_whole || !shop.path().join("public/index.html").exists(), "killed at change {at}");
        at += 3;
    }
    assert!(at > 12, "the fault was met");
    shop.build(&[]);
    shop.is(&shop.built_anew());
}

#[test]
fn a_full_disk_is_told_and_leaves_the_old_pages_and_nothing_beside_them() {
    let (mut shop, shops) = two();
    let mut met = [0; 2];
    for (count, at) in (1..).step_by(stride()).enumerate() {
        turned(&mut shop, 1);
        if count % 2 == 1 {
            fs::remove_dir_all(shop.path().join(".vitrine/cache")).expect("it may be deleted at any time");
        }
        let code = shop.faulty_build(&format!("full:{at}"));
        if code == Some(0) {
            break;
        }
        assert_eq!(code, Some(3), "the world failed at change {at}");
        shop.is_whole(&shops);
        if shop.journal_stands() {
            met[1] += 1;
            // What is staged is what the journal names: the next build needs it.
            shop.build(&[]);
            shop.is(&shops[1]);
            turned(&mut shop, 0);
            shop.build(&[]);
        } else {
            met[0] += 1;
            assert_eq!(shop.left().public, shops[0].public, "change {at}");
            assert_eq!(shop.litter(), Vec::<String>::new(), "change {at}");
        }
    }
    println!("changes refused before the journal, within it: {met:?}");
    assert!(met[0] * stride() > 15 && met[1] * stride() > 8, "{met:?}");
    shop.build(&[]);
    shop.is(&shops[1]);
}

#[test]
fn what_was_staged_and_is_lost_is_made_again() {
    let (mut shop, shops) = two();
    let mut lost = 0;
    for at in (20..).step_by(2 * stride()) {
        turned(&mut shop, 1);
        let code = shop.faulty_build(&format!("kill:{at}"));
        if shop.journal_stands() {
            // As somebody who tidies up does it.
            lost += 1;
            fs::remove_dir_all(shop.path().join(".public.stage")).expect("it is there");
        }
        shop.build(&[]);
        shop.is(&shops[1]);
        turned(&mut shop, 0);
        shop.build(&[]);
        shop.is(&shops[0]);
        if code == Some(0) {
            break;
        }
    }
    assert!(2 * lost * stride() > 8, "{lost}");
}

#[test]
fn a_second_build_into_one_place_is_refused_and_a_check_waits() {
    let shop = Altered::new();
    shop.build(&[]);
    let before = shop.left();
    for (lock, place) in [(".public.lock", "public"), (".shop.bundle.lock", "shop.bundle")] {
        let held = File::create(shop.path().join(lock)).expect("a file");
        held.try_lock().expect("nobody has it");
        fs::write(shop.path().join(lock), "process 4711").expect("written");
        let (code, _, told) = run(shop.path(), &["build"]);
        assert_eq!(code, 3, "{told}");
        for part in [place, "process 4711", "wait until", "--out"] {
            assert!(told.contains(part), "{part} in {told}");
        }
        assert_eq!(shop.left(), before);
    }
    shop.build(&[]);
    assert_eq!(shop.litter(), Vec::<String>::new(), "what the dead left is taken away");
    // Not asked for by hand into this place: it has time.
    let folder = shop.path().join(".vitrine/check");
    fs::create_dir_all(&folder).expect("made");
    let held = File::create(folder.join(".public.lock")).expect("a file");
    held.try_lock().expect("nobody has it");
    let mut check = crate::support::shop::vitrine(shop.path());
    let mut check = check.arg("check").stderr(std::process::Stdio::piped()).spawn().expect("the binary runs");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(check.stderr.take().expect("piped")));
    let first = lines.next().expect("it tells something").expect("a text");
    assert!(first.contains("waits for another build into") && first.contains("another process"), "{first}");
    drop(held);
    let told: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(check.wait().expect("our child").code().is_some_and(|code| code < 2), "{told:?}");
}
