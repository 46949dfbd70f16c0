#!/usr/bin/env bash
# npm's nginx-conf ends a directive at an escaped semicolon, and writes back two.
#
# Guess:    `\;` is a letter of the word, as in nginx (ngx_conf_read_token): `return 200 a\;b;` is one directive with two arguments.
# Seen:     `return 200 a\;` and a directive `b;`, which nginx refuses.
# Version:  nginx-conf 2.1.0, Node 20; read with crossplane 0.5.8.
# Matters:  regexes without quotes and cookies need such escapes; a tool that edits one value leaves a conf that does not start.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check crossplane==0.5.8
npm install --silent --no-audit --no-fund --prefix . nginx-conf@2.1.0
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
        location = /x { return 200 "a;b"; }
        location = /y { return 200 a\;b; }
    }
}
EOF
cat > write.mjs <<'EOF'
import { NginxConfFile } from "nginx-conf";
NginxConfFile.create("site.conf", (error, conf) => {
    if (error) throw error;
    conf.die("site.conf");
    console.log(conf.toString());
});
EOF
python/bin/python read.py site.conf > before
node write.mjs > written.conf
python/bin/python read.py written.conf > after
diff before after || true
[ "$(wc -l < before)" = 7 ]
grep -F 'invalid number of arguments in "return" directive' after
sed -n '/y {/,$p' written.conf
grep -A 1 -F 'return 200 a\;' written.conf | grep -E '^ +b;$'
