"""Tests of ndr.py's search and of nave_mix.py, without TRex."""

import random
import unittest

import nave_mix
import ndr


def device(cap, sender=float("inf"), noise=0.0, seed=1):
    rnd = random.Random(seed)

    def trial(pps):
        offered = min(pps, sender)
        sent = int(2 * offered)
        got = min(sent, int(2 * cap))
        if rnd.random() < noise:
            got -= min(got, 10)
        return ndr.Outcome(pps, offered, sent, got)

    return trial


class Search(unittest.TestCase):
    def test_cliff(self):
        for method in ("rfc2544", "tst009"):
            for cap in (1234, 50e3, 1.47e6, 9.9e6):
                r = ndr.search(device(cap), 10e6, method=method, resolution=0.005)
                self.assertLessEqual(r.rate, cap + 1)
                self.assertGreaterEqual(r.rate, 0.99 * cap - 2)
                self.assertEqual(r.bound, "device")

    def test_partial(self):
        r = ndr.search(device(1e6), 10e6, loss=0.2, resolution=0.001)
        self.assertAlmostEqual(r.rate, 1.25e6, delta=4e3)

    def test_noise(self):
        for seed in range(10):
            r = ndr.search(device(1e6, noise=0.1, seed=seed), 4e6, repeats=6)
            self.assertLessEqual(r.rate, 1e6 + 1)
            self.assertGreaterEqual(r.rate, 0.97e6)

    def test_ends(self):
        self.assertEqual(ndr.search(device(1e9), 3e6).bound, "max")
        self.assertEqual(ndr.search(device(5e6, sender=2e6), 10e6).bound, "generator")
        self.assertEqual(ndr.search(device(0), 3e6).bound, "min")
        with self.assertRaises(RuntimeError):
            ndr.search(lambda pps: ndr.Outcome(pps, 0, 0, 0), 1e6)

    def test_arguments(self):
        self.assertEqual(ndr.arguments(["--mix", "x", "--max", "1e6", "--loss", "0.01,0"]).losses, [0, 0.01])
        for bad in (["--max", "-1"], ["--max", "1", "--loss", "1"], ["--max", "1", "--loss", "x"], ["--max", "1", "--resolution", "0"]):
            with self.assertRaises(SystemExit):
                ndr.arguments(["--mix", "x"] + bad)


class Client:
    """A stand-in for TRex's client, in front of a device that forwards so many packets a second."""

    def __init__(self, cap):
        self.cap = cap
        self.calls = []

    def remove_all_streams(self, ports):
        self.calls.append("remove")

    def add_streams(self, streams, ports):
        self.streams = streams

    def clear_stats(self):
        self.calls.append("clear")

    def start(self, ports, mult, duration):
        pps = float(mult[:-3]) if mult.endswith("pps") else self.streams
        self.sent = int(pps * duration)
        self.got = int(min(pps, self.cap) * duration)

    def wait_on_traffic(self, ports, timeout, rx_delay_ms):
        pass

    def get_stats(self):
        return {3: {"opackets": self.sent}, 5: {"ipackets": self.got}, "latency": {7: {"latency": {"average": 12, "histogram": {}}}}}


class Profile:
    LATENCY_ID = 7

    @staticmethod
    def streams(mix, source, to, pps=None):
        return pps


class Trials(unittest.TestCase):
    def test_trials(self):
        for text in ("mix a\nsize 64", "mix a\nsize 64\nburst 8"):
            c = Client(1e6)
            t = ndr.TRex(c, Profile, nave_mix.parse("f", text), (b"", b""), 3, 5, 2.0, 0.1)
            r = ndr.search(t.trial, 4e6)
            self.assertAlmostEqual(r.rate, 1e6, delta=2e4)
            self.assertEqual(r.best.latency, {"average": 12})
            self.assertEqual(c.calls[:2], ["remove", "clear"])


class Grammar(unittest.TestCase):
    def test_errors(self):
        for text, want in {
            "size 64": "f:1: 'size' before", "mix a\nsize 20": "f:2: 20: want 28", "mix a\nfoo": "f:2: unknown word 'foo'", "mix a": "no size",
            "mix a\nmix b": "f:2: a second line", "mix a\nesp 256 aes-gcm 00": "can't seal", "mix a\nto x": "no IPv4 address", "mix a\ngre 1.1.1.1": "too few",
        }.items():
            with self.assertRaisesRegex(nave_mix.MixError, want):
                nave_mix.parse("f", text)


if __name__ == "__main__":
    unittest.main()
