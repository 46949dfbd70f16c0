#!/usr/bin/env bash
# npm's parse-prometheus-text-format makes one histogram of all histograms of a family that differ in their labels.
#
# Guess:    each set of labels has its own entry, as counters and gauges of the same page do.
# Seen:     two workers' histograms come out as one without labels, sum and count: the buckets of the one that stands last.
# Versions: parse-prometheus-text-format 1.1.1, Node 20.20.2.
# Matters:  a page of request times by worker or by route shows a single, wrong distribution, and nothing says so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init -y > /dev/null
npm install --silent --no-fund --no-audit parse-prometheus-text-format@1.1.1
cat > probe.mjs <<'JS'
import assert from 'node:assert';
import parser from 'parse-prometheus-text-format';
const parse = parser.default ?? parser;
const of = (worker, low, all) => [
  `t_bucket{worker="${worker}",le="0.5"} ${low}`, `t_bucket{worker="${worker}",le="+Inf"} ${all}`,
  `t_sum{worker="${worker}"} 9`, `t_count{worker="${worker}"} ${all}`].join('\n');
const one = parse('# TYPE t histogram\nt_bucket{le="0.5"} 1\nt_bucket{le="+Inf"} 3\nt_sum 9\nt_count 3\n');
const two = parse(`# TYPE t histogram\n${of('a', 1, 3)}\n${of('b', 2, 2)}\n`);
const counters = parse('# TYPE c counter\nc{worker="a"} 1\nc{worker="b"} 2\n');
console.log('without labels:', JSON.stringify(one[0].metrics));
console.log('of two workers:', JSON.stringify(two[0].metrics));
assert.equal(counters[0].metrics.length, 2);
assert.equal(one[0].metrics[0].count, '3');
assert.deepEqual(two[0].metrics, [{ buckets: { 0.5: '2', '+Inf': '2' } }]);
JS
node probe.mjs
