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
    pub(super) now: Carried,
    /// When a sale ends, as written.
    pub(super) ends: Option<String>,
    /// From then on.
    pub(super) next: Carried,
}

/// Prices that a field carries: minor units, and texts as pages print them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Carried {
    pub(super) minor: Option<String>,
    pub(super) price: Option<String>,
    pub(super) compare: Option<String>,
    /// How much there is, and what one measure of it costs.
    pub(super) unit: Option<String>,
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
    /// What it shows once a sale ends.
    pub(super) later: Option<Later>,
}

/// A template that script shows in place of a price, from an instant on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Later {
    /// As written.
    pub(super) ends: String,
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
    /// Read by people from an instant on.
    Later,
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
            "template" if attribute("data-ends").is_some() => {
                let ends = attribute("data-ends").unwrap_or_default().to_owned();
                self.part_now().later = Some(Later { ends, prices: Vec::new() });
                Opens::Later
            }
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

    fn part_now(&mut self) -> &mut Part {
        self.parts.last_mut().unwrap_or(&mut self.facts.own)
    }

    fn is_later(&self) -> bool {
        self.open.iter().any(|element| matches!(element.opens, Opens::Later))
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
        let carried = |start: &str| {
            let of = |name: &str| attribute(&format!("{start}{name}")).map(str::to_owned);
            Carried { minor: of("minor"), price: of("price"), compare: of("compare"), unit: of("unit") }
        };
        match (attribute("name"), attribute("value")) {
            (Some("sku"), Some(sku)) => offer.choices.push(Choice {
                sku: sku.to_owned(),
                now: carried("data-"),
                ends: attribute("data-ends").map(str::to_owned),
                next: carried("data-next-"),
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
        if !self.is_later() {
            self.part_now().text.push_str(text);
        }
    }

    fn break_line(&mut self) {
        let text = &mut self.part_now().text;
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
                let is_later = self.is_later();
                let part = self.part_now();
                match part.later.as_mut().filter(|_| is_later) {
                    Some(later) => later.prices.push(price),
                    None => part.prices.push(price),
                }
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
        let around = self.part_now();
        around.text.push_str(&part.text);
        around.prices.extend(part.prices);
        around.later = around.later.take().or(part.later);
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
mod tests;
