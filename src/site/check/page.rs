//! Page: what a written page says, read by a parser that shares nothing with the templates that wrote it.
//!
//! Owns    the reading of HTML into facts: addresses, parts, pictures, texts of result pages, and everything that looks like a price.
//! Limits  elements are followed by their tags, without the repairs of a browser's tree; a list item or table row that another one
//!         follows ends there.
//! Source  HTML Standard: tokenisation (html5ever), attributes that hold addresses, `srcset`, `meta refresh`.

use std::cell::RefCell;

use html5ever::LocalName;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

/// An address that a page names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) url: String,
    pub(super) role: Role,
}

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// A page or file that somebody opens.
    Link,
    /// Where a form goes, by GET or POST.
    Form { is_post: bool },
    /// A picture.
    Picture,
    /// A file that the page loads: script, style, sound.
    File,
}

/// A picture as the page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) src: String,
    /// `None`: no such attribute.
    pub(super) alt: Option<String>,
    pub(super) in_link: bool,
}

fn names_picture(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or("").to_ascii_lowercase();
    [".svg", ".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif"].iter().any(|ending| path.ends_with(ending))
}

/// A form that puts something into the cart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    /// Fields that choose a variant.
    pub(super) choices: Vec<Choice>,
    /// The price that the form says was seen.
    pub(super) seen_minor: Option<String>,
}

/// A field that chooses a variant, with the prices it carries for script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) sku: String,
    pub(super) minor: Option<String>,
    pub(super) price: Option<String>,
    pub(super) compare: Option<String>,
}

/// A part of the page that may be about one product: a card, a row; or the page itself without those.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// Addresses it links to, each once.
    pub(super) links: Vec<String>,
    /// What people read, a line per block.
    pub(super) text: String,
    /// Texts of its elements of the class `price`.
    pub(super) prices: Vec<String>,
}

/// All that a page says.
#[derive(Clone, Debug, Default)]
pub(super) struct PageFacts {
    pub(super) references: Vec<Reference>,
    pub(super) ids: Vec<String>,
    pub(super) pictures: Vec<Picture>,
    /// How many links hold nothing but a picture without a text.
    pub(super) nameless_links: Vec<String>,
    /// Attributes that no policy without `unsafe-inline` lets be: name and value of handlers and styles.
    pub(super) forbidden: Vec<(String, String)>,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) is_indexed: bool,
    /// Where the page sends its visitors at once.
    pub(super) moved_to: Option<String>,
    /// JSON-LD, as text.
    pub(super) documents: Vec<String>,
    pub(super) offers: Vec<Offer>,
    /// What stands outside of all other parts.
    pub(super) own: Part,
    /// Cards and rows.
    pub(super) parts: Vec<Part>,
}

impl PageFacts {
    /// Reads a page. `is_detail`: it is about one thing, so that an `article` is the page's own text and not a card.
    pub(super) fn read(html: &str, is_detail: bool) -> Self {
        let sink = Sink(RefCell::new(Reader { is_detail, ..Reader::default() }));
        let input = BufferQueue::default();
        input.push_back(StrTendril::from_slice(html));
        let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
        // Scripts are not run, so reading never pauses for one.
        let _ = tokenizer.feed(&input);
        tokenizer.end();
        tokenizer.sink.0.into_inner().finished()
    }
}

struct Sink(RefCell<Reader>);

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut reader = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => return reader.start(&tag),
            Token::TagToken(tag) => reader.end(&tag.name),
            Token::CharacterTokens(text) => reader.text(&text),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

#[derive(Default)]
struct Reader {
    is_detail: bool,
    facts: PageFacts,
    open: Vec<Element>,
    /// Parts that are still open, innermost last.
    parts: Vec<Part>,
    /// Texts of open elements of the class `price`, innermost last.
    prices: Vec<String>,
    is_noindex: bool,
}

struct Element {
    name: LocalName,
    opens: Opens,
}

/// What an element collects until it ends.
enum Opens {
    Nothing,
    Title,
    /// JSON-LD.
    Document(String),
    /// Not read by people: script, style, template.
    Unread,
    Part,
    Price,
    Link(LinkText),
    Form,
}

struct LinkText {
    url: String,
    has_name: bool,
    has_picture: bool,
}

impl Reader {
    fn start(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        if matches!(name, "li" | "tr") {
            self.end_sibling(name);
        }
        if !is_inline(name) {
            self.break_line();
        }
        let attribute = |wanted: &str| -> Option<&str> {
            tag.attrs.iter().find(|attribute| &*attribute.name.local == wanted).map(|attribute| &*attribute.value)
        };
        if let Some(id) = attribute("id") {
            self.facts.ids.push(id.to_owned());
        }
        for attribute in &tag.attrs {
            let (name, value) = (&*attribute.name.local, attribute.value.trim());
            let is_code = value.get(..11).is_some_and(|start| start.eq_ignore_ascii_case("javascript:"));
            if name == "style" || name.starts_with("on") || is_code {
                self.facts.forbidden.push((name.to_owned(), value.to_owned()));
            }
        }
        if !self.is_template() {
            self.references(name, &attribute);
            self.contents(name, &attribute);
        }
        if is_void(name) {
            return TokenSinkResult::Continue;
        }
        let opens = self.opens(name, &attribute);
        // In SVG and MathML an element may close itself.
        if !tag.self_closing || !matches!(opens, Opens::Nothing) {
            self.open.push(Element { name: tag.name.clone(), opens });
        }
        match name {
            "script" => TokenSinkResult::RawData(RawKind::ScriptData),
            "style" | "iframe" | "noembed" | "noframes" | "xmp" => TokenSinkResult::RawData(RawKind::Rawtext),
            "title" | "textarea" if !self.open.iter().any(|element| &*element.name == "svg") => {
                TokenSinkResult::RawData(RawKind::Rcdata)
            }
            _ => TokenSinkResult::Continue,
        }
    }

    fn opens<'a>(&mut self, name: &str, attribute: &impl Fn(&str) -> Option<&'a str>) -> Opens {
        let has_class =
            |wanted: &str| attribute("class").is_some_and(|all| all.split_ascii_whitespace().any(|one| one == wanted));
        match name {
            "title" if !self.open.iter().any(|element| &*element.name == "svg") => Opens::Title,
            "script" if attribute("type") == Some("application/ld+json") => Opens::Document(String::new()),
            "script" | "style" | "template" | "noscript" | "iframe" => Opens::Unread,
            "a" => {
                let has_name = attribute("aria-label").is_some_and(|label| !label.trim().is_empty());
                let url = attribute("href").unwrap_or_default().to_owned();
                Opens::Link(LinkText { url, has_name, has_picture: false })
            }
            "form" => {
                self.facts.offers.push(Offer::default());
                Opens::Form
            }
            _ if has_class("price") => {
                self.prices.push(String::new());
                Opens::Price
            }
            "li" | "tr" => self.part(),
            "article" if !self.is_detail => self.part(),
            _ if has_class("card") => self.part(),
            _ => Opens::Nothing,
        }
    }

    fn part(&mut self) -> Opens {
        self.parts.push(Part::default());
        Opens::Part
    }

    /// Addresses of an element.
    fn references<'a>(&mut self, name: &str, attribute: &impl Fn(&str) -> Option<&'a str>) {
        let mut add = |url: Option<&str>, role: Role| {
            if let Some(url) = url {
                self.facts.references.push(Reference { url: url.trim().to_owned(), role });
            }
        };
        match name {
            "a" | "area" => add(attribute("href"), Role::Link),
            "link" => {
                let of_pages = ["canonical", "alternate", "next", "prev", "help", "license", "author", "search"];
                let rel = attribute("rel").unwrap_or_default();
                let is_origin = rel.split_ascii_whitespace().any(|word| matches!(word, "preconnect" | "dns-prefetch"));
                let is_page = rel.split_ascii_whitespace().any(|word| of_pages.contains(&word));
                if !is_origin {
                    add(attribute("href"), if is_page { Role::Link } else { Role::File });
                }
                srcset(attribute("imagesrcset")).for_each(|url| add(Some(url), Role::Picture));
            }
            "img" => add(attribute("src"), Role::Picture),
            "input" if attribute("type") == Some("image") => add(attribute("src"), Role::Picture),
            "video" => {
                add(attribute("poster"), Role::Picture);
                add(attribute("src"), Role::File);
            }
            "script" | "audio" | "source" | "track" | "embed" => add(attribute("src"), Role::File),
            "iframe" => add(attribute("src"), Role::Link),
            "object" => add(attribute("data"), Role::File),
            "use" => add(attribute("href"), Role::Link),
            "form" => {
                let is_dialog = attribute("method").is_some_and(|method| method.eq_ignore_ascii_case("dialog"));
                if !is_dialog {
                    add(attribute("action"), form_role(attribute("method")));
                }
            }
            "meta" => {
                let about = attribute("property").or(attribute("name")).unwrap_or_default();
                match about {
                    "og:image" | "twitter:image" => add(attribute("content"), Role::Picture),
                    "og:url" => add(attribute("content"), Role::Link),
                    _ => {}
                }
            }
            _ => {}
        }
        if matches!(name, "img" | "source") {
            srcset(attribute("srcset")).for_each(|url| add(Some(url), Role::Picture));
        }
        if matches!(name, "button" | "input") {
            add(attribute("formaction"), form_role(attribute("formmethod").or(Some("post"))));
        }
        add(attribute("data-image"), Role::Picture);
    }

    /// What an element without an end says.
    fn contents<'a>(&mut self, name: &str, attribute: &impl Fn(&str) -> Option<&'a str>) {
        match name {
            "img" => {
                let alt = attribute("alt").map(str::to_owned);
                let mut in_link = false;
                for element in &mut self.open {
                    if let Opens::Link(link) = &mut element.opens {
                        // A link to the picture itself says nothing that the picture does not.
                        in_link = !names_picture(&link.url);
                        link.has_picture = true;
                        link.has_name |= alt.as_ref().is_some_and(|alt| !alt.trim().is_empty());
                    }
                }
                let src = attribute("src").unwrap_or_default().trim().to_owned();
                self.facts.pictures.push(Picture { src, alt, in_link });
            }
            "meta" => {
                let content = attribute("content").unwrap_or_default();
                match attribute("name") {
                    Some("description") => self.facts.description = content.to_owned(),
                    Some("robots") => self.is_noindex |= content.contains("noindex"),
                    _ => {}
                }
                if attribute("http-equiv").is_some_and(|word| word.eq_ignore_ascii_case("refresh")) {
                    self.facts.moved_to = refresh(content);
                }
            }
            "input" => self.field(attribute),
            "a" => {
                if let (Some(url), Some(part)) = (attribute("href"), self.parts.last_mut())
                    && !part.links.iter().any(|known| known == url)
                {
                    part.links.push(url.to_owned());
                }
            }
            _ => {}
        }
    }

    fn field<'a>(&mut self, attribute: &impl Fn(&str) -> Option<&'a str>) {
        let Some(offer) = self.facts.offers.last_mut() else { return };
        let owned = |name: &str| attribute(name).map(str::to_owned);
        match (attribute("name"), attribute("value")) {
            (Some("sku"), Some(sku)) => offer.choices.push(Choice {
                sku: sku.to_owned(),
                minor: owned("data-minor"),
                price: owned("data-price"),
                compare: owned("data-compare"),
            }),
            (Some("seen_price_minor"), Some(minor)) => offer.seen_minor = Some(minor.to_owned()),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        match self.open.last_mut().map(|element| &mut element.opens) {
            Some(Opens::Title) => return self.facts.title.push_str(text),
            Some(Opens::Document(document)) => return document.push_str(text),
            _ => {}
        }
        if self.open.iter().any(|element| matches!(element.opens, Opens::Unread)) {
            return;
        }
        for element in &mut self.open {
            if let Opens::Link(link) = &mut element.opens {
                link.has_name |= !text.trim().is_empty();
            }
        }
        self.prices.iter_mut().for_each(|price| price.push_str(text));
        self.parts.last_mut().unwrap_or(&mut self.facts.own).text.push_str(text);
    }

    fn break_line(&mut self) {
        let text = &mut self.parts.last_mut().unwrap_or(&mut self.facts.own).text;
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }

    fn end(&mut self, name: &str) {
        if !is_inline(name) {
            self.break_line();
        }
        let Some(at) = self.open.iter().rposition(|element| &*element.name == name) else { return };
        while self.open.len() > at {
            let element = self.open.pop().expect("there are more than `at`");
            self.close(element);
        }
    }

    // A list item ends where the next one of its list begins.
    fn end_sibling(&mut self, name: &str) {
        let around = |element: &Element| matches!(&*element.name, "ul" | "ol" | "menu" | "table" | "tbody" | "thead");
        let inner = self.open.iter().rposition(around).map_or(0, |index| index + 1);
        if self.open[inner..].iter().any(|element| &*element.name == name) {
            self.end(name);
        }
    }

    fn close(&mut self, element: Element) {
        match element.opens {
            Opens::Document(document) => self.facts.documents.push(document),
            Opens::Part => {
                let part = self.parts.pop().expect("an open part");
                self.keep(part);
            }
            Opens::Price => {
                let price = self.prices.pop().expect("an open price");
                self.parts.last_mut().unwrap_or(&mut self.facts.own).prices.push(price);
            }
            Opens::Link(link) if link.has_picture && !link.has_name => self.facts.nameless_links.push(link.url),
            _ => {}
        }
    }

    // A row without a link of its own is a part of what is around it, such as a line of a product's variants.
    fn keep(&mut self, part: Part) {
        if !part.links.is_empty() {
            self.facts.parts.push(part);
            return;
        }
        let around = self.parts.last_mut().unwrap_or(&mut self.facts.own);
        around.text.push_str(&part.text);
        around.prices.extend(part.prices);
    }

    fn is_template(&self) -> bool {
        self.open.iter().any(|element| &*element.name == "template")
    }

    fn finished(mut self) -> PageFacts {
        while let Some(element) = self.open.pop() {
            self.close(element);
        }
        self.facts.is_indexed = !self.is_noindex;
        self.facts.title = self.facts.title.trim().to_owned();
        self.facts
    }
}

fn form_role(method: Option<&str>) -> Role {
    Role::Form { is_post: method.is_some_and(|method| method.eq_ignore_ascii_case("post")) }
}

// Addresses of `a.jpg 1x, b.jpg 2x`; a comma within an address is followed by no space.
fn srcset(value: Option<&str>) -> impl Iterator<Item = &str> {
    let candidates = value.unwrap_or_default().split(", ").flat_map(|part| part.split(",\n"));
    candidates.filter_map(|candidate| candidate.split_ascii_whitespace().next()).map(|url| url.trim_end_matches(','))
}

// The address of `0; url=/there`; `None` where the page only loads itself again.
fn refresh(content: &str) -> Option<String> {
    let (_, rest) = content.split_once([';', ','])?;
    let rest = rest.trim_start();
    let url = rest.get(..4).filter(|word| word.eq_ignore_ascii_case("url=")).map(|_| &rest[4..])?;
    Some(url.trim().trim_matches(['"', '\'']).to_owned())
}

fn is_void(name: &str) -> bool {
    let void = ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"];
    void.contains(&name)
}

// Elements that do not part words from each other.
fn is_inline(name: &str) -> bool {
    let inline = [
        "a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "del", "em", "i", "ins", "mark", "q", "s", "small", "span",
        "strong", "sub", "sup", "time", "u", "wbr",
    ];
    inline.contains(&name)
}

#[cfg(test)]
mod tests {
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
    fn fields_of_a_form_stay_together() {
        let page = "<form><input name=sku value='A&amp;B' data-minor=1990 data-price='€19.90'><input name=seen_price_minor \
                    value=1990></form><form><input name=sku value=C></form>";
        let offers = PageFacts::read(page, true).offers;
        assert_eq!((offers[0].choices[0].sku.as_str(), offers[0].choices[0].minor.as_deref()), ("A&B", Some("1990")));
        assert_eq!((offers[0].seen_minor.as_deref(), offers[1].choices[0].sku.as_str()), (Some("1990"), "C"));
    }

    #[test]
    fn what_a_policy_forbids_is_read() {
        let facts = PageFacts::read(
            "<p onclick=a() title=one style='b:c'><a href=' JavaScript:d()'>x</a><svg><path style=e /></svg>",
            false,
        );
        let names: Vec<&str> = facts.forbidden.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["onclick", "style", "href", "style"]);
    }

    #[test]
    fn a_link_needs_a_name() {
        let page =
            "<a href=/a><img src=x alt=''></a><a href=/b><img src=x alt=''>B</a><a href=/c><img src=x alt=C></a><img src=y>";
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
}
