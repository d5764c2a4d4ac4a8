// {{ name }}: cart, checkout and orders from the edge; everything else is a file.
//
// Written by `vitrine recipe {{ recipe }}`. Settings of this function: EDGE, the origin of the edge such as https://edge.shop.example
{%- if secret_header %}, and as
// a secret ORIGIN_SECRET, one of the values that the edge has in VITRINE_ORIGIN_SECRETS
{%- endif %}.
{%- if is_rewritten_by_cloudflare %}
//
// Cloudflare itself writes {{ address_header }} of what a function asks: name a header of your own in site.toml, such as
// client_address_header = "X-Shopper-Address", and write this again.
{%- endif %}

const DOWN = {
  page: {{ down_page }},
  api: '{"type":"about:blank","title":"Service Unavailable","status":503,"code":"edge_down","detail":"Cart and checkout cannot be reached right now."}',
};

async function ask(request, settings, shopper) {
  const { pathname, search } = new URL(request.url);
  const headers = new Headers(request.headers);
  headers.set({{ address_header_text }}, shopper ?? '');
{%- if secret_header %}
  headers.set({{ secret_header_text }}, settings.ORIGIN_SECRET);
{%- endif %}
  const body = request.method === 'GET' || request.method === 'HEAD' ? undefined : request.body;
  try {
    // Never sent twice, and never followed: a browser has to see where the edge leads it.
    const answer = await fetch(new URL(pathname + search, settings.EDGE), { method: request.method, headers, body, redirect: 'manual', duplex: 'half' });
    if (answer.status !== 502 && answer.status !== 504 && answer.status < 520) return answer;
  } catch {
    // The edge cannot be reached: said below.
  }
  const isApi = pathname === '/api' || pathname.startsWith('/api/');
  return new Response(isApi ? DOWN.api : DOWN.page, {
    status: 503,
    headers: {
      'content-type': isApi ? 'application/problem+json' : 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'retry-after': '5',
    },
  });
}
{% if recipe == "cloudflare-worker" %}
export default {
  fetch: (request, env) => ask(request, env, request.headers.get('CF-Connecting-IP')),
};
{% elif recipe == "cloudflare-pages" %}
export const onRequest = ({ request, env }) => ask(request, env, request.headers.get('CF-Connecting-IP'));
{% else %}
export default (request, context) => ask(request, Netlify.env.toObject(), context.ip);

export const config = { path: {{ edge_patterns }} };
{% endif -%}
