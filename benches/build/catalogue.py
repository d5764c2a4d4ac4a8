#!/usr/bin/env python3
"""The benchmark's catalogue: the same (seed, N) gives the same shop for Vitrine and for Hugo.

    catalogue.py --products N --out DIR --format vitrine|hugo [--seed S]

For Hugo every product carries all the data its page needs (breadcrumb, the eight related products, formatted prices); Vitrine is given
names and looks the rest up itself, as a merchant would write it.
"""
import argparse
import json
import os
import random
import sys
from datetime import datetime, timedelta

NOUNS = ("Garden Kitchen Office Travel Outdoor Audio Camera Fitness Bath Bedroom Lighting "
         "Toys Stationery Cycling Running Climbing Sailing Coffee Tea Baking Storage Pets "
         "Hardware Paint Flooring Textiles Jewellery Watches Shoes Hats Coats Knitwear").split()
KINDS = ("Tools Sets Covers Stands Racks Frames Lamps Boxes Bags Cables Filters Mats "
         "Bottles Brushes Blankets Chairs Tables Shelves Clips Sensors Gloves Belts").split()
ADJ = ("Compact Sturdy Folding Quiet Bright Woven Classic Modern Slim Heavy Light Smart "
       "Rugged Soft Polished Natural Portable Modular Insulated Magnetic Recycled Vintage").split()
MAT = ("Oak Steel Cotton Wool Bamboo Copper Glass Linen Leather Cork Felt Ceramic "
       "Aluminium Walnut Canvas Rubber Silicone Marble Brass Hemp").split()
COLOURS = "black white red blue green grey navy sand olive rust teal plum".split()
SIZES = "XS S M L XL XXL".split()
WORDS = ("the a this every simple careful daily spare long short wide narrow warm cool clean dry "
         "surface handle edge corner panel cover frame spring hinge strap pocket lining base "
         "lid seam weight length depth finish colour texture grip balance stitch joint screw "
         "holds keeps carries folds opens closes turns lifts stores protects fits lasts rests "
         "slides packs washes dries ships arrives works stays comes needs takes gives makes "
         "with without under over between around after before during beside against across "
         "house room table shelf garden car boat train office kitchen workshop hallway winter "
         "summer morning evening weekend journey season year hand family guest friend child "
         "easily quickly quietly slowly gently firmly neatly well often always rarely twice "
         "and or but so because while although where when which that").split()
EPOCH = datetime(2020, 1, 1)


def slugify(text):
    out, dash = [], False
    for ch in text.lower():
        if ch.isalnum():
            out.append(ch)
            dash = False
        elif not dash:
            out.append("-")
            dash = True
    return "".join(out).strip("-")


def money(minor):
    return "%d.%02d" % divmod(minor, 100)


class Catalogue:
    def __init__(self, n, seed):
        self.n, self.seed = n, seed
        rng = random.Random("%s:catalogue" % seed)
        total = max(10, n // 50)
        tops = max(4, total // 10)
        self.tops, self.leaves = [], []
        for i in range(tops):
            name = "%s %03d" % (NOUNS[i % len(NOUNS)], i)
            self.tops.append({"name": name, "slug": slugify(name), "parent": None})
        for i in range(total - tops):
            top = self.tops[i % tops]
            name = "%s: %s %d" % (top["name"], KINDS[(i // tops + i) % len(KINDS)], i // tops)
            self.leaves.append({"name": name, "short": name.split(": ")[1],
                                "slug": slugify(name), "parent": top})
        self.brands = ["%s %s" % (ADJ[i % len(ADJ)], MAT[(i * 7 + i // 20) % len(MAT)])
                       + (" %d" % (i // 20 + 1)) for i in range(200)]
        self.sentences = [self._sentence(rng) for _ in range(4096)]
        # light pass: what other products need to know about a product
        self.light, members = [], [[] for _ in self.leaves]
        for i in range(n):
            leaf = rng.randrange(len(self.leaves))
            second = rng.randrange(len(self.leaves)) if rng.random() < 0.4 else leaf
            title = "%s %s %s %d" % (ADJ[rng.randrange(len(ADJ))], MAT[rng.randrange(len(MAT))],
                                     self.leaves[leaf]["short"].split()[0].rstrip("s"), i)
            price = rng.randrange(499, 49999)
            self.light.append((title, slugify(title), price, leaf, second, len(members[leaf])))
            members[leaf].append(i)
        self.members = members

    @staticmethod
    def _sentence(rng):
        words = [WORDS[rng.randrange(len(WORDS))] for _ in range(rng.randrange(8, 16))]
        return words[0].capitalize() + " " + " ".join(words[1:]) + "."

    def _body(self, rng, leaf):
        s, pool = self.sentences, len(self.sentences)

        def pick(k):
            return " ".join(s[rng.randrange(pool)] for _ in range(k))

        def emph(text):
            w = text.split(" ")
            k = rng.randrange(1, len(w) - 2)
            w[k] = "**%s**" % w[k]
            w[k + 1] = "*%s*" % w[k + 1].rstrip(".")
            return " ".join(w)

        cat = self.leaves[leaf]
        a, b, c, d = (rng.randrange(10, 900) for _ in range(4))
        return "\n".join([
            "## Overview", "",
            emph(pick(4)), "",
            "%s See the [whole range](/categories/%s/) or the [maker's notes](https://example.org/notes/%d)."
            % (emph(pick(3)), cat["slug"], a), "",
            "## Features", "",
            "- %s" % emph(pick(1)), "- %s" % pick(1), "- %s `%d mm`" % (pick(1), b), "- %s" % pick(1), "",
            "### In use", "",
            emph(pick(3)), "",
            "1. %s" % pick(1), "2. %s" % pick(1), "3. %s" % pick(1), "",
            "> %s" % pick(1), "",
            "## Measurements", "",
            "| Part | Length | Weight |", "| :--- | ---: | ---: |",
            "| Body | %d mm | %d g |" % (b, c), "| Cover | %d mm | %d g |" % (c, d),
            "| Packed | %d mm | %d g |" % (d, a), "",
            pick(2), ""])

    def product(self, i):
        title, slug, price, leaf, second, pos = self.light[i]
        rng = random.Random("%s:%d" % (self.seed, i))
        sku = "SKU-%07d" % i
        cat = self.leaves[leaf]
        terms = [cat["parent"]["name"], cat["name"]]
        paths = [path_of(cat)]
        if second != leaf:
            other = self.leaves[second]
            paths.append(path_of(other))
            for t in (other["parent"]["name"], other["name"]):
                if t not in terms:
                    terms.append(t)
        sibs = self.members[leaf]
        rel = [sibs[(pos + k) % len(sibs)] for k in range(1, min(9, len(sibs)))]
        sizes = rng.sample(SIZES, 3)
        colours = rng.sample(COLOURS, 3)
        variants = []
        for k in range(3):
            p = price + k * rng.randrange(0, 900)
            variants.append({"sku": "%s-%d" % (sku, k + 1), "size": sizes[k], "colour": colours[k],
                             "price": p, "price_text": money(p), "stock": rng.randrange(0, 250)})
        return {
            "title": title, "slug": slug, "sku": sku,
            "date": (EPOCH + timedelta(minutes=20 * i)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "summary": self.sentences[rng.randrange(4096)],
            "price": price, "price_text": money(price), "currency": "EUR",
            "brand": self.brands[rng.randrange(len(self.brands))],
            "rating": round(rng.uniform(2.5, 5.0), 1), "reviews": rng.randrange(0, 900),
            "terms": terms, "paths": paths, "related_slugs": [self.light[j][1] for j in rel],
            "crumbs": [{"name": cat["parent"]["name"], "url": "/categories/%s/" % cat["parent"]["slug"]},
                       {"name": cat["short"], "url": "/categories/%s/" % cat["slug"]}],
            "images": ["https://img.example/%s-%d.jpg" % (sku.lower(), k) for k in range(1, 5)],
            "variants": variants,
            "related": [self.card(j) for j in rel],
            "body": self._body(rng, leaf),
        }

    def card(self, j):
        t = self.light[j]
        return {"title": t[0], "url": "/products/%s/" % t[1], "price_text": money(t[2])}

    def nav(self):
        return [{"name": t["name"], "url": "/categories/%s/" % t["slug"]} for t in self.tops[:12]]

    def featured(self):
        step = max(1, self.n // 24)
        out = []
        for j in range(0, self.n, step):
            c = self.card(j)
            c["image"] = "https://img.example/sku-%07d-1.jpg" % j
            out.append(c)
        return out[:24]


# --- front matter writers -----------------------------------------------------
def q(v):
    """A JSON string, number or boolean is also valid TOML and YAML."""
    return json.dumps(v, ensure_ascii=False)


def toml_inline(d):
    return "{ " + ", ".join("%s = %s" % (k, q(v)) for k, v in d.items()) + " }"


def toml_list(key, rows):
    return "%s = [\n%s]" % (key, "".join("  %s,\n" % toml_inline(r) for r in rows))


def product_fields(p, sep):
    return ["%s%s%s" % (k, sep, q(p[k])) for k in
            ("sku", "price", "price_text", "currency", "brand", "rating", "reviews")]


def toml_tail(p):
    return ["images = %s" % q(p["images"]), toml_list("crumbs", p["crumbs"]),
            toml_list("variants", p["variants"]), toml_list("related", p["related"])]


def page_hugo(p):
    head = ["title = %s" % q(p["title"]), "slug = %s" % q(p["slug"]), "date = %s" % p["date"],
            "description = %s" % q(p["summary"]), "categories = %s" % q(p["terms"]), "", "[params]"]
    return toml_page(head + product_fields(p, " = ") + toml_tail(p), p["body"])


def page_vitrine(p):
    head = ["title = %s" % q(p["title"]), "brand = %s" % q(p["brand"]), "categories = %s" % q(p["paths"]),
            "options = [\"Size\", \"Colour\"]", "related = %s" % q(p["related_slugs"]), "updated_at = %s" % q(p["date"]),
            "images = [%s]" % ", ".join("{ src = %s, alt = %s }" % (q(image), q(p["title"])) for image in p["images"]),
            "attributes = { Rating = \"%s of 5\", Reviews = \"%d\" }" % (p["rating"], p["reviews"]),
            "seo = { description = %s }" % q(p["summary"])]
    for v in p["variants"]:
        head += ["", "[[variants]]", "options = %s" % q([v["size"], v["colour"]]), "sku = %s" % q(v["sku"]),
                 "price = %s" % q(v["price_text"]), "stock = %d" % v["stock"]]
    return toml_page(head, p["body"])


def toml_page(lines, body):
    return "+++\n%s\n+++\n\n%s" % ("\n".join(lines), body)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--products", type=int, required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--format", required=True, choices=["hugo", "vitrine"])
    ap.add_argument("--seed", default="1")
    a = ap.parse_args()
    cat = Catalogue(a.products, a.seed)
    join = os.path.join
    base = join(a.out, "content", "products")
    os.makedirs(base, exist_ok=True)
    render = {"hugo": page_hugo, "vitrine": page_vitrine}[a.format]
    for i in range(cat.n):
        p = cat.product(i)
        with open(join(base, p["slug"] + ".md"), "w", encoding="utf-8") as f:
            f.write(render(p))
    if a.format == "hugo":
        write(join(a.out, "data", "nav.json"), json.dumps(cat.nav()))
        write(join(a.out, "data", "featured.json"), json.dumps(cat.featured()))
    else:
        for c in cat.tops + cat.leaves:
            lines = ["title = %s" % q(c["name"].split(": ")[-1])]
            write(join(a.out, "content", "categories", path_of(c), "_index.md"),
                  toml_page(lines, cat.sentences[hash_of(c["slug"]) % 4096] + "\n"))
    print("%d products, %d categories -> %s" % (cat.n, len(cat.tops) + len(cat.leaves), a.format), file=sys.stderr)


def path_of(category):
    """Folders are Vitrine's hierarchy."""
    parent = category["parent"]
    return parent["slug"] + "/" + category["slug"] if parent else category["slug"]


def hash_of(text):
    h = 2166136261
    for b in text.encode():
        h = ((h ^ b) * 16777619) & 0xFFFFFFFF
    return h


if __name__ == "__main__":
    main()
