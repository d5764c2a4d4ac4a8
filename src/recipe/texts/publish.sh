#!/bin/sh
# {{ name }}: one publication, from content to {{ target.name }}. Written by `vitrine recipe shell`.
#
#   ./publish.sh                   builds, checks, says what changes, publishes
#   ./publish.sh --dry-run         all but the last
#   ./publish.sh --if-due          all of it where a sale began or ended, or a publication did not end; else nothing. For a clock that
#                                  asks every quarter of an hour, such as cron: 7,22,37,52 * * * * /srv/shop/publish.sh --if-due
#   ./publish.sh --allow changes   what it stopped at is meant
#
# Environment: VITRINE_BUNDLE_SECRET_KEY
{%- for name in target.credentials %}, {{ name }}{% endfor %}. VITRINE is the program where it is not on the PATH.
# What is worth keeping from one run to the next is .vitrine/cache. Exit codes are those of vitrine: 1 the content, 2 usage, 3 the world.
set -eu
cd "$(dirname "$0")"
vitrine=${VITRINE:-vitrine}
published=.vitrine/published/{{ target.name }}
# One instant for all: a sale that begins meanwhile is the next publication's.
as_of=$(date -u +%Y-%m-%dT%H:%M:%SZ)

if [ "${1:-}" = --if-due ]; then
  shift
  code=0
  "$vitrine" publish due --target {{ target.name }} --as-of "$as_of" || code=$?
  case $code in
    0) ;;
    5) exit 0 ;;
    *) exit "$code" ;;
  esac
fi
"$vitrine" publish fetch --target {{ target.name }}
if [ -f "$published/price-history.jsonl" ]; then
  "$vitrine" build --as-of "$as_of" --price-history "$published/price-history.jsonl"
else
  "$vitrine" build --as-of "$as_of"
fi
"$vitrine" check --built --as-of "$as_of"
if [ -f "$published/manifest.json" ]; then
  # Publishing stops at the same things, and is told there that they are meant.
  "$vitrine" diff "$published" --as-of "$as_of" --accept
fi
"$vitrine" publish --target {{ target.name }} "$@"
