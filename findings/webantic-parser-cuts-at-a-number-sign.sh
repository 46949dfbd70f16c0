#!/usr/bin/env bash
# @webantic/nginx-config-parser ends a line at a number sign, also inside quotes, and so loses directives.
#
# Guess:    `#` begins a comment only where a word begins; in quotes and inside a word it is a letter (nginx: ngx_conf_read_token).
# Seen:     of `location = /x { add_header X "https://a/#/b"; return 200 a; }` an empty location is left; `X a#b` likewise. A tab inside quotes
#           is removed, a line end inside quotes becomes a blank.
# Version:  @webantic/nginx-config-parser 1.6.1, Node 20; read with crossplane 0.5.8.
# Matters:  tools that change one directive of a conf by this parser write the rest back: redirects to single-page routes go.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check crossplane==0.5.8
npm install --silent --no-audit --no-fund --prefix . @webantic/nginx-config-parser@1.6.1
# What nginx would read: every directive with its arguments, by crossplane.
cat > read.py <<'PY'
import crossplane, sys

def lines(block):
    for item in block:
        yield [item["directive"], *item["args"]]
        yield from lines(item.get("block", []))

parsed = crossplane.parse(sys.argv[1])
print("\n".join(map(repr, lines(parsed["config"][0]["parsed"]))) if parsed["status"] == "ok" else parsed["errors"][0]["error"])
PY
rewrite() {
    printf 'events { }\nhttp {\n    server {\n        location = /x { %s }\n    }\n}\n' "$1" > site.conf
    node -e 'const P = require("@webantic/nginx-config-parser"), p = new P();
        console.log(p.toConf(p.toJSON(require("fs").readFileSync("site.conf", "utf8"))));' > written.conf
    python/bin/python read.py site.conf > before
    python/bin/python read.py written.conf > after
    diff before after || true
}

rewrite 'add_header X b; return 200 a;'
cmp before after
for value in '"https://a/#/b"' 'a#b'; do
    rewrite "add_header X $value; return 200 a;"
    [ "$(tail -n 1 after)" = "['location', '=', '/x']" ]
done
rewrite $'return 200 "a\tb";'
[ "$(tail -n 1 after)" = "['return', '200', 'ab']" ]
