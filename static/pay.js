// Stripe's form on the checkout's page. Without script, or without Stripe's, the same button leads to Stripe's own page.
const form = document.querySelector("form[data-element]");
const [box, wrong, lost, button] = ["[data-card]", "[data-wrong]", "[data-lost]", "button"].map((part) => form.querySelector(part));
const token = form.elements.confirmation_token;
const { element: key, amount, currency, capture: captureMethod, methods } = form.dataset;
let isReady = false;

const give = (up) => {
  isReady = !up;
  box.hidden = up;
  lost.hidden = !up;
};
const tell = (error) => {
  wrong.textContent = error?.message ?? "";
  wrong.hidden = !error;
  button.disabled = false;
};

if (window.Stripe) {
  const stripe = window.Stripe(key, { locale: document.documentElement.lang });
  const elements = stripe.elements({
    mode: "payment", amount: Number(amount), currency, captureMethod, paymentMethodTypes: methods.split(" "),
  });
  const card = elements.create("payment");
  card.on("ready", () => give(false));
  card.on("loaderror", () => give(true));
  card.mount(box);
  // What was typed goes to Stripe, and its name for it to the shop, which has the last word before money moves.
  form.addEventListener("submit", async (event) => {
    if (!isReady) return;
    event.preventDefault();
    button.disabled = true;
    const typed = await elements.submit();
    if (typed.error) return tell(typed.error);
    const made = await stripe.createConfirmationToken({ elements });
    if (made.error) return tell(made.error);
    token.value = made.confirmationToken.id;
    form.submit();
  });
  // A page from the browser's memory: what was typed then is used up.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    token.value = "";
    button.disabled = false;
  });
} else give(true);
