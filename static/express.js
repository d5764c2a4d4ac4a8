// What a shopper lets this browser keep of contact and address, for the next checkout. It leaves the browser with the form alone.
const form = document.querySelector("[data-express]");
const [choice, kept, ready, forget] = ["choice", "kept", "ready", "forget"].map((part) => form.querySelector(`[data-${part}]`));
const name = "vitrine-details", version = 1, keptMs = 365 * 864e5;
const fields = ["email", "phone", "name", "line1", "line2", "postal_code", "city", "region", "country"].map((key) => form.elements[key]).filter(Boolean);
const box = choice.querySelector("input");

const drop = () => localStorage.removeItem(name);
const read = () => {
  let found;
  try {
    found = JSON.parse(localStorage.getItem(name));
  } catch {}
  const age = Date.now() - found?.at;
  if (found?.version === version && age >= 0 && age < keptMs && typeof found.details === "object" && found.details) return found.details;
  drop();
};

// Nothing is put over what was typed. An address is of its country: with another one chosen, or in a market that does not go there, it stays away.
const fill = (details) => {
  const country = form.elements.country;
  if (form.querySelector("[aria-invalid]") || fields.some((field) => field !== country && field.value)) return;
  const goes = [...country.options].some(({ value }) => value && value === details.country);
  const fits = goes && (!country.value || country.value === details.country);
  for (const field of fields) {
    const text = details[field.name];
    if (typeof text === "string" && (fits || ["email", "phone", "name"].includes(field.name))) field.value = text.slice(0, 200);
  }
  country.dispatchEvent(new Event("change"));
  ready.hidden = !form.checkValidity();
};

const show = (details) => {
  kept.hidden = !details;
  box.checked = !!details;
};

try {
  const details = read();
  if (details) fill(details);
  show(details);
  choice.hidden = false;
  forget.addEventListener("click", () => {
    drop();
    show();
    box.focus();
  });
  form.addEventListener("submit", () => {
    if (!box.checked) return;
    const details = Object.fromEntries(fields.map((field) => [field.name, field.value]));
    try {
      localStorage.setItem(name, JSON.stringify({ version, at: Date.now(), details }));
    } catch {}
  });
} catch {
  // A browser that keeps nothing: the checkout is as it is without script.
}
