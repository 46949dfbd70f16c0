#!/usr/bin/env bash
# prettier-plugin-nginx drops a text in quotes that holds an escape, a line end or a number sign, and says nothing.
#
# Guess:    a formatter that can't read something leaves it alone, or fails.
# Seen:     `return 200 'it\'s';` becomes `return` with nothing behind it, so does a text over two lines; of `add_header X "https://a/#/b";` the
#           name is lost and the rest is a comment, with the `}` behind it. Exit code 0.
# Versions: prettier-plugin-nginx 1.0.3, prettier 3.10.1, Node 20; read with crossplane 0.5.8.
# Matters:  the file that was formatted in place is the only copy of the text.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check crossplane==0.5.8
npm install --silent --no-audit --no-fund --prefix . prettier@3.10.1 prettier-plugin-nginx@1.0.3
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
format() {
    printf 'events { }\nhttp {\n    server {\n        location = /x { %s }\n    }\n}\n' "$1" > site.conf
    python/bin/python read.py site.conf | tail -n 1
    node node_modules/prettier/bin/prettier.cjs --plugin prettier-plugin-nginx --parser nginx < site.conf > formatted.conf
    sed -n '/location/,$p' formatted.conf
}

format 'return 200 "plain text";'
grep -F 'return 200 "plain text";' formatted.conf
for text in "'it\\'s'" $'"two\nlines"'; do
    format "return 200 $text;"
    grep -qE '^ +return$' formatted.conf
    ! grep -E "it|two|lines" formatted.conf
done
format 'add_header X "https://a/#/b"; return 200 a;'
grep -qE '^ +add_header$' formatted.conf
! grep -F 'https' formatted.conf
python/bin/python read.py formatted.conf
