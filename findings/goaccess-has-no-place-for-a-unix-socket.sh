#!/usr/bin/env bash
# GoAccess takes nginx's own client address of a Unix socket, `unix:`, for a broken line: a log of them alone gives no report at all.
#
# Guess:    a host like any other: one visitor called "unix:", since GoAccess takes host names as well.
# Seen:     "Token 'unix:' doesn't match specifier '%h'": a log with no other lines ends with an error and without a report; beside others they
#           count as failed requests and are in no table. AWStats and Webalizer count them.
# Version:  GoAccess 1.7, AWStats 7.8, Webalizer 2.23.08 (Debian 12).
# Matters:  a server behind a balancer on a Unix socket seems to have no traffic, unless it logs the address that the balancer forwards.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root goaccess=1:1.7-1 libmaxminddb0 'awstats=7.8-3*' webalizer=2.23.08-3.3 libgeoip1 libgd3
for package in ./*.deb; do dpkg -x "$package" .; done
export LD_LIBRARY_PATH="$work/usr/lib/x86_64-linux-gnu"
rest='- - [29/Nov/2026:10:00:00 +0000] "GET /page HTTP/1.1" 200 5 "-" "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"'
echo "unix: $rest" > unix.log
printf '%s\n' "unix: $rest" "unix: $rest" "127.0.0.1 $rest" > mixed.log

report() { usr/bin/goaccess "$1.log" --no-global-config --log-format=COMBINED -o "$1.json" > "$1.txt" 2>&1; }
usr/bin/goaccess --version | head -n 1
if report unix; then echo "a report was made"; exit 1; fi
grep -o "Token .*" unix.txt
[ ! -e unix.json ]
report mixed
python3 - <<'PY'
import json

general = json.load(open("mixed.json"))["general"]
print({name: general[name] for name in ("total_requests", "valid_requests", "failed_requests")})
assert (general["valid_requests"], general["failed_requests"]) == (1, 2)
PY

mkdir data
cat > awstats.site.conf <<CONF
LogFile="$work/mixed.log"
LogType=W
LogFormat=1
SiteDomain="site"
DirData="$work/data"
DNSLookup=0
CONF
perl usr/lib/cgi-bin/awstats.pl -config=site -configdir="$work" -update | tee awstats.txt | grep 'new qualified'
grep -q 'Found 3 new qualified records' awstats.txt
usr/bin/webalizer -Q -p -o data -n site mixed.log 2> /dev/null
python3 - <<'PY'
import glob, re

page = re.sub("<[^>]*>|\n", " ", open(glob.glob("data/usage_*.html")[0]).read())
hits = re.search(r"Total Hits +(\d+)", page).group(1)
print("webalizer: hits", hits)
assert hits == "3"
PY
