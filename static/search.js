// Search: finds products while one types, filters and sorts them, out of the small files that src/site/search describes. Fetched when
// somebody is about to search. Words are folded here as src/site/search/words.rs folds them.
const $ = (selector, root = document) => root.querySelector(selector);
const finder = $("[data-finder]");
const { prefix } = (finder ?? $("[data-search]")).dataset;
const PAGE = 24, FIRST = 8, SUGGESTIONS = 6, WORDS = 8, EXPANDED = 64, PAUSE_MS = 70;

// ---- Files: each is fetched once.

let head, files = new Map();
const get = async (url, options) => {
  const answer = await fetch(url, options);
  if (!answer.ok) throw new Error(`${url} is not there`);
  return answer.json();
};
const getHead = () => (head ??= get(`${prefix}/search.json`));
const file = (name, hash) => {
  const url = `/a/search/${name}.${hash}.json`;
  if (!files.has(url)) files.set(url, get(url));
  return files.get(url);
};
// A page that stood open while the shop was published knows files that are gone: the head is asked for anew, once.
const withFiles = async (task) => {
  try {
    return await task(await getHead());
  } catch {
    files = new Map();
    head = get(`${prefix}/search.json`, { cache: "reload" });
    head.catch(() => (head = undefined));
    return task(await head);
  }
};

// ---- Words.

const spelled = { ß: "ss", æ: "ae", œ: "oe", ø: "o", ł: "l", đ: "d", ð: "d", þ: "th", ı: "i" };
export const fold = (text) =>
  text.toLowerCase().normalize("NFKD").toLowerCase()
    .replace(/[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff'’\u00ad]/g, "")
    .replace(/[ßæœøłđðþı]/g, (letter) => spelled[letter])
    .replace(/[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]/g, " $& ")
    .split(/[^\p{Alphabetic}\p{N}]+/u)
    .filter(Boolean)
    .map((word) => [...word].slice(0, 32).join(""));

// Edits that make one word of another: letters added, left out, changed, or two neighbours swapped. With `open`, the other may go on.
// More than `most` is `most + 1`.
export const edits = (word, other, most, open) => {
  if (word.length - other.length > most || (!open && other.length - word.length > most)) return most + 1;
  const length = Math.min(other.length, word.length + most);
  let before, last, row = Array.from({ length: length + 1 }, (_, j) => j);
  for (let i = 1; i <= word.length; i++) {
    [before, last, row] = [last, row, [i]];
    let least = i;
    for (let j = 1; j <= length; j++) {
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (word[i - 1] !== other[j - 1]));
      if (i > 1 && j > 1 && word[i - 1] === other[j - 2] && word[i - 2] === other[j - 1]) row[j] = Math.min(row[j], before[j - 2] + 1);
      least = Math.min(least, row[j]);
    }
    if (least > most) return most + 1;
  }
  return Math.min(open ? Math.min(...row) : row[length], most + 1);
};

// Places of words that a typed one may mean, each with how far it is off: 0 the word, 1 its beginning, 2 and more mistyped.
const meant = async (head, word, isLast) => {
  const isCode = /\p{N}/u.test(word), open = isLast || word.length > 3;
  const parts = head.words.map(([first, begins, hash], index) => ({ first, begins, hash, index, isCode: first >= head.first_code }));
  const among = (codes, start) =>
    parts.filter((part, index) => {
      const next = parts[index + 1];
      return part.isCode === codes && part.begins <= `${start}\uffff` && (next?.isCode !== codes || next.begins > start);
    });
  const scan = async (some, far) => {
    const found = [];
    const read = await Promise.all(some.map(({ index, hash }) => file(`words${head.spoken}-${index}`, hash)));
    read.forEach(({ words }, index) =>
      words.split(" ").forEach((other, place) => {
        const off = far(other);
        if (off >= 0) found.push([some[index].first + place, off]);
      }));
    return found;
  };
  const begins = (other) => (other === word ? 0 : open && other.startsWith(word) ? 1 : -1);
  let found = await scan(among(isCode, word), begins);
  const most = isCode || found.length ? 0 : word.length > 7 ? 2 : word.length > 3 ? 1 : 0;
  if (most) {
    const far = (other) => {
      const whole = edits(word, other, most), off = open && whole > 1 ? Math.min(whole, edits(word, other, most, true) + 0.5) : whole;
      return off > most + 0.5 ? -1 : 1 + off;
    };
    // Few mistype the first letter: all files are read only where that finds nothing.
    found = await scan(among(false, word[0]), far);
    if (!found.length) found = await scan(parts.filter((part) => !part.isCode), far);
    const least = Math.min(...found.map(([, off]) => off));
    found = found.filter(([, off]) => off <= least);
  }
  if (!found.length && !isCode) found = await scan(among(true, word), begins);
  return found.sort((one, other) => one[1] - other[1] || one[0] - other[0]).slice(0, EXPANDED);
};

// ---- Products.

const numbers = (steps) => {
  let last = 0;
  return steps.map((step) => (last += step));
};

// How well each product has a word: where it stands goes before how exactly it stands there.
const bearing = async (head, word, isLast) => {
  const found = await meant(head, word, isLast), scores = new Map();
  const index = (place) => head.postings.findLastIndex(([first]) => first <= place);
  await Promise.all(found.map(async ([place, off]) => {
    const part = index(place), [first, hash] = head.postings[part];
    const postings = await file(`postings${head.spoken}-${part}`, hash);
    [postings.title, postings.brand, postings.other].forEach((list, rank) => {
      for (const number of numbers(list[place - first])) scores.set(number, Math.max(scores.get(number) ?? 0, 40 - 12 * rank - off));
    });
  }));
  return { scores, isNear: found.length > 0 && found[0][1] > 1 };
};

// Products that have all words, else those that have most of them; best first, then by number.
export const find = async (head, text) => {
  const typed = fold(text).slice(0, WORDS);
  const all = await Promise.all(typed.map((word, index) => bearing(head, word, index === typed.length - 1)));
  const sums = new Map();
  for (const { scores } of all) {
    for (const [number, score] of scores) sums.set(number, (sums.get(number) ?? 0) + 1000 + score);
  }
  const most = Math.floor(Math.max(0, ...[...sums.values()].map((sum) => sum / 1000)));
  const found = [...sums].filter(([, sum]) => sum >= most * 1000);
  found.sort(([one, first], [other, second]) => second - first || one - other);
  return { found: found.map(([number]) => number), isPart: most < typed.length, isNear: all.some(({ isNear }) => isNear) };
};

// The card of each product, in order.
const cards = async (head, some) => {
  const part = (number) => Math.floor(number / head.cards_each);
  const read = await Promise.all(some.map((number) => file(`cards-${head.market}-${part(number)}`, head.cards[part(number)])));
  return some.map((number, index) => {
    const { first, slugs, titles, images, prices, struck, per, sales, varies, availability } = read[index], place = number - first;
    return {
      url: `${prefix}/products/${slugs[place]}`, title: titles[place], image: images[place], price: prices[place], struck: struck[place],
      per: per[place], sale: sales[place], varies: varies[place] === "1", stock: +availability[place],
    };
  });
};

// What a card says now: until when a sale price holds, or what holds after it.
const current = (card) => {
  if (!card.sale) return card;
  const { until, ends, price, struck, per, varies } = card.sale;
  return Date.parse(ends) > Date.now() ? { ...card, until } : { ...card, price, struck, per, varies, sale: undefined };
};
// Then once a sale is over, as long as what shows it is on the page. Timers are kept short, since they are late after a sleep.
const onceOver = (shown, ends, then) => {
  const wait = Date.parse(ends) - Date.now();
  setTimeout(() => shown.isConnected && (Date.parse(ends) > Date.now() ? onceOver(shown, ends, then) : then()), Math.min(wait, 6e4));
};

// What products are filtered and sorted by.
const columns = async (head, some) => {
  const part = (number) => Math.floor(number / head.columns_each), read = {};
  await Promise.all([...new Set(some.map(part))].map(async (index) => {
    read[index] = await file(`columns-${head.market}-${index}`, head.columns[index]);
  }));
  return (number) => {
    const column = read[part(number)], place = number - column.first;
    return {
      price: column.prices[place], day: column.days[place], name: column.names[place], stock: +column.availability[place],
      values: column.facets.map((facet) => [facet[place] ?? []].flat()),
    };
  };
};

const onShelf = (category) => {
  const all = [], runs = category?.products ?? [];
  for (let index = 0, at = 0; index < runs.length; index += 2) {
    at += runs[index];
    for (const end = at + runs[index + 1]; at < end; at++) all.push(at);
  }
  return all;
};

const missing = (one, other, order) => (one == null) - (other == null) || (one == null ? 0 : order(one, other));
const orders = {
  price: (one, other) => missing(one.price, other.price, (a, b) => a - b),
  price_down: (one, other) => missing(one.price, other.price, (a, b) => b - a),
  newest: (one, other) => missing(one.day, other.day, (a, b) => b - a),
  name: (one, other) => one.name - other.name,
};

// Products of `wish` in order, and how many each filter would leave.
const choose = async (head, wish) => {
  const { found, isPart, isNear } = wish.text.trim() ? await find(head, wish.text) : { found: undefined };
  const isFiltered = wish.stocked || wish.category || wish.values.size || wish.sort || !found || wish.counts;
  if (!isFiltered) return { found, isPart, isNear };
  const filters = await file(`filters-${head.market}-0`, head.filters);
  const within = (path) => new Set(onShelf(filters.categories.find((category) => category.path === path)));
  let base = found ?? (wish.shelf ? [...within(wish.shelf)] : Array.from({ length: head.products }, (_, number) => number));
  if (wish.shelf && found) {
    const shelf = within(wish.shelf);
    base = base.filter((number) => shelf.has(number));
  }
  const column = await columns(head, base), shelf = wish.category && within(wish.category);
  const wanted = filters.facets.map(({ name, values }) => {
    const slugs = wish.values.get(name);
    return slugs && new Set(values.flatMap(({ slug }, index) => (slugs.has(slug) ? [index] : [])));
  });
  const counts = { facets: filters.facets.map(({ values }) => values.map(() => 0)), shelves: new Map(), stocked: 0 };
  const left = [], shelved = new Uint32Array(head.products + 1);
  for (const number of base) {
    const facts = column(number), values = facts.values;
    const fails = wanted.map((some, index) => !!some && !values[index].some((value) => some.has(value)));
    const isOut = facts.stock > 2, isElsewhere = !!shelf && !shelf.has(number);
    const failed = fails.filter(Boolean).length + (wish.stocked && isOut) + isElsewhere;
    // Of one filter at a time is told what it would leave, given all others.
    if (failed <= 1) {
      values.forEach((some, index) => failed - fails[index] === 0 && some.forEach((value) => counts.facets[index][value]++));
      if (failed === 0 || isElsewhere) shelved[number + 1] = 1;
      if (!isOut && failed === 0) counts.stocked++;
    }
    if (failed === 0) left.push([number, facts]);
  }
  for (let at = 0; at < head.products; at++) shelved[at + 1] += shelved[at];
  for (const { path, products } of filters.categories) {
    let at = 0, sum = 0;
    products.forEach((step, index) => {
      if (index % 2) sum += shelved[at + step] - shelved[at];
      at += step;
    });
    counts.shelves.set(path, sum);
  }
  const order = orders[wish.sort] ?? (found ? undefined : orders.name);
  if (order) left.sort(([one, first], [other, second]) => order(first, second) || one - other);
  return { found: left.map(([number]) => number), isPart, isNear, filters, counts };
};

// ---- The page: results with filters, in place of what stands there without script.

const node = (tag, text, name) => {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  if (name) made.className = name;
  return made;
};
// A text with its gaps filled; a count chooses the form, by the rules of the language that the text is in.
const fill = (text, gaps) => {
  const count = (forms) => forms[new Intl.PluralRules(forms.language).select(gaps.count)] ?? forms.other;
  const shown = { ...gaps, ...(text.language && { count: gaps.count.toLocaleString(text.language) }) };
  return (text.language ? count(text) : text).replace(/\{([a-z_]+)\}/g, (gap, name) => shown[name] ?? gap);
};
const priced = (box, { price, struck, varies }, { now, instead_of, from }) => {
  if (!price) return box.remove();
  if (struck) box.append(node("span", `${now} `, "unseen"), node("ins", price), " ", node("span", `${instead_of} `, "unseen"), node("s", struck));
  else box.append(...(varies ? [node("span", from, "from"), " "] : []), price);
};
// A result as the theme's own template in the page draws it.
const drawn = (template, known, texts) => {
  const { price, tag } = texts, card = current(known), item = template.content.firstElementChild.cloneNode(true);
  const picture = $("img", item), note = $(".tag", item), per = $(".per", item), until = $(".until", item);
  $("a", item).href = card.url;
  $(".name", item).textContent = card.title;
  if (card.image) picture.src = card.image;
  else picture.remove();
  priced($(".price", item), card, price);
  if (card.per && per) per.textContent = card.per;
  else per?.remove();
  if (card.until && until) until.textContent = fill(tag.until, { date: card.until });
  else until?.remove();
  const text = ["", "", tag.backorder, tag.sold_out, tag.not_for_sale][card.stock] || (card.struck ? tag.reduced : "");
  if (text) [note.textContent, note.className] = [text, `tag ${card.stock > 2 ? "gone" : card.stock ? "wait" : "sale"}`];
  else note.remove();
  if (card.sale) {
    onceOver(item, card.sale.ends, () => {
      const after = drawn(template, known, texts), hadFocus = item.contains(document.activeElement);
      item.replaceWith(after);
      if (hadFocus) $("a", after).focus();
    });
  }
  return item;
};

const work = (finder) => {
  const { path: shelf = "", facet, value } = finder.dataset;
  const field = $("form[data-search] input", $("main")), sorting = $("[name=sort]", finder);
  const panel = $("[data-filters]", finder), status = $("[data-status]", finder), list = $("[data-results]", finder);
  const more = $("[data-more]", finder), template = $("template", finder), fixed = document.querySelectorAll("[data-static]");
  const wish = { text: "", sort: "", category: "", shelf, stocked: false, values: new Map(), shown: PAGE, counts: false };
  let turn = 0, timer, built;

  const read = () => {
    const asked = new URLSearchParams(location.search);
    for (const [name, text] of asked) {
      if (name === "q") wish.text = text.slice(0, 200);
      else if (name === "sort") wish.sort = text;
      else if (name === "category") wish.category = text;
      else if (name === "availability") wish.stocked = true;
      else wish.values.set(name, (wish.values.get(name) ?? new Set()).add(text));
    }
    if (facet) wish.values.set(facet, new Set([value]));
    if (field && document.activeElement !== field) field.value = wish.text;
    if (field?.value) wish.text = field.value;
    if (sorting.value) wish.sort = sorting.value;
    else sorting.value = wish.sort;
  };
  const write = () => {
    const told = new URLSearchParams(shelf ? { sort: wish.sort } : { q: wish.text });
    if (!shelf && wish.sort) told.set("sort", wish.sort);
    if (wish.category) told.set("category", wish.category);
    if (wish.stocked) told.set("availability", "stocked");
    for (const [name, slugs] of wish.values) for (const slug of slugs) told.append(name, slug);
    if (facet) told.delete(facet);
    history.replaceState(null, "", `${location.pathname}?${told}`);
  };

  // Filters are made once, so that what has the focus keeps it; later only counts change.
  const build = ({ categories, facets }, { finder: texts }) => {
    const group = (label, items) => {
      const box = node("details", "", "facet"), rows = node("ul", "", "checks");
      rows.append(...items);
      box.append(node("summary", label), rows);
      return box;
    };
    const check = (name, slug, label) => {
      const row = node("li"), box = node("label"), input = node("input"), count = node("span", "", "fine");
      Object.assign(input, { type: "checkbox", name, value: slug, checked: name === "availability" ? wish.stocked : !!wish.values.get(name)?.has(slug) });
      box.append(input, ` ${label} `, count);
      row.append(box);
      return { row, input, count };
    };
    const below = categories.filter(({ path }) => path.startsWith(shelf && `${shelf}/`));
    const stocked = check("availability", "stocked", texts.stocked), choice = node("select");
    choice.name = "category";
    choice.append(new Option(texts.everywhere, ""), ...below.map(({ path }) => new Option("", path)));
    choice.value = wish.category;
    const rows = facets.map(({ name, values }) => values.map(({ slug, label }) => check(name, slug, label)));
    const label = node("label", `${texts.shelf} `);
    label.append(choice);
    if (below.length) panel.append(label);
    panel.append(...facets.map(({ label }, index) => group(label, rows[index].map(({ row }) => row))));
    const single = node("ul", "", "checks");
    single.append(stocked.row);
    panel.append(single);
    facets.forEach(({ name }, index) => (panel.querySelectorAll("details")[index].open = wish.values.has(name)));
    return ({ counts }) => {
      const tell = ({ row, input, count }, sum) => {
        count.textContent = sum;
        row.hidden = !sum && !input.checked;
      };
      rows.forEach((some, index) => {
        some.forEach((one, place) => tell(one, counts.facets[index][place]));
        panel.querySelectorAll("details")[index].hidden = some.every(({ row }) => row.hidden);
      });
      tell(stocked, counts.stocked);
      below.forEach(({ path, title }, index) => {
        const depth = path.split("/").length - (shelf ? shelf.split("/").length + 1 : 1), option = choice.options[index + 1];
        option.textContent = `${"– ".repeat(depth)}${title} (${counts.shelves.get(path)})`;
        option.hidden = !counts.shelves.get(path) && wish.category !== path;
      });
    };
  };

  const show = async () => {
    const mine = ++turn, isIdle = !wish.text.trim() && !shelf && !wish.category && !wish.stocked && !wish.sort && !wish.values.size;
    fixed.forEach((part) => (part.hidden = !isIdle));
    if (isIdle) {
      list.replaceChildren();
      [status.textContent, more.hidden] = ["", true];
      if (!wish.counts) return;
    }
    try {
      const { chosen, first, rest, texts } = await withFiles(async (head) => {
        const chosen = await choose(head, wish), shown = isIdle ? [] : chosen.found.slice(0, wish.shown);
        return { chosen, texts: head.texts, first: await cards(head, shown.slice(0, FIRST)), rest: () => withFiles((head) => cards(head, shown.slice(FIRST))) };
      });
      if (mine !== turn) return;
      if (chosen.filters) {
        built ??= build(chosen.filters, texts);
        built(chosen);
      }
      if (isIdle) return;
      const { products, some_words, near_words, nothing } = texts.finder, all = fill(products, { count: chosen.found.length });
      const note = chosen.isPart ? fill(some_words, { products: all }) : chosen.isNear ? fill(near_words, { products: all }) : all;
      status.textContent = chosen.found.length ? note : nothing;
      // The first ones are shown while the files of the others are still on their way.
      const draw = (some) => some.map((card) => drawn(template, card, texts));
      if (wish.shown === PAGE) list.replaceChildren(...draw(first));
      const others = await rest();
      if (mine !== turn) return;
      list.replaceChildren(...draw([...first, ...others]));
      more.hidden = chosen.found.length <= wish.shown;
    } catch {
      if (mine !== turn) return;
      status.textContent = finder.dataset.lost;
      list.replaceChildren();
      fixed.forEach((part) => (part.hidden = false));
    }
  };
  const changed = () => {
    wish.shown = PAGE;
    clearTimeout(timer);
    timer = setTimeout(write, 300);
    return show();
  };

  let typing;
  field?.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      wish.text = field.value;
      changed();
    }, PAUSE_MS);
  });
  field?.form.addEventListener("submit", (event) => {
    event.preventDefault();
    wish.text = field.value;
    changed();
  });
  sorting.addEventListener("change", () => {
    wish.sort = sorting.value;
    changed();
  });
  panel.addEventListener("change", ({ target: { name, value, checked } }) => {
    if (name === "category") wish.category = value;
    else if (name === "availability") wish.stocked = checked;
    else {
      const slugs = wish.values.get(name) ?? new Set();
      checked ? slugs.add(value) : slugs.delete(value);
      slugs.size ? wish.values.set(name, slugs) : wish.values.delete(name);
    }
    changed();
  });
  // What filters would leave is only counted for those who look at them.
  const opened = () => {
    wish.counts = panel.parentNode.open;
    if (wish.counts && !built) (shelf && list.childElementCount === 0 ? count() : show());
  };
  // On a shelf's own page its products stay as they are until somebody changes something.
  const count = () => withFiles(async (head) => [await choose(head, wish), head.texts]).then(([chosen, texts]) => {
    built ??= build(chosen.filters, texts);
    built(chosen);
  }).catch(() => {});
  panel.parentNode.addEventListener("toggle", opened);
  more.addEventListener("click", async () => {
    const from = wish.shown;
    wish.shown += PAGE;
    await show();
    $("a", list.children[from])?.focus();
  });

  read();
  if (!shelf || wish.sort || /[?&]sort=/.test(location.search)) show();
  if (panel.parentNode.open) opened();
  withFiles(async () => {}).catch(() => {});
};

// ---- The field at the top of other pages: a list of suggestions (ARIA: combobox with a list box).

const suggest = (form) => {
  const field = $("input", form), list = node("ul", "", "suggestions");
  let turn = 0, timer, at = -1;
  Object.assign(list, { id: `${field.id}-list`, hidden: true });
  list.setAttribute("role", "listbox");
  for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false" })) {
    field.setAttribute(name, value);
  }
  const status = node("p", "", "unseen");
  status.setAttribute("role", "status");
  form.append(list, status);
  const open = (isOpen) => {
    list.hidden = !isOpen;
    field.setAttribute("aria-expanded", isOpen);
    point(-1);
  };
  const point = (place) => {
    at = place;
    [...list.children].forEach((item, index) => item.setAttribute("aria-selected", index === at));
    if (at < 0) field.removeAttribute("aria-activedescendant");
    else field.setAttribute("aria-activedescendant", list.children[at].id);
    list.children[at]?.scrollIntoView({ block: "nearest" });
  };
  const option = (index, url, ...parts) => {
    const item = node("li");
    item.id = `${list.id}-${index}`;
    item.setAttribute("role", "option");
    item.append(...parts);
    item.addEventListener("click", () => (location.href = url));
    return item;
  };
  const show = async () => {
    const text = field.value.trim(), mine = ++turn;
    if (fold(text).join("").length < 2) return open(false);
    try {
      const { found, shown, texts } = await withFiles(async (head) => {
        const { found } = await find(head, text);
        return { found, shown: await cards(head, found.slice(0, SUGGESTIONS)), texts: head.texts };
      });
      if (mine !== turn || document.activeElement !== field) return;
      const rows = shown.map(current).map((card, index) => {
        const picture = node("img"), name = node("span", card.title, "name"), price = node("span", "", "price");
        Object.assign(picture, { alt: "", width: 40, height: 50, src: card.image ?? "" });
        priced(price, card, texts.price);
        if (card.per) price.append(node("small", card.per, "per fine"));
        if (card.until) price.append(" ", node("small", fill(texts.tag.until, { date: card.until }), "until fine"));
        const row = option(index, card.url, ...(card.image ? [picture] : []), name, ...(card.price ? [price] : []));
        if (card.sale) onceOver(row, card.sale.ends, show);
        return row;
      });
      const all = `${form.action}?q=${encodeURIComponent(text)}`;
      if (found.length > shown.length) rows.push(option(rows.length, all, node("span", fill(texts.finder.all, { count: found.length }), "name")));
      list.replaceChildren(...rows);
      list.setAttribute("aria-label", texts.finder.suggestions);
      status.textContent = fill(texts.finder.products, { count: found.length });
      open(rows.length > 0);
    } catch {
      open(false);
    }
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, PAUSE_MS);
  });
  field.addEventListener("keydown", (event) => {
    const count = list.children.length;
    if (event.key === "Escape" && !list.hidden) {
      open(false);
      event.preventDefault();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && count && !list.hidden) {
      const step = event.key === "ArrowDown" ? 1 : -1;
      point(at < 0 && step < 0 ? count - 1 : at + step >= count ? -1 : at + step);
      event.preventDefault();
    } else if (event.key === "Enter" && at >= 0 && !list.hidden) {
      list.children[at].click();
      event.preventDefault();
    }
  });
  // A press on the list must not take the focus before it is a click.
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  field.addEventListener("blur", () => open(false));
  withFiles(async () => {}).catch(() => {});
  if (document.activeElement === field) show();
};

if (finder) work(finder);
document.querySelectorAll("header [data-search]").forEach(suggest);
