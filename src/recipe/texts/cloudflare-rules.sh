#!/bin/sh
# {{ name }}: rules of its zone at Cloudflare, whose pages come from a bucket or server of yours and whose cart comes from the edge.
#
# Written by `vitrine recipe cloudflare-rules`: write it again when site.toml or templates have changed, since the policy of pages stands in
# it. It takes the place of all rules of four phases. Another origin by path is a feature of Cloudflare's Enterprise plan; on the other
# plans take `vitrine recipe cloudflare-worker`.
#
# Environment: CLOUDFLARE_API_TOKEN and CLOUDFLARE_ZONE_ID; EDGE_HOST, such as edge.shop.example
{%- if secret_header %}; ORIGIN_SECRET, one of the values
# that the edge has in VITRINE_ORIGIN_SECRETS
{%- endif %}.
set -eu
: "${CLOUDFLARE_API_TOKEN:?}" "${CLOUDFLARE_ZONE_ID:?}" "${EDGE_HOST:?}"{% if secret_header %} "${ORIGIN_SECRET:?}"{% endif %}

put() { # PHASE, the rules on stdin
  curl --fail-with-body --silent --show-error --request PUT \
    --header "Authorization: Bearer $CLOUDFLARE_API_TOKEN" --header 'Content-Type: application/json' --data-binary @- \
    "${CLOUDFLARE_API:-https://api.cloudflare.com/client/v4}/zones/$CLOUDFLARE_ZONE_ID/rulesets/phases/$1/entrypoint" >/dev/null
  echo "$1: written"
}

put http_request_origin <<JSON
{"rules": [{
  "description": "cart and checkout from the edge", "action": "route", "expression": {{ edge_expression }},
  "action_parameters": {"host_header": "$EDGE_HOST", "sni": {"value": "$EDGE_HOST"}, "origin": {"host": "$EDGE_HOST"}}
}]}
JSON

put http_request_cache_settings <<JSON
{"rules": [
  {"description": "prices and stock as the edge says", "action": "set_cache_settings",
   "expression": "starts_with(http.request.uri.path, \"/api/v1/availability/\")",
   "action_parameters": {"cache": true, "edge_ttl": {"mode": "respect_origin"}, "browser_ttl": {"mode": "respect_origin"}}},
  {"description": "carts are nobody else's", "action": "set_cache_settings",
   "expression": {{ private_expression }},
   "action_parameters": {"cache": false}},
  {"description": "pages as the bucket says", "action": "set_cache_settings",
   "expression": {{ page_expression }},
   "action_parameters": {"cache": true, "edge_ttl": {"mode": "respect_origin"}, "browser_ttl": {"mode": "respect_origin"}}}
]}
JSON
{%- if secret_header %}

put http_request_late_transform <<JSON
{"rules": [{
  "description": "the edge's secret", "action": "rewrite", "expression": {{ edge_expression }},
  "action_parameters": {"headers": { {{ secret_header_text }}: {"operation": "set", "value": "$ORIGIN_SECRET"}}}
}]}
JSON
{%- endif %}

put http_response_headers_transform <<'JSON'
{"rules": [{
  "description": "what is sent with every page", "action": "rewrite", "expression": {{ page_expression }},
  "action_parameters": {"headers": {
{%- for header in headers %}
    "{{ header[0] }}": {"operation": "set", "value": {{ header[1] }}}{% if not loop.last %},{% endif %}
{%- endfor %}
  }}
}]}
JSON
