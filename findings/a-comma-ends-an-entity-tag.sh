#!/usr/bin/env bash
# Three of six packages cut If-None-Match at every comma, also at one inside an entity tag: `"a,b"` never matches itself.
#
# Guess:    all six answer 304 to the very tag that they sent; RFC 9110 8.8.3 allows every visible character but the quote in a tag.
# Seen:     werkzeug, aiohttp and tornado do. starlette, django and fresh (express, koa, serve-static) send the whole file each time; a second,
#           plain tag behind the one with a comma still matches.
# Versions: starlette 1.10.0, Django 5.2.19, Werkzeug 3.1.9, aiohttp 3.14.5, tornado 6.6.1, fresh 2.0.0.
# Matters:  a tag made of parts ("size,time,coding") works with nginx or one framework and silently turns caching off behind another.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check starlette==1.10.0 Django==5.2.19 Werkzeug==3.1.9 aiohttp==3.14.5 tornado==6.6.1
npm init -y >npm.log
npm install --silent --no-audit --no-fund fresh@2.0.0
cat > match.py <<'PY'
import tornado.httputil
import tornado.web
from aiohttp.test_utils import make_mocked_request
from django.utils.http import parse_etags as django_tags
from starlette.datastructures import Headers
from starlette.staticfiles import StaticFiles
from werkzeug.http import parse_etags as werkzeug_tags


def by_starlette(tag, asked):
    return StaticFiles(directory=".").is_not_modified(Headers({"etag": tag}), Headers({"if-none-match": asked}))


def by_django(tag, asked):
    return tag in django_tags(asked)


def by_werkzeug(tag, asked):
    return werkzeug_tags(asked).contains(tag.strip('"'))


def by_aiohttp(tag, asked):
    request = make_mocked_request("GET", "/", headers={"If-None-Match": asked})
    return any(known.value == tag.strip('"') for known in request.if_none_match or ())


def by_tornado(tag, asked):
    handler = tornado.web.RequestHandler.__new__(tornado.web.RequestHandler)
    handler._headers = tornado.httputil.HTTPHeaders({"Etag": tag})
    line = tornado.httputil.RequestStartLine("GET", "/", "HTTP/1.1")
    fields = tornado.httputil.HTTPHeaders({"Host": "a", "If-None-Match": asked})
    handler.request = tornado.httputil.HTTPServerRequest(start_line=line, headers=fields)
    return handler.check_etag_header()


cases = [('"ab"', '"ab"'), ('"a,b"', '"a,b"'), ('"a,b"', '"x", "a,b"'), ('"y"', '"a,b", "y"')]
for match, expected in [(by_werkzeug, [True] * 4), (by_aiohttp, [True] * 4), (by_tornado, [True] * 4),
                        (by_starlette, [True, False, False, True]), (by_django, [True, False, False, True])]:
    seen = [bool(match(*case)) for case in cases]
    print(match.__name__.replace("_", " "), seen)
    assert seen == expected
PY
python/bin/python match.py
node -e '
const fresh = require("fresh");
const cases = [[`"ab"`, `"ab"`], [`"a,b"`, `"a,b"`], [`"a,b"`, `"x", "a,b"`], [`"y"`, `"a,b", "y"`]];
const seen = cases.map(([tag, asked]) => fresh({ "if-none-match": asked }, { etag: tag }));
console.log("by fresh", seen.join(" "));
require("assert").deepStrictEqual(seen, [true, false, false, true]);
'
