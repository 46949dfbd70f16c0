"""The arithmetic of tools/bench/peers, and what is read in the words of clients."""

import unittest

import figures

WRK = """Running 1s test @ http://127.0.0.1:8080/1k.html
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.68ms    3.25ms  25.48ms   91.06%
    Req/Sec    94.96k    11.34k  108.84k    70.00%
  94519 requests in 1.10s, 113.04MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 5
Requests/sec:  85926.36
latency 1680 8340 10439
"""

AB = """Concurrency Level:      64
Time taken for tests:   1.000 seconds
Complete requests:      16487
Failed requests:        3
Write errors:           2
Non-2xx responses:      1
Keep-Alive requests:    16487
"""

H2LOAD = """finished in 1.05s, 57216.00 req/s, 59.12MB/s
requests: 57220 total, 57344 started, 57216 done, 57210 succeeded, 6 failed, 1 errored, 2 timeout
"""

LAB = """{"tool":"lab","requests":500,"errors":2,"seconds":2.0,"rate":249.0,"late_p99_us":4.5,
"quantiles":[[0.01,10.0],[0.5,55.5],[0.99,120.0],[1.0,900.0]]}"""


class Clients(unittest.TestCase):
    def test_wrk(self):
        run = figures.of_wrk(WRK)
        self.assertEqual((run.done, run.seconds, run.failed), (94519, 1.10, 15))
        self.assertEqual(run.latency, {"p50_us": 1680, "p99_us": 8340, "p999_us": 10439})

    def test_wrk_in_other_units_and_without_trouble(self):
        for text, seconds in (("10 requests in 1.50m, 2B", 90), ("10 requests in 250.00ms, 2B", 0.25)):
            run = figures.of_wrk(text)
            self.assertEqual((run.done, run.failed, run.latency), (10, 0, {}))
            self.assertAlmostEqual(run.seconds, seconds)

    def test_a_quantile_that_wrk_does_not_know_is_no_time(self):
        run = figures.of_wrk("10 requests in 1.00s, 2B\nlatency 5 7 0\n")
        self.assertEqual(run.latency, {"p50_us": 5, "p99_us": 7})

    def test_ab(self):
        run = figures.of_ab(AB)
        self.assertEqual((run.done, run.seconds, run.failed), (16487, 1.0, 6))

    def test_h2load(self):
        run = figures.of_h2load(H2LOAD)
        self.assertEqual((run.done, run.seconds, run.failed), (57210, 1.05, 9))
        self.assertAlmostEqual(figures.of_h2load(H2LOAD.replace("1.05s", "980.00ms")).seconds, 0.98)

    def test_lab(self):
        run = figures.of_lab(LAB)
        self.assertEqual((run.done, run.seconds, run.failed), (498, 2.0, 2))
        # Of 500 requests there is no 99.9th percentile.
        self.assertEqual(run.latency, {"p50_us": 55.5, "p99_us": 120.0, "late_p99_us": 4.5})

    def test_a_row(self):
        row = figures.Run(1000, 2.0, 1, {"p50_us": 7.0}, cpu=0.5).row()
        self.assertEqual(row, {"requests_per_s": 500.0, "cpu_us": 500.0, "failed": 1, "p50_us": 7.0})
        self.assertEqual(figures.Run(0, 0.0, 3).row(), {"requests_per_s": 0.0, "cpu_us": 0.0, "failed": 3})


class Arithmetic(unittest.TestCase):
    def test_median_least_and_most(self):
        self.assertEqual(figures.spread([3, 1, 2]), figures.Spread(2, 1, 3))
        self.assertEqual(figures.spread([4, 1, 2, 3]), figures.Spread(2.5, 1, 4))
        self.assertIsNone(figures.spread([]))

    def test_ratios_are_of_the_same_round(self):
        self.assertEqual(figures.ratios([1, 9, 4], [2, 3, 4]), [0.5, 3, 1])
        self.assertEqual(figures.ratios([1, 9], [0, 3]), [3])

    def test_a_column_of_the_rounds_that_have_it(self):
        self.assertEqual(figures.column([{"a": 1}, {}, {"a": 3}], "a"), [1, 3])

    def test_the_slower_of_two_sets_the_rate(self):
        self.assertEqual(figures.half_of_capacity(80_000, 30_000), 15_000)
        self.assertEqual(figures.half_of_capacity(10_000, 30_000), 5_000)

    def test_amounts(self):
        for value, unit, text in ((12.345, "us", "12.3 µs"), (773.4, "us", "773 µs"), (15_900, "us", "15.9 ms"),
                                  (2_500_000, "us", "2.5 s"), (528, "B", "528 B"), (15_667, "B", "15.3 KiB"),
                                  (3 << 20, "B", "3 MiB"), (250 << 20, "B", "250 MiB")):
            self.assertEqual(figures.amount(value, unit), text)
