#!/usr/bin/env bash
# Prometheus' own Python parser names a counter otherwise than the text it reads: the family loses "_total", and a sample gains it.
#
# Guess:    the family of `http_requests_total` has that name, and a counter called `jobs` keeps its name.
# Seen:     the family is `http_requests`; `jobs 4` comes back as a sample `jobs_total`, a name that stands nowhere in the text.
# Version:  prometheus_client 0.26.0.
# Matters:  a test that looks a metric up by the name it wrote finds nothing, and one that compares names finds one that was never there.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip -q --disable-pip-version-check install prometheus_client==0.26.0
cat > probe.py <<'PY'
from prometheus_client.parser import text_string_to_metric_families as families

TEXT = """# TYPE http_requests_total counter
http_requests_total 3
# TYPE jobs counter
jobs 4
# TYPE busy_total gauge
busy_total 5
"""
seen = [(family.name, family.type, sample.name, sample.value) for family in families(TEXT) for sample in family.samples]
print(*seen, sep="\n")
assert seen == [("http_requests", "counter", "http_requests_total", 3), ("jobs", "counter", "jobs_total", 4), ("busy_total", "gauge", "busy_total", 5)]
PY
venv/bin/python probe.py
