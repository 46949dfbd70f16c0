#!/usr/bin/env bash
# python-nginx takes braces inside a quoted text for a block, and writes the text back over several lines.
#
# Guess:    a text in quotes comes back as it was: `return 200 '{"a":1,"b":{"c":2}}';` answers health checks everywhere.
# Seen:     the inner object gets line ends and indentation: the answer of that location is another from then on, and the conf is still
#           valid. A flat object, and a log_format, come back as they were. An `if` with a repetition in quotes (`"^/(a|b){1,2}$"`) is an error.
# Version:  python-nginx 1.5.7 (PyPI), Python 3.11; read with crossplane 0.5.8.
# Matters:  a tool that changes one line of a conf by this library changes the answers of others, byte by byte.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check crossplane==0.5.8 python-nginx==1.5.7
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
    log_format nested '{"a":1,"b":{"c":2}}';
    server {
        location = /flat { return 200 '{"a":1}'; }
        location = /nested { return 200 '{"a":1,"b":{"c":2}}'; }
    }
}
EOF
python/bin/python read.py site.conf > before
python/bin/python -c 'import nginx; print("".join(nginx.loadf("site.conf").as_strings))' > written.conf
python/bin/python read.py written.conf > after
diff before after || true
grep -Fx "['log_format', 'nested', '{\"a\":1,\"b\":{\"c\":2}}']" after
grep -F "['return', '200', '{\"a\":1}']" after
grep -F "['return', '200', '{\"a\":1,\"b\": {\\n" after
