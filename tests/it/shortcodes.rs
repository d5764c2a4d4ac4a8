//! Shortcodes: calls in Markdown become what their templates print, where they stand; their mistakes are told at the text's own line.

use std::path::Path;

use crate::support::shop::{build, changed, folder, run, site, tree, write};

const AS_OF: &str = "2026-11-20";
const LAMP: &str =
    "+++\ntitle = \"Lamp\"\nsku = \"LAMP\"\nprice = \"19.90\"\nstock = 30\ncategories = [\"light\"]\n+++\n\nA lamp.\n";

/// A shop of a lamp and a mug, with shortcodes of its own and a page with that text (from line 4).
fn shop(text: &str) -> tempfile::TempDir {
    folder(&[
        ("site.toml", &site("EUR")),
        ("content/products/lamp.md", LAMP),
        ("content/products/mug.md", &LAMP.replace("Lamp", "Mug").replace("LAMP", "MUG").replace("19.90", "8.50")),
        ("content/categories/light/_index.md", "+++\ntitle = \"Light\"\n+++\nAll that shines.\n"),
        ("content/pages/guide.md", &format!("+++\ntitle = \"Guide\"\n+++\n{text}")),
        ("templates/page.html", "{{ page.body_html | safe }}"),
        ("templates/shortcodes/say.html", "{{ word }}"),
        ("templates/shortcodes/wrap.html", "<div>{{ body }}</div>"),
        (
            "templates/shortcodes/all.html",
            "{{ text }}|{{ count }}|{{ is_so }}|{{ words | join(sep=\"+\") }}|{{ nth }}|{{ page.url }}|{{ site.name }}",
        ),
    ])
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let folder = shop(text);
    build(folder.path(), AS_OF, &[]);
    let page = std::fs::read_to_string(folder.path().join("public/guide.html")).expect("a page");
    assert_eq!(page.trim(), expected, "{text}");
}

#[track_caller]
fn refused(text: &str, parts: &[&str]) {
    let folder = shop(text);
    let (code, _, told) = run(folder.path(), &["build", "--as-of", AS_OF]);
    assert_eq!(code, 1, "{text}: {told}");
    let missing: Vec<&&str> = parts.iter().filter(|part| !told.contains(**part)).collect();
    assert!(missing.is_empty(), "{text}: {missing:?} is not in\n{told}");
}

#[test]
fn arguments_of_every_kind_reach_the_template() {
    check(
        "{{ all(text=\"a \\\"b\\\" <i>\", count=-3, is_so=true, words=['x', `y`]) }}",
        "a &quot;b&quot; &lt;i&gt;|-3|true|x+y|1|/guide|Tiny",
    );
    check(
        "{{ all( text = 'a' ,\n  count=1, is_so=false, words=[], ) }}\n\n{{ all(text=\"b\", count=2, is_so=true, words=[1]) }}",
        "a|1|false||1|/guide|Tiny\n\nb|2|true|1|2|/guide|Tiny",
    );
}

#[test]
fn within_a_sentence_it_stands_in_the_sentence_and_alone_it_stands_between_paragraphs() {
    check("One {{ say(word=\"two\") }}, *{{ say(word=\"three\") }}*.", "<p>One two, <em>three</em>.</p>");
    check("Before\n\n{% wrap() %}in{% end %}\n\nafter", "<p>Before</p>\n\n<div>in</div>\n<p>after</p>");
    check("- {{ say(word=\"a\") }}\n- b\n", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>");
    check(
        "| a | b |\n|---|---|\n| {{ say(word=\"x|y\") }} | 2 |\n",
        "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>\n<tr><td>x|y</td><td>2</td></tr>\n</tbody></table>",
    );
    check("<div>\n{{ say(word=\"a\") }}\n</div>", "<div>\na\n</div>");
    check("## The {{ say(word=\"Fine\") }} print\n", "<h2 id=\"the-print\">The Fine print</h2>");
    check(
        "[go]({{ say(word=\"/here_now*\") }}) <b title=\"{{ say(word=\"t\") }}\">b</b>",
        "<p><a href=\"/here_now*\">go</a> <b title=\"t\">b</b></p>",
    );
}

#[test]
fn output_is_never_read_as_markdown_or_as_a_call() {
    check("{{ say(word=\"*a* _b_ `c` {{ say() }}\") }}", "*a* _b_ `c` {{ say() }}");
    check("vitrineshortcode0z {{ say(word=\"vitrineshortcodex1z\") }}", "<p>vitrineshortcode0z vitrineshortcodex1z</p>");
}

#[test]
fn a_block_holds_markdown_and_other_shortcodes() {
    check(
        "{% wrap() %}\n## Head\n\nA *word* and {{ say(word=\"more\") }}.\n\n{% wrap() %}inner{% end %}\n{% end %}\n\n## Head\n",
        "<div><h2 id=\"head\">Head</h2>\n<p>A <em>word</em> and more.</p>\n\n<div>inner</div></div>\n<h2 id=\"head-2\">Head</h2>",
    );
    check(
        "> {% wrap() %}\n> quoted *text*\n>\n> more\n> {% end %}\n",
        "<blockquote>\n\n<div><p>quoted <em>text</em></p>\n<p>more</p></div>\n</blockquote>",
    );
    check("1. {% wrap() %}\n   text\n   {% end %}\n2. b\n", "<ol>\n<li><div><p>text</p></div></li>\n<li>b</li>\n</ol>");
}

#[test]
fn code_and_escaped_signs_stay_as_they_are_written() {
    check("`{{ say(word=\"a\") }}` and ``{% x %}``", "<p><code>{{ say(word=\"a\") }}</code> and <code>{% x %}</code></p>");
    check(
        "```\n{{ say() }}\n{% end %}\n```\n\n    {{ nothing\n",
        "<pre><code>{{ say() }}\n{% end %}\n</code></pre>\n<pre><code>{{ nothing\n</code></pre>",
    );
    check("\\{{ say() }} \\{% end %} { { {a} {", "<p>{{ say() }} {% end %} { { {a} {</p>");
    check("{{ say(word=\"`\") }} and `code`", "<p>` and <code>code</code></p>");
}

#[test]
fn what_is_wrong_with_a_call_is_told_at_its_place() {
    refused(
        "Text.\n\nMore {{ sya(word=\"a\") }}.",
        &["there is no shortcode `sya`", "did you mean `say`?", "content/pages/guide.md:6:6"],
    );
    refused("{{ zebra() }}", &["there is no shortcode `zebra`", "templates/shortcodes/zebra.html", "figure, note"]);
    refused("a {{ say(wrod=\"a\") }}", &["no argument `wrod`", "did you mean `word`?", "content/pages/guide.md:4:10"]);
    refused(
        "\n{{ say() }}",
        &["`say` cannot be printed", "shortcodes/say.html:1", "not given: word", "content/pages/guide.md:5:1"],
    );
    refused("{{ say(page=\"x\") }}", &["`page` is given to every shortcode", "guide.md:4:8"]);
    refused("a\n{% wrap() %}\ntext", &["the block `wrap` does not end", "guide.md:5:1", "write `{% end %}`"]);
    refused("a\n{% end %}", &["no block is open", "guide.md:5:1"]);
    refused("{% wrap() %}a{% endwrap %}", &["`endwrap` is not called", "{% end %}"]);
    refused("{{ wrap() }}", &["`wrap` holds a text", "{% wrap(…) %} text {% end %}"]);
    refused("{% say(word=\"a\") %}b{% end %}", &["`say` holds no text", "{{ say(…) }}"]);
    refused("Mail to {{ name }}.", &["`name` is not called", "guide.md:4:12", "write `name()`, or `\\{{`"]);
    refused("{{ }}", &["`{{` begins a shortcode", "\\{{"]);
    refused("{{ say(\"a\") }}", &["every argument has a name", "guide.md:4:8"]);
    refused("{{ say(word=1.5) }}", &["`1.5` is no whole number", "write \"1.5\"", "guide.md:4:13"]);
    refused("{{ say(word=word) }}", &["this is no value", "in quotes"]);
    refused("{{ say(word=\"a) }}\nmore", &["this text does not end", "guide.md:4:13"]);
    refused("{{ say(word=[\"a\" \"b\"]) }}", &["this list does not go on", "guide.md:4:18"]);
    refused("{{ say(word=\"a\" }}", &["do not go on", "guide.md:4:17"]);
    refused("{{ say(word=\"a\") %}", &["ends with `}}`", "guide.md:4:18"]);
    refused("{{ say(word=\"a\", word=\"b\") }}", &["`word` is given twice"]);
    refused(
        "Text {% wrap() %}b{% end %} text",
        &["prints a block, `<div>`, within a sentence", "guide.md:4:6", "on a line of its own"],
    );
    refused(&"{% wrap() %}\n".repeat(9), &["a block in 8 others", "guide.md:12:1"]);
}

#[test]
fn all_mistakes_of_all_texts_are_told_in_one_run() {
    let folder = shop("{{ say() }}\n\n{{ say(word=\"a\") }} {{ sya() }}\n");
    write(folder.path(), "content/products/lamp.md", &format!("{LAMP}\n{{{{ figrue(src=\"a\") }}}}\n"));
    write(folder.path(), "content/categories/light/_index.md", "+++\ntitle = \"Light\"\n+++\n{{ note(kind=\"tip\") }}\n");
    write(
        folder.path(),
        "content/lines.jsonl",
        "{\"title\":\"Rug\",\"sku\":\"R\",\"price\":9,\"body\":\"Soft.\\n\\n{{ sya() }}\"}\n",
    );
    let settings = format!("{}\n[[sources]]\nformat = \"jsonl\"\npath = \"content/lines.jsonl\"\n", site("EUR"));
    write(folder.path(), "site.toml", &settings);
    let (code, _, told) = run(folder.path(), &["build", "--as-of", AS_OF]);
    assert_eq!(code, 1);
    for place in
        ["guide.md:4:1", "guide.md:6:21", "lamp.md:11:1", "did you mean `figure`?", "_index.md:4:1", "lines.jsonl:1", "5 errors"]
    {
        assert!(told.contains(place), "{place} is not in\n{told}");
    }
}

#[test]
fn a_text_that_came_as_html_is_not_expanded() {
    let folder = shop("");
    let html = LAMP.replace("title =", "body = \"html\"\ntitle =").replace("A lamp.", "<p>A {{ nothing( }} lamp {% end %}</p>");
    write(folder.path(), "content/products/lamp.md", &html);
    build(folder.path(), AS_OF, &[]);
    let page = std::fs::read_to_string(folder.path().join("public/products/lamp.html")).expect("a page");
    assert!(page.contains("A {{ nothing( }} lamp {% end %}"), "{page}");
}

#[test]
fn descriptions_leave_out_what_shortcodes_print() {
    let folder = shop("");
    let text = "A {{ product(slug=\"mug\") }} lamp.\n\n{% note() %}Loud{% end %}\n"
        .replace("A {{ product(slug=\"mug\") }} lamp.", "A lamp.\n\n{{ product(slug=\"mug\") }}");
    write(folder.path(), "content/products/lamp.md", &LAMP.replace("A lamp.\n", &text));
    build(folder.path(), AS_OF, &[]);
    let page = std::fs::read_to_string(folder.path().join("public/products/lamp.html")).expect("a page");
    assert!(page.contains("name=\"description\" content=\"A lamp.\""), "{page}");
    assert!(page.contains("<aside class=\"note tip\">"), "{page}");
    assert_eq!(page.matches("8.50").count(), page.matches("<span class=\"price\">€8.50</span>").count(), "{page}");
}

/// The theme's own shortcodes, on a page and in a product's text.
fn furnished() -> tempfile::TempDir {
    let text = "{{ product(slug=\"lamp\") }}\n\n{{ products(slugs=[\"lamp\", \"mug\"]) }}\n\n{{ table(file=\"care.csv\", caption=\"Care\") }}\n\n\
                {{ figure(src=\"images/lamp.svg\", alt=\"A lamp\", caption=\"Lit\") }}\n\n{% note(kind=\"warning\", title=\"Hot\") %}\nMind *it*.\n{% end %}\n";
    let folder = shop(text);
    write(folder.path(), "content/data/care.csv", "Wood,Care\nOak,Oil\n");
    write(folder.path(), "static/images/lamp.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 40 50\"/>");
    write(
        folder.path(),
        "content/products/mug.md",
        &LAMP.replace("Lamp", "Mug").replace("LAMP", "MUG").replace("A lamp.\n", "{{ product(slug=\"lamp\") }}\n"),
    );
    std::fs::remove_file(folder.path().join("templates/page.html")).expect("the theme's own page");
    folder
}

#[test]
fn the_themes_shortcodes_print_cards_tables_figures_and_notes() {
    let folder = furnished();
    build(folder.path(), AS_OF, &[]);
    let page = std::fs::read_to_string(folder.path().join("public/guide.html")).expect("a page");
    for part in [
        "<a href=\"/products/lamp\">",
        "<span class=\"price\">€19.90</span>",
        "<caption>Care</caption>",
        "<thead><tr><th scope=\"col\">Wood</th><th scope=\"col\">Care</th></tr></thead>",
        "<tr><th scope=\"row\">Oak</th><td>Oil</td></tr>",
        "width=\"40\" height=\"50\"",
        "<figcaption>Lit</figcaption>",
        "<aside class=\"note warning\"><p><strong>Hot</strong></p>\n<p>Mind <em>it</em>.</p>\n</aside>",
    ] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    let (code, _, told) = run(folder.path(), &["check", "--as-of", AS_OF]);
    assert_eq!(code, 0, "{told}");
}

#[test]
fn the_check_reads_prices_that_shortcodes_print() {
    let folder = furnished();
    let wrong = "{% set card = product(slug=slug) %}<ul><li><a href=\"{{ card.url }}\">{{ card.title }}</a> <span class=\"price\">€1.23</span></li></ul>";
    write(folder.path(), "templates/shortcodes/product.html", wrong);
    let (code, _, told) = run(folder.path(), &["check", "--as-of", AS_OF]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("a card shows 1.23 EUR for `lamp`") && told.contains("content/pages/guide.md:4"), "{told}");
}

/// Paths of pages that an edit changes.
fn pages_changed(root: &Path, edit: impl FnOnce()) -> Vec<String> {
    let before = tree(&root.join("public"));
    edit();
    build(root, AS_OF, &[]);
    changed(&before, &tree(&root.join("public"))).into_iter().filter(|path| path.starts_with("products/")).collect()
}

#[test]
fn a_product_that_a_text_shows_makes_its_page_stale() {
    let folder = furnished();
    let root = folder.path();
    // Related products would show each other anyway.
    write(
        root,
        "templates/product.html",
        "{{ page.description_html | safe }}{% for variant in page.variants %}{{ variant.sku }}{% endfor %}",
    );
    write(root, "content/products/vase.md", &LAMP.replace("Lamp", "Vase").replace("LAMP", "VASE").replace("[\"light\"]", "[]"));
    write(
        root,
        "content/products/mug.md",
        &LAMP
            .replace("Lamp", "Mug")
            .replace("LAMP", "MUG")
            .replace("[\"light\"]", "[]")
            .replace("A lamp.\n", "{{ product(slug=\"lamp\") }}\n"),
    );
    build(root, AS_OF, &[]);
    assert_eq!(pages_changed(root, || {}), Vec::<String>::new());
    let changed = pages_changed(root, || write(root, "content/products/lamp.md", &LAMP.replace("19.90", "24.90")));
    assert_eq!(changed, ["products/mug.html"], "the lamp's own page shows no price here");
    let changed = pages_changed(root, || {
        write(root, "content/products/vase.md", &LAMP.replace("Lamp", "Vase").replace("LAMP", "VASE").replace("19.90", "3.00"))
    });
    assert_eq!(changed, Vec::<String>::new());
    // Not shown any more: its card is gone, and the page stands.
    let changed = pages_changed(root, || {
        write(root, "content/products/lamp.md", &LAMP.replace("19.90", "24.90").replace("stock =", "status = \"draft\"\nstock ="))
    });
    assert_eq!(changed, ["products/lamp.html", "products/mug.html"]);
    // Not there any more: told where it is named.
    std::fs::remove_file(root.join("content/products/lamp.md")).expect("removed");
    let (code, _, told) = run(root, &["build", "--as-of", AS_OF]);
    assert_eq!(code, 1);
    assert!(told.contains("there is no product `lamp`") && told.contains("content/products/mug.md:9:1"), "{told}");
}
