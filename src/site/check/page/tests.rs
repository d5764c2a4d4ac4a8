//! What is read of small pages.

use super::*;

#[test]
fn scripts_styles_and_templates_are_not_read_by_people() {
    let page = "<title>A &amp; B</title><p title=\"a > b\">€1.00</p><script>\"€2.00\"</script><style>a{content:'€3.00'}</style>\
                <template><img><a href=\"/never\">€4.00</a></template><b>€5.00";
    let facts = PageFacts::read(page, true);
    assert_eq!(facts.own.text.split_whitespace().collect::<Vec<_>>(), ["€1.00", "€5.00"]);
    assert_eq!(facts.title, "A & B");
    assert!(facts.references.is_empty() && facts.pictures.is_empty(), "{facts:?}");
}

#[test]
fn addresses_are_found_wherever_html_holds_them() {
    let page = "<link rel=canonical href=/a><link rel=preconnect href=https://x.example><link rel=stylesheet href=/b.css>\
                <meta property=og:image content=/c.png><area href=/d><img src=/e.png srcset='/f.png 1x, /g,h.png 2x' alt>\
                <video poster=/i.png src=/j.mp4></video><form action=/k method=POST></form><form action=/l></form>\
                <form method=dialog action=/no></form><svg><use href='#m'/></svg>";
    let found = PageFacts::read(page, true).references;
    let of = |role: Role| found.iter().filter(|one| one.role == role).map(|one| one.url.as_str()).collect::<Vec<_>>();
    assert_eq!(of(Role::Link), ["/a", "/d", "#m"]);
    assert_eq!(of(Role::Picture), ["/c.png", "/e.png", "/f.png", "/g,h.png", "/i.png"]);
    assert_eq!(of(Role::File), ["/b.css", "/j.mp4"]);
    assert_eq!(of(Role::Form { is_post: true }), ["/k"]);
    assert_eq!(of(Role::Form { is_post: false }), ["/l"]);
}

#[test]
fn a_card_is_read_apart_from_its_page() {
    let page = "<h1>Shelf</h1><p class=price>€9.00</p><ul><li class=card><a href=/products/a>A</a><span class=price>from \
                <ins>€1.00</ins></span><li><a href=/products/b>B</a> €2.00</ul><table><tr><td class=price>€3.00</table>";
    let facts = PageFacts::read(page, false);
    assert_eq!(facts.own.prices, ["€9.00", "€3.00"], "a row without a link is the page's own");
    let parts: Vec<_> = facts.parts.iter().map(|part| (part.links[0].as_str(), part.prices.len())).collect();
    assert_eq!(parts, [("/products/a", 1), ("/products/b", 0)]);
    assert_eq!(facts.parts[0].prices, ["from €1.00"]);
}

#[test]
fn what_a_card_shows_after_a_sale_is_read_apart() {
    let page = "<li><a href=/a>A</a><span class=price>€1.00</span><template data-ends=2027-01-01T00:00:00Z><b class=price>€2.00</b> x\
                <a href=/never></a></template><template><b class=price>€3.00</b></template>";
    let part = &PageFacts::read(page, false).parts[0];
    let later = Later { ends: "2027-01-01T00:00:00Z".to_owned(), prices: vec!["€2.00".to_owned()] };
    assert_eq!((&part.prices[0][..], part.later.as_ref(), part.text.trim()), ("€1.00", Some(&later), "A€1.00"));
    assert_eq!(part.links, ["/a"]);
}

#[test]
fn fields_of_a_form_stay_together() {
    let page = "<form><input name=sku value='A&amp;B' data-minor=1990 data-price='€19.90'><input name=seen_price_minor \
                value=1990></form><form><input name=sku value=C></form>";
    let offers = PageFacts::read(page, true).offers;
    assert_eq!((offers[0].choices[0].sku.as_str(), offers[0].choices[0].now.minor.as_deref()), ("A&B", Some("1990")));
    assert_eq!((offers[0].seen_minor.as_deref(), offers[1].choices[0].sku.as_str()), (Some("1990"), "C"));
}

#[test]
fn what_a_policy_forbids_is_read() {
    let facts =
        PageFacts::read("<p onclick=a() title=one style='b:c'><a href=' JavaScript:d()'>x</a><svg><path style=e /></svg>", false);
    let names: Vec<&str> = facts.forbidden.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["onclick", "style", "href", "style"]);
}

#[test]
fn a_link_needs_a_name() {
    let page = "<a href=/a><img src=x alt=''></a><a href=/b><img src=x alt=''>B</a><a href=/c><img src=x alt=C></a><img src=y>";
    let facts = PageFacts::read(page, false);
    assert_eq!(facts.nameless_links, ["/a"]);
    assert_eq!(facts.pictures[3], Picture { src: "y".to_owned(), alt: None, in_link: false });
}

#[test]
fn a_page_that_moves_on_names_where_to() {
    for (content, expected) in [("0; url=/b", Some("/b")), ("0;URL='/c'", Some("/c")), ("30", None)] {
        let page = format!("<meta http-equiv=Refresh content=\"{content}\">");
        assert_eq!(PageFacts::read(&page, false).moved_to.as_deref(), expected, "{content}");
    }
}
