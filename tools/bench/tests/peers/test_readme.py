"""The choice of servers, the confs that are written, and README's tables and charts."""

import json
import tempfile
import types
import unittest
import xml.etree.ElementTree
from pathlib import Path

import chart
import confs
import readme
import report
from scenarios import BY_SCRIPT, KEEP_ALIVE, SCENARIOS, WAYS

FILES = "100,000 files of 1 KiB at random"


def rows(*cpu):
    return [{"requests_per_s": 1e6 / us, "cpu_us": us, "failed": 0, "p99_us": 10 * us} for us in cpu]


def results():
    """Two servers of three rounds, and one that is missing."""
    whole = {
        "environment": {"date": "2026-11-29", "kernel": "6.18", "cpu": "A <CPU>", "cpus": 2, "seconds": 1, "rounds": 3,
                        "versions": {"nginx 1.28.3": "1.28.3", "drover": "0.1.0"}, "missing": {"caddy": "apt-get"}},
        "rounds": {KEEP_ALIVE: {"nginx 1.28.3": rows(20, 30, 25), "drover": rows(10, 12, 12.5)},
                   BY_SCRIPT: {"drover": rows(10, 10, 10)}, FILES: {"drover": rows(13, 13, 13)}},
        "memory_bytes": {"an idle connection": {"nginx 1.28.3": [528], "drover": [264]}},
        "times_us": {}, "crossing_cpu_us": {}, "troubles": [], "failed": {},
    }
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "results.json"
        path.write_text(json.dumps(whole))
        return report.Results.read(path)


class Readme(unittest.TestCase):
    def test_the_first_is_absolute_and_the_others_are_ratios_of_the_same_round(self):
        text = readme.section(results())
        self.assertIn("| CPU time per request | nginx | drover |\n|---|---|---|\n", text)
        self.assertIn("| 1 KiB, keep-alive, 64 connections | 25 µs | 0.50 (0.40–0.50) |", text)
        self.assertIn("| an idle connection | 528 B | 0.50 (0.50–0.50) |", text)
        self.assertIn("| p99, keep-alive, 64 connections | 250 µs | 0.50 (0.40–0.50) |", text)

    def test_the_same_server_beside_its_own(self):
        self.assertIn("| 100,000 files at random, beside one |  | 1.30 |", readme.section(results()))

    def test_what_is_missing_is_named(self):
        self.assertIn("Not measured: caddy.", readme.section(results()))

    def test_only_what_is_between_the_marks_changes(self):
        with tempfile.TemporaryDirectory() as directory:
            repository = Path(directory)
            (repository / ".github").mkdir()
            page = repository / "README.md"
            page.write_text(f"before\n{readme.BEGIN}\nold\n{readme.END}\nbehind\n")
            for _ in range(2):
                readme.write(repository, results())
                text = page.read_text()
                self.assertTrue(text.startswith(f"before\n{readme.BEGIN}\n<picture>"), text[:80])
                self.assertTrue(text.endswith(f"{readme.END}\nbehind\n"))
                self.assertNotIn("old", text)
            for name, _ in readme.CHARTS.values():
                root = xml.etree.ElementTree.parse(repository / name).getroot()
                self.assertEqual(len(root.findall("{*}rect")), 2)
            page.write_text("no marks")
            with self.assertRaises(SystemExit):
                readme.write(repository, results())

    def test_large_ratios_have_fewer_digits(self):
        spread = readme.figures.Spread
        self.assertEqual(readme.cell(spread(0.5, 0.4, 0.6)), "0.50 (0.40–0.60)")
        self.assertEqual(readme.cell(spread(31.95, 9.0, 33.0)), "31.9 (9.0–33.0)")
        self.assertEqual(readme.cell(None), "")

    def test_the_two_pictures_differ_in_their_colours_only(self):
        panels = [("a <load>", [("nginx", "other", 1.0), ("drover", "drover", 0.5)])]
        light, dark = (chart.picture(panels, "note", colours) for colours in (chart.LIGHT, chart.DARK))
        for name, colour in chart.LIGHT.items():
            light = light.replace(f".{name} {{ fill: {colour} }}", f".{name} {{ fill: {chart.DARK[name]} }}")
        self.assertEqual(light, dark)


class Names(unittest.TestCase):
    def test_servers_are_chosen_by_key_or_by_the_beginning_of_a_name(self):
        def keys(text):
            return [kind.key for kind in confs.wanted(text)]

        self.assertEqual(keys("drover,nginx"), ["nginx", "drover"])
        self.assertEqual(keys("nginx 1.28.3"), ["nginx", "nginx-cached"])
        self.assertEqual(len(keys("")), len(confs.KINDS))
        with self.assertRaises(ValueError):
            keys("drover,ngnix")

    def test_each_name_that_is_spoken_of_is_there(self):
        scenarios = {each.name for each in SCENARIOS}
        self.assertEqual(len(scenarios), len(SCENARIOS))
        bases = {each.base for each in SCENARIOS if each.base}
        rows = {name for name, *_ in readme.LOADS} | {name for name, _ in readme.ADDED}
        self.assertLessEqual(bases | rows, scenarios)
        self.assertLessEqual({name for name, _ in readme.COLUMNS}, {kind.name for kind in confs.KINDS})
        self.assertEqual({each.way for each in SCENARIOS}, set(WAYS))
        self.assertEqual(confs.EVERY_WAY, set(WAYS))

    def test_a_base_is_measured_before_what_is_compared_with_it(self):
        order = sorted(SCENARIOS, key=lambda each: WAYS.index(each.way))
        places = {each.name: place for place, each in enumerate(order)}
        for each in SCENARIOS:
            if each.base:
                self.assertLess(places[each.base], places[each.name], each.name)

    def test_every_server_has_a_conf_for_each_of_its_ways(self):
        for kind in confs.KINDS:
            for way in kind.ways:
                with self.subTest(server=kind.key, way=way), tempfile.TemporaryDirectory() as directory:
                    self.assertEqual(kind.start(site(way, directory), "program")[0], "program")


def site(way, directory):
    """What confs are made of."""
    dir = Path(directory)
    (dir / "certificate").write_text("certificate\n")
    (dir / "key").write_text("key\n")

    def write(name, text):
        (dir / name).write_text(text)
        return str(dir / name)

    return types.SimpleNamespace(
        way=way, dir=dir, root=dir, port=8080, workers=1, has_log=False, http="", events="", sendfile="on",
        file=None, connections=4096, certificate=dir / "certificate", key=dir / "key", write=write)
