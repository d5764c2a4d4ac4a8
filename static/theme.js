// The shop's script. Everything works without it; it only saves page loads.
const $ = (selector, root = document) => root.querySelector(selector);
const language = document.documentElement.lang;
const money = ({ amount, currency }) => {
  const format = new Intl.NumberFormat(language, { style: "currency", currency, currencyDisplay: "narrowSymbol" });
  return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
};

// The number of units, told by a cookie that holds nothing else.
const count = () => {
  const units = /(?:^|; )cart-count=(\d+)/.exec(document.cookie)?.[1];
  const badge = $("[data-count]");
  if (!badge) return;
  badge.hidden = !(units > 0);
  badge.textContent = units ?? "";
};
addEventListener("pageshow", count);

// Whoever saves data gets no page before asking for it, and of pictures that are still to come the smaller ones.
if (navigator.connection?.saveData || matchMedia("(prefers-reduced-data:reduce)").matches) {
  $("[type=speculationrules]")?.remove();
  for (const picture of document.querySelectorAll("[loading=lazy]")) {
    const sizes = `${Math.ceil(picture.clientWidth / devicePixelRatio)}px`;
    for (const set of picture.parentNode.querySelectorAll("[sizes]")) set.sizes = sizes;
  }
}

// Search is fetched when somebody is about to use it, or comes with a question.
const search = () => {
  if ($("script[data-is-search]")) return;
  const { search: src, integrity } = $("[data-search]").dataset, script = document.createElement("script");
  Object.assign(script, { type: "module", src, integrity }).dataset.isSearch = "";
  document.head.append(script);
};
for (const part of document.querySelectorAll("[data-search]")) {
  // Not every browser gives the focus to what is pressed.
  for (const sign of ["focusin", "pointerdown", "change"]) part.addEventListener(sign, search);
}
if ($("[data-finder]") && /[?&](q|sort)=/.test(location.search)) search();

// A payment that is being checked: the page looks again by itself, as its meta element does without script.
if ($("[data-again]")) setTimeout(() => location.reload(), 3000);

// A quantity counts once it is left alone for a moment; without script a button says so.
for (const form of document.querySelectorAll("[data-auto]")) {
  let timer;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => form.reportValidity() && form.requestSubmit($("[value=update]", form)), 700);
  });
}

// Fields that addresses of the chosen country do not have are out of the way.
const region = $("[data-region]"), code = $("[data-postal-code]"), country = $("#country");
if (country) {
  const fit = () => {
    const lacks = country.selectedOptions[0].dataset;
    if (region) region.hidden = "noRegion" in lacks;
    if (!code) return;
    const field = $("input", code), mark = $("label .fine", code);
    // What somebody wrote is not sent behind their back.
    code.hidden = "noPostalCode" in lacks && !field.value;
    field.required = "required" in code.dataset && !("noPostalCode" in lacks);
    if (mark) mark.hidden = field.required;
  };
  country.addEventListener("change", fit);
  fit();
}

// A picture opens in full; without script its link leads to the file.
const gallery = $("[data-gallery]"), zoom = $("#zoom");
gallery?.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || !zoom?.showModal || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  $("img", zoom)?.remove();
  zoom.append(Object.assign(new Image(), { src: link.href, alt: $("img", link).alt }));
  zoom.showModal();
});
zoom?.addEventListener("click", () => zoom.close());

// A sale ends at its second, on pages that stand open too. Timers are kept short, since they are late after a sleep and end at 24 days.
const at = (instant, then) => {
  const wait = Date.parse(instant) - Date.now();
  wait > 0 ? setTimeout(at, Math.min(wait, 6e4), instant, then) : then();
};
for (const after of document.querySelectorAll("template[data-ends]")) {
  at(after.dataset.ends, () => {
    const card = after.closest("li"), { content } = after;
    if (!$("s", content)) $(".sale", card)?.remove();
    for (const part of card.querySelectorAll(".price,.per,.until")) part.remove();
    after.replaceWith(content);
  });
}

const form = $("[data-add]");
if (form) {
  const cost = $("[data-cost]"), until = $("[data-until]"), lowest = $("[data-lowest]"), unit = $("p[data-unit]"), state = $("[data-state]"), picture = $("[data-gallery] img");
  const seen = form.elements.seen_price_minor;
  const choices = [...form.querySelectorAll("[name=sku]")];
  const chosen = () => choices.find((choice) => choice.checked || choice.type == "hidden");
  const texts = JSON.parse(form.dataset.texts);
  const part = (tag, text, name) => {
    const node = document.createElement(tag);
    node.textContent = text;
    if (name) node.className = name;
    return node;
  };

  const isGone = (stock) => /sold_out|not_for_sale/.test(stock);
  const show = () => {
    const data = chosen()?.dataset;
    if (!data) return;
    if (data.price && cost) {
      const price = part("span", "", "price");
      if (data.compare) price.append(part("span", `${cost.dataset.now} `, "unseen"), part("ins", data.price), part("span", ` ${cost.dataset.instead} `, "unseen"), part("s", data.compare));
      else price.textContent = data.price;
      cost.replaceChildren(price);
      for (const [line, text] of [[until, data.until], [lowest, data.compare], [unit, data.unit]]) {
        if (!line) continue;
        line.hidden = !text;
        $("span", line).textContent = text ?? "";
      }
    }
    if (data.image && picture) {
      const own = $(`a[href="${data.image}"]`, gallery);
      // A picture that only the variant has goes before the others, once.
      const link = own ?? Object.assign(document.createElement("a"), { href: data.image });
      if (!own) {
        link.append(Object.assign(new Image(), { src: data.image, alt: data.alt }));
        if (!data.alt) link.ariaLabel = zoom?.ariaLabel ?? "";
      }
      gallery.prepend(link);
      gallery.scrollLeft = 0;
    }
    if (seen && data.minor) seen.value = data.minor;
    state.textContent = texts[data.stock] ?? "";
    state.className = `state ${data.stock}`;
    const button = $("[data-submit]");
    if (!button) return;
    button.disabled = isGone(data.stock);
    // What was sold out when the page was built has a button that waits.
    if (!button.disabled) for (const part of form.querySelectorAll("[data-open]")) part.hidden = false;
  };
  // An address may name a variant: feeds and search results lead to one. What somebody chooses goes before it.
  let wanted = new URLSearchParams(location.search).get("variant");
  form.addEventListener("change", (event) => event.target.name == "sku" && show((wanted = null)));
  const label = (choice) => {
    const text = $(".price", choice.parentNode);
    if (text && choice.type == "radio") text.textContent = choice.dataset.price;
  };

  const end = (choice) => {
    const data = choice.dataset;
    // Whoever was told another price since has no sale that ends.
    if (!data.ends) return;
    [data.minor, data.price] = [data.nextMinor, data.nextPrice];
    if (data.nextUnit) data.unit = data.nextUnit;
    data.nextCompare ? (data.compare = data.nextCompare) : delete data.compare;
    delete data.until;
    delete data.ends;
    label(choice);
    if (choice == chosen()) show();
  };
  for (const choice of choices) if (choice.dataset.ends) at(choice.dataset.ends, () => end(choice));

  const named = choices.find((choice) => choice.value == wanted && choice.type == "radio" && !choice.disabled);
  if (named) {
    named.checked = true;
    show();
  }

  // What the page says may be a day old; price and stock class are asked for once.
  const market = form.elements.market.value;
  const ask = () => fetch(`/api/v1/availability/${form.dataset.slug}?market=${market}`)
    .then((answer) => (answer.ok ? answer.json() : { variants: [] }))
    .then(({ variants }) => {
      let news = false;
      for (const { sku, price, compare_at, availability } of variants) {
        const choice = choices.find((choice) => choice.value == sku);
        if (!choice) continue;
        const data = choice.dataset;
        news ||= data.stock != availability || (price && price.amount != data.minor);
        data.stock = availability;
        if (price && price.amount != data.minor) {
          data.minor = price.amount;
          data.price = money(price);
          delete data.unit;
          compare_at ? (data.compare = money(compare_at)) : delete data.compare;
          delete data.until;
          delete data.ends;
        }
        if (choice.type == "radio") {
          choice.disabled = isGone(availability);
          $("[data-gone]", choice.parentNode).hidden = !choice.disabled;
          label(choice);
        }
      }
      // What the address names and is there again goes before what the page chose in its place. Where all were gone none is chosen: then
      // the first that is there again is.
      const free = choices.filter((choice) => !choice.disabled), there = free.find((choice) => choice.value == wanted), now = chosen();
      const next = now ? now.defaultChecked && there : there ?? free[0];
      if (next) news = next.checked = true;
      if (news) show();
    })
    .catch(() => {});
  ask();
  addEventListener("pageshow", ({ persisted }) => {
    // A page out of the browser's memory is as old as when it was left.
    if (persisted) ask();
    // Fields that the browser puts back tell nobody.
    if (choices.some((choice) => choice.checked > choice.defaultChecked)) show();
  });

  const drawer = $("#drawer");
  const open = (cart) => {
    const item = $("[data-line]", drawer).content;
    $("[data-notes]", drawer).replaceChildren(...cart.messages.map(({ severity, text }) => part("p", text, `note ${severity}`)));
    $("[data-lines]", drawer).replaceChildren(...cart.lines.map((line) => {
      const row = item.cloneNode(true);
      if (line.image) $("img", row).src = line.image.url;
      else $("img", row).remove();
      $("a", row).href = line.url;
      $("a", row).textContent = line.title;
      $("bdi", row).textContent = line.variant_title ?? "";
      $("p", row).append(`${line.variant_title ? " · " : ""}${line.quantity} × ${money(line.unit_price)}${line.per_measure ? ` (${line.per_measure.text})` : ""}`);
      $(".price", row).textContent = money(line.subtotal);
      return row;
    }));
    const subtotal = cart.totals.find(({ kind }) => kind == "subtotal");
    if (subtotal) $("[data-subtotal]", drawer).textContent = money(subtotal.amount);
    drawer.showModal();
  };

  form.addEventListener("submit", async (event) => {
    if (!drawer?.showModal) return;
    event.preventDefault();
    const button = $("[data-submit]"), focused = document.activeElement;
    button.disabled = true;
    const data = new FormData(form), wish = { sku: data.get("sku"), quantity: +data.get("quantity"), market, language: data.get("language"), properties: {}, vitals: +data.get("vitals") || undefined };
    const minor = chosen()?.dataset.minor;
    if (minor) wish.seen_price_minor = +minor;
    for (const [name, value] of data) if (name.startsWith("property.") && value) wish.properties[name.slice(9)] = value;
    try {
      const answer = await fetch("/api/v1/cart/lines", { method: "POST", headers: { "content-type": "application/json", accept: "application/json" }, body: JSON.stringify(wish) });
      const body = await answer.json();
      // A button that is switched off loses the focus, which is to be where it was once the drawer is closed.
      button.disabled = false;
      focused.focus();
      if (answer.ok) open(body);
      else state.textContent = body.detail;
      count();
    } catch {
      form.submit();
    }
    button.disabled = false;
  });
}
