"""Reads a built shop's sitemaps, Atom feed and product feed with programs that are not ours, and holds product items against the
requirements of Google's product data specification and against the pages' structured data."""

import functools
import http.server
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import urllib.parse

import feedparser
from lxml import etree, html
from usp.tree import sitemap_tree_for_homepage

from shop import BINARY, ROOT, Report, free_port

G = "{http://base.google.com/ns/1.0}"
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
AS_OF = "2026-11-20T12:00:00Z"
MARKET = """
[[markets]]
id = "jp"
prefix = "jp"
countries = ["JP"]
currency = "JPY"
language = "ja"
"""
# What an export may hold: signs of XML, letters of many scripts, a control character, a name longer than Google takes.
PRODUCTS = {
    "odd": '''title = "Salt & <Pepper> \\u0008 \\"quoted\\" 😀 塩"
brand = "A & B"
sku = "%s"
price = "10"
compare_at = "12.50"
prices = { JPY = "1500" }
stock = 3
gtin = "4006381333931"
images = [{ src = "https://cdn.example/ä b.jpg?x=1&y=2", alt = "Salt" }, { src = "https://cdn.example/two.png", alt = "Two" }]
publish_at = "2026-11-02T08:00:00Z"
attributes = { google_product_category = "Food & Drink > Salt" }''' % ("ODD-" + "x" * 60),
    "sale": '''title = "Sale"
options = ["Size", "Scent"]
stock = 4
weight_g = 900
sales = [{ price = "7.50", from = "2026-11-01", until = "2026-12-01T23:59:59Z" }]
price = "10"
images = [{ src = "https://cdn.example/sale.webp", alt = "Sale" }]
variants = [
  { options = ["S", "Fig"], sku = "SALE-S" },
  { options = ["L", "Fig"], sku = "SALE-L", stock = 0 },
]
updated_at = "2026-11-05"''',
    "unpriced": 'title = "Unpriced"\nsku = "UNPRICED"\nimages = [{ src = "https://cdn.example/sale.webp", alt = "Unpriced" }]',
    "worn": '''title = "Worn"
sku = "WORN"
price = "8"
stock = 0
stock_policy = "backorder"
images = [{ src = "https://cdn.example/worn.webp", alt = "Worn" }]
attributes = { condition = "used" }
updated_at = "2026-11-07"''',
    "unseen": 'title = "Unseen"\nsku = "UNSEEN"\nprice = "3"\nupdated_at = "2026-11-06"',
}


def build_shop(folder, origin):
    for part in ("content", "static", "templates"):
        shutil.copytree(ROOT / part, folder / part)
    site = (ROOT / "site.toml").read_text()
    site = site.replace("\n[tax]\n", MARKET + "\n[tax]\n", 1)
    site = site.replace("rates = [\n", 'rates = [\n  { country = "JP", name = "Tax", standard = "10", reduced = "8" },\n', 1)
    (folder / "site.toml").write_text(site)
    for name, text in PRODUCTS.items():
        (folder / f"content/products/{name}.md").write_text(f"+++\n{text}\n+++\nGood <em>things</em> & more.\n")
    subprocess.run([BINARY, "build", "--base-url", origin, "--as-of", AS_OF], cwd=folder, check=True)
    return folder / "public"


class Pages(http.server.SimpleHTTPRequestHandler):
    """The output folder as a host serves it: `/products/x` is `products/x.html`."""

    def translate_path(self, path):
        found = pathlib.Path(super().translate_path(path))
        page = found.with_name(found.name + ".html")
        return str(page if not found.is_file() and page.is_file() else found)

    def log_message(self, *_):
        pass


def serve(public, port):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Pages, directory=str(public)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def file_of(public, url):
    """The file that answers an address of the shop."""
    path = urllib.parse.unquote(urllib.parse.urlparse(url).path).strip("/")
    return next((file for file in (public / path, public / f"{path}.html", public / path / "index.html") if file.is_file()), None)


def sitemap_schema():
    """The protocol's own."""
    file = ROOT / "tests/peers/node_modules/sitemap/schema/sitemap.xsd"
    # It is strict about foreign elements: those that are used are declared here.
    return etree.XMLSchema(etree.fromstring(f"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
      <xs:import namespace="http://www.sitemaps.org/schemas/sitemap/0.9" schemaLocation="{file.as_uri()}"/>
      <xs:import namespace="http://www.google.com/schemas/sitemap-image/1.1" schemaLocation="{(ROOT / 'tests/peers/image.xsd').as_uri()}"/>
      <xs:import namespace="http://www.w3.org/1999/xhtml" schemaLocation="{(ROOT / 'tests/peers/link.xsd').as_uri()}"/>
    </xs:schema>"""))


def check_sitemaps(report, public, origin):
    rules = sitemap_schema()
    document = etree.parse(public / "sitemap.xml")
    report.check("the sitemap is valid by the protocol's schema", rules.validate(document), rules.error_log)
    broken = etree.fromstring(etree.tostring(document).replace(b"<loc>", b"<lock>", 1).replace(b"</loc>", b"</lock>", 1))
    report.check("that schema refuses what is wrong", not rules.validate(broken))
    named = {loc.text for loc in document.iter(f"{SITEMAP}loc")}
    tree = sitemap_tree_for_homepage(f"{origin}/", use_known_paths=False)
    pages = list(tree.all_pages())
    report.check("a crawler finds all pages by robots.txt", {page.url for page in pages} == named and len(named) > 100, len(pages))
    missing = [url for url in named if not file_of(public, url)]
    report.check("every address of the sitemap is a file", not missing, missing[:5])
    product = next(page for page in pages if page.url == f"{origin}/products/odd")
    report.check("a crawler reads pictures and the day of the last change", [image.loc for image in product.images] ==
                 ["https://cdn.example/%C3%A4%20b.jpg?x=1&y=2"] and product.last_modified.isoformat() == "2026-11-02T08:00:00+00:00",
                 (product.images, product.last_modified))
    for page in pages:
        told = {(lang, href) for lang, href in page.alternates or []}
        written = html.parse(str(file_of(public, page.url))).iterfind(".//link[@hreflang]")
        if told != {(link.get("hreflang"), link.get("href")) for link in written} or len(told) != 4:
            report.check(f"languages of {page.url} are those its page names", False, told)
            break
    else:
        report.check("languages in the sitemap are those that pages name", True)


LARGE_SITE = """[shop]
name = "Large"
base_url = "https://large.example"

[[markets]]
id = "eu"
countries = ["DE"]
currency = "EUR"
language = "en"

[[markets]]
id = "jp"
prefix = "jp"
countries = ["JP"]
currency = "JPY"
language = "ja"

[tax]
classes = ["standard"]
rates = [{ country = "DE", name = "VAT", standard = "19" }, { country = "JP", name = "Tax", standard = "10" }]

[build]
search = false

[[sources]]
format = "jsonl"
path = "products.jsonl"
"""
LARGE = 1_200


def build_large_shop(folder, origin):
    """A catalogue whose pages one file of a sitemap cannot hold: four pictures with the long addresses of a picture service each."""
    folder.mkdir()
    (folder / "site.toml").write_text(LARGE_SITE)
    with open(folder / "products.jsonl", "w") as lines:
        for number in range(LARGE):
            pictures = [f"https://cdn.example/{number}/{side}.jpg?{'&'.join(f'crop{step}={number}' for step in range(140))}" for side in range(4)]
            variants = [{"options": [f"S{side}"], "sku": f"P{number}-{side}", "price": "10", "prices": {"JPY": "1500"}, "stock": 1,
                         "image": picture} for side, picture in enumerate(pictures)]
            images = [{"src": picture, "alt": "A thing"} for picture in pictures]
            lines.write(json.dumps({"title": f"Thing {number}", "slug": f"thing-{number}", "options": ["Side"], "images": images,
                                    "variants": variants}) + "\n")
    subprocess.run([BINARY, "build", "--base-url", origin, "--as-of", AS_OF], cwd=folder, check=True)
    return folder / "public"


def check_sitemap_index(report, public, origin):
    index, parts = etree.parse(public / "sitemap.xml"), []
    rules, of_parts = etree.XMLSchema(etree.parse(ROOT / "tests/peers/siteindex.xsd")), sitemap_schema()
    report.check("an index of sitemaps is valid as the protocol describes it", rules.validate(index), rules.error_log)
    for old, new in ((b"<loc>", b"<lock>"), (b"<loc>http://", b"<loc>/"), (b"<sitemap>", b"<sitemap><priority>1</priority>")):
        broken = etree.tostring(index).replace(old, new, 1).replace(b"</loc>", b"</lock>" if new == b"<lock>" else b"</loc>", 1)
        report.check(f"an index with {new.decode()} is none", not rules.validate(etree.fromstring(broken)))
    for loc in index.iter(f"{SITEMAP}loc"):
        file = file_of(public, loc.text)
        report.check(f"{loc.text} is a file, and one of those that hold pages", file and file.name.startswith("sitemap-"))
        document = etree.parse(file)
        parts.append([loc.text for loc in document.iter(f"{SITEMAP}loc")])
        report.check(f"{file.name} is valid by the protocol's schema", of_parts.validate(document), of_parts.error_log)
        report.check(f"{file.name} keeps to the protocol's limits", file.stat().st_size <= 50 * 1024 ** 2 and 0 < len(parts[-1]) <= 50_000)
    named = [url for part in parts for url in part]
    built = {path for path in json.loads((public / "manifest.json").read_text())["files"] if path.endswith(".html")} - {"404.html"}
    files = {str(file_of(public, url).relative_to(public)) for url in named}
    report.check("its files name every page once", len(parts) > 1 and len(named) == len(set(named)) and built - files <= {"jp/404.html"}
                 and len(built) > 2 * LARGE, (len(parts), len(named), sorted(built - files)[:5]))
    tree = sitemap_tree_for_homepage(f"{origin}/", use_known_paths=False)
    pages = list(tree.all_pages())
    report.check("a crawler follows the index to every page", sorted(page.url for page in pages) == sorted(named), len(pages))
    report.check("and to every picture", {len(page.images or []) for page in pages if "/products/" in page.url} == {4})


def check_atom(report, public, origin):
    feed = feedparser.parse((public / "feed.xml").read_bytes())
    report.check("a reader takes the Atom feed without complaint", not feed.bozo and feed.version == "atom10", feed.get("bozo_exception"))
    ids = [entry.id for entry in feed.entries]
    report.check("entries are told apart", len(set(ids)) == len(ids) > 4, ids)
    dates = [entry.updated for entry in feed.entries]
    report.check("entries say when they changed, the newest first", dates == sorted(dates, reverse=True) and dates[-1] > "2026-", dates)
    report.check("the feed changed with its newest entry", feed.feed.updated == dates[0], feed.feed.updated)
    odd = next(entry for entry in feed.entries if entry.id == f"{origin}/products/odd")
    report.check("signs survive", "Salt" in odd.title and "😀 塩" in odd.title and "\b" not in odd.title, odd.title)
    report.check("an entry leads to its page", all(file_of(public, entry.link) for entry in feed.entries))
    report.check("an entry has author, summary and the instant it appeared",
                 feed.feed.author and odd.summary.startswith("Good things") and odd.published == "2026-11-02T08:00:00Z", odd)


REQUIRED = ("id", "title", "description", "link", "image_link", "availability", "price", "condition")
LIMITS = {"id": 50, "title": 150, "description": 5000, "link": 2000, "image_link": 2000, "brand": 70, "item_group_id": 50,
          "product_type": 750, "color": 100, "size": 100, "material": 200}
ONCE = set(REQUIRED) | {"sale_price", "sale_price_effective_date", "brand", "gtin", "mpn", "identifier_exists", "item_group_id",
                        "availability_date", "shipping_weight", "google_product_category", "color", "size", "material", "pattern"}
INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d{4})"


def wrong(item, currency, decimals):
    """What Google would refuse of an item."""
    values = {}
    for element in item:
        if not element.tag.startswith(G):
            yield f"{element.tag} is not in the namespace"
        values.setdefault(element.tag.removeprefix(G), []).append((element.text or "").strip())
    one = {name: texts[0] for name, texts in values.items()}
    yield from (f"{name} is missing" for name in REQUIRED if not one.get(name))
    yield from (f"{name} stands twice" for name in ONCE if len(values.get(name, [])) > 1)
    yield from (f"{name} is too long" for name, limit in LIMITS.items() if len(one.get(name, "")) > limit)
    money = (r"\d+\.\d{%d} %s" % (decimals, currency)) if decimals else rf"\d+ {currency}"
    prices = [one.get("price", ""), *values.get("sale_price", []), *(price.text for price in item.iterfind(f"{G}shipping/{G}price"))]
    yield from (f"{price} is no price" for price in prices if not re.fullmatch(money, price))
    if float(one["price"].split()[0]) <= 0:
        yield "a price of zero"
    if "sale_price" in one and float(one["sale_price"].split()[0]) >= float(one["price"].split()[0]):
        yield "a sale that is none"
    if "sale_price_effective_date" in one and not re.fullmatch(f"{INSTANT}/{INSTANT}", one["sale_price_effective_date"]):
        yield "dates of a sale that are none"
    if one["availability"] not in ("in_stock", "out_of_stock", "preorder", "backorder"):
        yield f"availability {one['availability']}"
    if (one["availability"] in ("preorder", "backorder")) != bool(re.fullmatch(INSTANT, one.get("availability_date", ""))):
        yield "a back-order and its date go together"
    if one["condition"] not in ("new", "refurbished", "used"):
        yield f"condition {one['condition']}"
    if not ("gtin" in one or "mpn" in one and "brand" in one or one.get("identifier_exists") == "no"):
        yield "no identifier, and not said that there is none"
    if len(values.get("additional_image_link", [])) > 10 or len(values.get("shipping", [])) > 100:
        yield "too many pictures or ways of shipping"
    for shipping in item.iterfind(f"{G}shipping"):
        if not re.fullmatch("[A-Z]{2}", shipping.findtext(f"{G}country") or ""):
            yield "shipping without a country"
    for link in [*values.get("link", []), *values.get("image_link", []), *values.get("additional_image_link", [])]:
        if not re.fullmatch(r"https?://[!-~]+", link):
            yield f"{link} is no encoded address"
    if re.search(r"<[a-z/]|&(amp|lt|gt|quot|#)", one["title"] + one["description"].replace("<Pepper>", "")):
        yield "markup in a text"


def offers(public, link):
    """(price, availability) of each offer in the structured data of a page, by the offer's address."""
    found = {}
    for script in html.parse(str(file_of(public, link))).iterfind(".//script[@type='application/ld+json']"):
        document = json.loads(script.text)
        for part in document.get("hasVariant", [document]):
            if "offers" in part:
                found[part["offers"]["url"]] = part["offers"]
    return found


def check_google(report, public, path, currency, decimals):
    written = (public / path).read_bytes()
    feed = feedparser.parse(written)
    report.check(f"{path}: a reader takes it as RSS 2.0 without complaint", not feed.bozo and feed.version == "rss20", feed.get("bozo_exception"))
    items = etree.fromstring(written).findall("channel/item")
    report.check(f"{path}: there are items, as many as the reader finds", items and len(items) == len(feed.entries), len(items))
    faults = [(item.findtext(f"{G}id"), fault) for item in items for fault in wrong(item, currency, decimals)]
    report.check(f"{path}: Google's requirements are met", not faults, faults[:10])
    ids = [item.findtext(f"{G}id") for item in items]
    report.check(f"{path}: ids are told apart", len(set(ids)) == len(ids))
    differing = []
    conditions = {"NewCondition": "new", "RefurbishedCondition": "refurbished", "UsedCondition": "used"}
    words = {"InStock": "in_stock", "OutOfStock": "out_of_stock", "BackOrder": "backorder"}
    for item in items:
        offer = offers(public, item.findtext(f"{G}link")).get(item.findtext(f"{G}link"), {})
        price = item.findtext(f"{G}sale_price") or item.findtext(f"{G}price")
        dates = item.findtext(f"{G}sale_price_effective_date")
        if dates and not dates.split("/")[0] <= AS_OF < dates.split("/")[1]:
            price = item.findtext(f"{G}price")
        says = (price, item.findtext(f"{G}availability"), item.findtext(f"{G}availability_date"), item.findtext(f"{G}condition"))
        page = (f"{offer.get('price')} {offer.get('priceCurrency')}", words.get(offer.get("availability", "").rsplit("/")[-1]),
                offer.get("availabilityStarts"), conditions.get(offer.get("itemCondition", "").rsplit("/")[-1]))
        if says != page:
            differing.append((item.findtext(f"{G}id"), says, page))
    report.check(f"{path}: price, stock, its day and condition are those of the page's structured data", not differing, differing[:5])
    return {item.findtext(f"{G}id"): item for item in items}


report = Report()
folder = pathlib.Path(tempfile.mkdtemp(prefix="vitrine-feeds-"))
port = free_port()
origin = f"http://127.0.0.1:{port}"
try:
    public = build_shop(folder, origin)
    server = serve(public, port)
    check_sitemaps(report, public, origin)
    check_atom(report, public, origin)
    items = check_google(report, public, "feeds/google.xml", "EUR", 2)
    report.check("what has no price or no picture is in no feed", not {"UNPRICED", "UNSEEN"} & set(items))
    report.check("a sold-out variant is out of stock", items["SALE-L"].findtext(f"{G}availability") == "out_of_stock")
    report.check("a back-order without a day is out of stock, and what is used says so",
                 [items["WORN"].findtext(f"{G}{name}") for name in ("availability", "condition")] == ["out_of_stock", "used"])
    report.check("a name that is too long is cut", any(name.startswith("ODD-xxx") for name in items))
    yen = check_google(report, public, "jp/feeds/google.xml", "JPY", 0)
    report.check("a market's feed holds what is sold there", len(yen) == 1, list(yen))
    item = next(iter(yen.values()))
    for name in ("id", "price", "brand", "image_link"):
        copy = etree.fromstring(etree.tostring(item))
        copy.remove(copy.find(f"{G}{name}")) if name != "price" else setattr(copy.find(f"{G}price"), "text", "15.00 JPY")
        faults = list(wrong(copy, "JPY", 0))
        report.check(f"the checker sees a wrong {name}", bool(faults) != (name == "brand"), faults)
    reference = ROOT.parent / "shared/data/feeds-reference/google-merchant-example.xml"
    if reference.is_file():
        known = {element.tag for element in etree.parse(reference).find(".//item")}
        report.check("elements of a feed by somebody else are ours too", known - {f"{G}custom_label_0"} <=
                     {element.tag for item in items.values() for element in item}, known)
    else:
        print("skipped: elements of a feed by somebody else (no ../shared/data)")
    server.shutdown()
    server.server_close()
    large = build_large_shop(folder / "large", origin)
    server = serve(large, port)
    check_sitemap_index(report, large, origin)
    server.shutdown()
finally:
    shutil.rmtree(folder, ignore_errors=True)
report.close()
