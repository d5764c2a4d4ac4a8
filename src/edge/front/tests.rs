//! Front: who asks is never who they say, and what opens the edge is the secret alone.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn front(proxies: &[&str], header: &str) -> Front {
    let terms = FrontTerms {
        trusted_proxies: Some(proxies.iter().map(|&text| text.to_owned()).collect()),
        client_address_header: Some(header.to_owned()),
        origin_secret_header: Some("X-Origin-Secret".to_owned()),
    };
    Front::of(&terms).expect("sound terms")
}

fn headers(name: &str, values: &[&[u8]]) -> HeaderMap {
    let name: HeaderName = name.parse().expect("a name");
    values.iter().map(|value| (name.clone(), HeaderValue::from_bytes(value).expect("a value"))).collect()
}

const PEER: &str = "10.0.0.7";

#[track_caller]
fn check(header: &str, values: &[&str], expected: &str) {
    let front = front(&["10.0.0.0/8", "2001:db8:1::/48", "198.51.100.9"], header);
    let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
    let found = front.client(PEER.parse().expect("an address"), &headers(header, &values)).expect("the front is known");
    assert_eq!(found.to_string(), expected, "{values:?}");
}

#[test]
fn of_a_list_the_last_address_that_no_proxy_has_is_the_shoppers() {
    let list = |values: &[&str], expected: &str| check("X-Forwarded-For", values, expected);
    list(&["203.0.113.5"], "203.0.113.5");
    list(&["203.0.113.5, 198.51.100.9, 10.1.2.3"], "203.0.113.5");
    // What stands before it was sent by whoever asks.
    list(&["127.0.0.1, 192.0.2.200, 203.0.113.5"], "203.0.113.5");
    list(&["192.0.2.200", "203.0.113.5 , 10.1.2.3"], "203.0.113.5");
    list(&["203.0.113.5:4711"], "203.0.113.5");
    list(&["[2001:db8:2::5]:4711, 2001:db8:1::9"], "2001:db8:2::5");
    list(&["[2001:db8:2::5]"], "2001:db8:2::5");
    list(&["::ffff:203.0.113.5"], "203.0.113.5");
}

#[test]
fn who_is_forwarded_for_is_never_what_a_client_wrote_into_the_hosts_header() {
    let front = front(&["10.0.0.0/8"], "CF-Connecting-IP");
    let check = |peer: &str, pairs: &[(&str, &[u8])], expected: &str| {
        let mut all = HeaderMap::new();
        pairs.iter().for_each(|(name, value)| all.extend(headers(name, &[value])));
        let found = front.forwarded(peer.parse().expect("an address"), &all);
        assert_eq!(found.to_string(), expected, "{peer}: {pairs:?}");
    };
    check(PEER, &[("cf-connecting-ip", b"192.0.2.200")], PEER);
    check(PEER, &[("cf-connecting-ip", b"192.0.2.200"), ("x-forwarded-for", b"192.0.2.201, 203.0.113.5")], "203.0.113.5");
    check("203.0.113.5", &[("x-forwarded-for", b"192.0.2.201")], "203.0.113.5");
    let nobody_said = Front::of(&FrontTerms::default()).expect("sound terms");
    let headers = headers("x-forwarded-for", &[b"192.0.2.201"]);
    assert_eq!(nobody_said.forwarded(PEER.parse().expect("an address"), &headers).to_string(), PEER);
}

#[test]
fn what_cannot_be_read_ends_at_the_last_address_that_could() {
    let list = |values: &[&str], expected: &str| check("X-Forwarded-For", values, expected);
    list(&[], PEER);
    list(&[""], PEER);
    list(&["unknown"], PEER);
    list(&["203.0.113.5, _hidden, 10.1.2.3"], "10.1.2.3");
    list(&["203.0.113.5,,10.1.2.3"], "10.1.2.3");
    list(&["203.0.113.5, 10.1.2.3,"], PEER);
    list(&["203.0.113.999"], PEER);
    list(&["[203.0.113.5]"], PEER);
    list(&["fe80::1%eth0"], PEER);
    // All of them are proxies: the farthest is nearest to the shopper.
    list(&["10.9.9.9, 10.1.2.3"], "10.9.9.9");
}

#[test]
fn a_header_of_one_address_is_taken_whole_or_not_at_all() {
    check("CF-Connecting-IP", &["203.0.113.5"], "203.0.113.5");
    check("CF-Connecting-IP", &["2001:db8:2::5"], "2001:db8:2::5");
    check("CF-Connecting-IP", &["192.0.2.1", "203.0.113.5"], PEER);
    check("CF-Connecting-IP", &["192.0.2.1, 203.0.113.5"], PEER);
    check("CF-Connecting-IP", &[], PEER);
    check("CloudFront-Viewer-Address", &["203.0.113.5:46532"], "203.0.113.5");
    check("CloudFront-Viewer-Address", &["2001:db8:2::5:46532"], "2001:db8:2::5");
    check("CloudFront-Viewer-Address", &["[2001:db8:2::5]:46532"], "2001:db8:2::5");
    check("CloudFront-Viewer-Address", &["203.0.113.5"], PEER);
}

#[test]
fn a_peer_that_is_not_named_is_not_believed() {
    let front = front(&["10.0.0.0/8"], "X-Forwarded-For");
    let forged = headers("X-Forwarded-For", &[b"203.0.113.5"]);
    let asked = |peer: &str| front.client(peer.parse().expect("an address"), &forged).map(|address| address.to_string());
    assert_eq!(asked("192.0.2.66").as_deref(), Some("192.0.2.66"));
    assert_eq!(asked("::ffff:10.0.0.1").as_deref(), Some("203.0.113.5"), "a socket of both kinds");
    let unknown = Front::of(&FrontTerms::default()).expect("sound terms");
    assert!(unknown.client("10.0.0.1".parse().expect("an address"), &forged).is_none() && !unknown.is_known());
}

#[test]
fn networks_are_read_and_wrong_ones_are_told_with_the_right_one() {
    let told = |text: &str| text.parse::<Network>().map_or_else(|error| error.to_string(), |network| network.to_string());
    assert_eq!(told("10.0.0.0/8"), "10.0.0.0/8");
    assert_eq!(told("192.0.2.1"), "192.0.2.1/32");
    assert_eq!(told("2001:db8::/32"), "2001:db8::/32");
    assert_eq!(told("10.1.2.3/8"), "`10.1.2.3/8` names one address of a network: the network is `10.0.0.0/8`");
    assert_eq!(told("2001:db8::1/32"), "`2001:db8::1/32` names one address of a network: the network is `2001:db8::/32`");
    assert_eq!(told("10.0.0.0/33"), "`10.0.0.0/33` has more bits than an address: at most 32");
    assert_eq!(told("10.0.0.0/999"), "`10.0.0.0/999` has more bits than an address: at most 32");
    for everybody in ["0.0.0.0/0", "::/0"] {
        assert!(told(everybody).contains("is everybody"), "{everybody}");
    }
    for text in ["", "/", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0/8", "shop.example", "10.0.0.0/8/8", " 10.0.0.0/8"] {
        assert_eq!(told(text), format!("`{text}` is not a network"));
    }
}

#[test]
fn a_secret_opens_and_nothing_else_does() {
    let (new, old) = ("n".repeat(24), "o".repeat(24));
    let secrets = OriginSecrets::list(&format!(" {new} ,{old}")).expect("two secrets");
    let front = front(&[], "X-Forwarded-For");
    let admits = |name: &str, values: &[&[u8]]| secrets.admit(&front, &headers(name, values));
    assert!(admits("x-origin-secret", &[new.as_bytes()]) && admits("X-Origin-Secret", &[old.as_bytes()]));
    assert!(admits("x-origin-secret", &[b"wrong", old.as_bytes()]), "a proxy that adds to what it was sent");
    let both = format!("{new},{old}");
    for wrong in [&b""[..], b"n", &new.as_bytes()[1..], both.as_bytes(), b"\xff\xff"] {
        assert!(!admits("x-origin-secret", &[wrong]), "{wrong:?}");
    }
    assert!(!admits("x-other", &[new.as_bytes()]) && !admits("x-origin-secret", &[]));
    assert!(OriginSecrets::default().admit(&front, &HeaderMap::new()), "nobody can be asked for what there is not");
    assert_eq!(format!("{secrets:?}"), "OriginSecrets(2)");
}

#[test]
fn secrets_that_are_none_are_told_without_being_shown() {
    for text in ["", " , ", "short", &"x".repeat(257), &format!("{} {}", "x".repeat(24), "y"), &vec!["z".repeat(24); 9].join(",")]
    {
        let told = OriginSecrets::list(text).expect_err("not taken");
        assert!(told.contains("vitrine keygen") && (text.is_empty() || !told.contains(text)), "{told}");
    }
}

fn hop() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|bytes| Ipv4Addr::from(bytes).to_string()),
        any::<[u8; 4]>().prop_map(|bytes| format!("{}:80", Ipv4Addr::from(bytes))),
        any::<[u8; 16]>().prop_map(|bytes| Ipv6Addr::from(bytes).to_string()),
        any::<[u8; 16]>().prop_map(|bytes| format!("[{}]:443", Ipv6Addr::from(bytes))),
        any::<u8>().prop_map(|last| format!(" 10.0.0.{last}\t")),
        Just(String::new()),
        "[ -~]{0,40}",
    ]
}

proptest! {
    /// Whatever is sent before it, the address that the outermost trusted proxy has seen is the shopper's.
    #[test]
    fn nobody_says_to_be_somebody_else(
        forged in proptest::collection::vec(hop(), 0..400),
        cuts in proptest::collection::vec(any::<bool>(), 400),
        seen in any::<[u8; 4]>().prop_filter("no proxy", |bytes| bytes[0] != 10),
        hops in proptest::collection::vec(any::<[u8; 3]>(), 0..20),
    ) {
        let front = front(&["10.0.0.0/8"], "X-Forwarded-For");
        let seen = IpAddr::from(seen);
        let added = hops.iter().map(|[a, b, c]| format!("10.{a}.{b}.{c}"));
        let mut lines = vec![String::new()];
        for (part, cut) in forged.iter().cloned().chain([seen.to_string()]).chain(added).zip(cuts.into_iter().cycle()) {
            match lines.last_mut() {
                Some(line) if !cut && line.len() < 8_000 => { line.push(','); line.push_str(&part); }
                _ => lines.push(part),
            }
        }
        let values: Vec<&[u8]> = lines.iter().map(|line| line.trim().as_bytes()).collect();
        let found = front.client(PEER.parse().expect("an address"), &headers("x-forwarded-for", &values));
        prop_assert_eq!(found, Some(seen));
    }

    /// Bytes of any kind are an answer, and never an address that nobody named.
    #[test]
    fn any_bytes_are_an_address_or_the_peers(bytes in proptest::collection::vec(prop_oneof![Just(b','), Just(b':'), Just(b'['), b'0'..=b'9', 0x20u8..=0x7e, 0x80u8..], 0..8_192)) {
        for name in ["x-forwarded-for", "cf-connecting-ip", "cloudfront-viewer-address"] {
            let front = front(&["10.0.0.0/8"], name);
            prop_assert!(front.client(PEER.parse().expect("an address"), &headers(name, &[&bytes])).is_some());
        }
    }

    /// A network holds its addresses, and no others.
    #[test]
    fn a_network_holds_what_begins_as_it_does(bytes in any::<[u8; 4]>(), bits in 1u8..=32, other in any::<u32>()) {
        let network = Network { address: cut(IpAddr::from(bytes), bits), bits };
        prop_assert_eq!(network.to_string().parse::<Network>(), Ok(network));
        let begins = (u32::from_be_bytes(bytes) ^ other) >> (32 - u32::from(bits)) == 0;
        prop_assert_eq!(network.holds(Ipv4Addr::from_bits(other).into()), begins);
        prop_assert!(network.holds(IpAddr::from(bytes)) && !network.holds(Ipv6Addr::LOCALHOST.into()));
    }
}
