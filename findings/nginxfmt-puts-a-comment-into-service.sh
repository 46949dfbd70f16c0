#!/usr/bin/env bash
# nginxfmt, a formatter of nginx confs, makes directives of a comment that stands behind code and holds a semicolon.
#
# Guess:    a comment is kept as a comment, wherever it stands.
# Seen:     `location = /x { return 200 a; } # old; return 200 b;` becomes four lines, the last of which is the directive `return 200 b;`. A brace behind
#           the semicolon opens a block. A comment on a line of its own is safe. A text in quotes over two lines gets the block's indentation.
# Version:  nginxfmt 1.4.0 (PyPI), read with crossplane 0.5.8, Python 3.11.
# Matters:  formatting on save puts into service what somebody has commented out, and nginx -t has nothing to say.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check crossplane==0.5.8 nginxfmt==1.4.0
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
cat > site.conf <<'EOF'
events { }
http {
    server {
        location = /x { return 200 a; } # old; return 200 b;
        # whole; return 200 c;
        location = /y { return 200 "two
lines"; }
    }
}
EOF
python/bin/python read.py site.conf > before
python/bin/nginxfmt site.conf
python/bin/python read.py site.conf > after
diff before after || true
grep -Fx "['return', '200', 'b']" after
! grep -F "'c'" after
! grep -Fx "['return', '200', 'b']" before
grep -F 'two\n ' after
