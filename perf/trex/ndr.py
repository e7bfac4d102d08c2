#!/usr/bin/env python3
"""The search of `naveperf ndr`, by TRex: the highest rate that a gateway forwards without loss, or with no more than a part.

TRex runs in stateless mode (t-rex-64 -i). Its Python API must be importable: PYTHONPATH=TREX/automation/trex_control_plane/interactive

    ndr.py --mix perf/mix/mixes/imix.mix --tx 0 --rx 1 --max 10e6 --loss 0,0.005
"""

import argparse
import json
import sys

KEEPS = 0.98  # the part of a rate that the generator must send for it to have been offered
MAX_TRIALS = 200


class Outcome:
    """What one trial found. Rates are packets a second."""

    def __init__(self, asked, offered, sent, received, latency=None):
        self.asked = asked
        self.offered = offered
        self.sent = sent
        self.received = received
        self.latency = latency or {}

    def loss(self):
        return max(0.0, float(self.sent - self.received) / self.sent) if self.sent else 1.0


class Result:
    """A rate, what bounds it (device, generator, max, min), the trial at it, and all trials."""

    def __init__(self):
        self.rate = 0.0
        self.bound = ""
        self.best = None
        self.trials = []


def search(trial, most, least=0.0, loss=0.0, method="tst009", resolution=0.01, repeats=2, transient=0.05, progress=None):
    """Looks for the highest rate. trial(pps) makes an Outcome. With method rfc2544 one trial decides about a rate; with tst009 one that lost a
    little is tried again, as that may have had nothing to do with the rate (ETSI GS NFV-TST 009 section 12.3)."""
    r = Result()

    def judge(pps, low):
        for n in range(repeats + 1):
            o = trial(pps)
            if not o.sent:
                raise RuntimeError("the generator has sent nothing at %.0f packets a second" % pps)
            passed = o.loss() <= loss
            r.trials.append(o)
            if progress:
                progress(o, passed)
            if passed and o.offered > r.rate:
                r.rate, r.best = o.offered, o
            again = o.offered < KEEPS * pps and (passed or o.offered <= low) and pps < most
            if not passed and method == "tst009" and o.loss() <= loss + transient:
                again = True
            if not again or n >= repeats:
                return o, passed

    low, high, at = least, most, most
    while True:
        o, passed = judge(at, low)
        kept = o.offered >= KEEPS * at
        if passed:
            if at >= most and kept:
                r.bound = "max"
                return r
            if not kept and r.rate <= low * (1 + resolution):
                r.bound = "generator"
                return r
            low = max(low, r.rate)
            if not kept:
                high = min(high, at)
        else:
            high = min(high, at, max(o.offered, low))
        if high - low <= resolution * high or high <= max(least, most * 1e-6):
            break
        if len(r.trials) >= MAX_TRIALS:
            raise RuntimeError("no end after %d trials: what the device does changes from trial to trial" % MAX_TRIALS)
        at = (low + high) / 2
    r.bound = "device"
    if r.best is None:
        r.bound = "min"
    elif r.best.offered < KEEPS * r.best.asked:
        r.bound = "generator"
    return r


class TRex:
    """TRex as the generator of trials. The profile is the module nave."""

    def __init__(self, client, profile, mix, macs, tx, rx, duration, settle):
        self.c, self.profile, self.mix, self.macs, self.tx, self.rx = client, profile, mix, macs, tx, rx
        self.duration, self.settle = duration, settle

    def trial(self, pps):
        c = self.c
        steady = self.mix.burst == 1
        c.remove_all_streams(ports=[self.tx])
        c.add_streams(self.profile.streams(self.mix, self.macs[0], self.macs[1], pps=None if steady else pps), ports=[self.tx])
        c.clear_stats()
        c.start(ports=[self.tx], mult="%fpps" % pps if steady else "1", duration=self.duration)
        c.wait_on_traffic(ports=[self.tx], timeout=self.duration + 30, rx_delay_ms=int(1000 * self.settle))
        s = c.get_stats()
        sent, received = s[self.tx]["opackets"], s[self.rx]["ipackets"]
        latency = s.get("latency", {}).get(self.profile.LATENCY_ID, {}).get("latency", {})
        keep = {k: latency[k] for k in ("average", "total_min", "total_max", "jitter") if k in latency}
        return Outcome(pps, sent / self.duration, sent, received, keep)


def arguments(args):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--server", default="127.0.0.1", help="where TRex runs")
    p.add_argument("--mix", required=True, help="file of a mix")
    p.add_argument("--tx", type=int, default=0, help="port that sends")
    p.add_argument("--rx", type=int, default=1, help="port that receives")
    p.add_argument("--dst-mac", default="", help="Ethernet address of the gateway; default is what TRex's port is configured with")
    p.add_argument("--max", type=float, required=True, help="highest rate to try, packets a second")
    p.add_argument("--min", type=float, default=0.0, help="lowest rate to try")
    p.add_argument("--loss", default="0", help="loss that is allowed, as a part; several with commas between them")
    p.add_argument("--method", choices=("rfc2544", "tst009"), default="tst009")
    p.add_argument("--resolution", type=float, default=0.01, help="end when what is left to search is this part of the rate")
    p.add_argument("--repeats", type=int, default=2)
    p.add_argument("--trial", type=float, default=10.0, help="seconds of a trial; RFC 2544 wants 60 of a final one")
    p.add_argument("--settle", type=float, default=2.0, help="seconds for the last packets")
    p.add_argument("--json", action="store_true")
    a = p.parse_args(args)
    try:
        a.losses = sorted(float(w) for w in a.loss.split(","))
    except ValueError:
        p.error("--loss %s: want parts of 1 like 0 or 0.005" % a.loss)
    if not 0 <= a.min < a.max or any(not 0 <= v < 1 for v in a.losses) or a.trial <= 0 or not 0 < a.resolution < 1 or a.repeats < 0:
        p.error("a rate, part or time that can't be")
    return a


def run(a, out):
    import nave  # needs TRex
    import nave_mix

    try:
        from trex.stl.api import STLClient
    except ImportError:
        from trex_stl_lib.api import STLClient

    mix = nave_mix.load(a.mix)
    c = STLClient(server=a.server)
    c.connect()
    try:
        c.reset(ports=[a.tx, a.rx])
        attr = c.get_port_attr(a.tx)
        macs = [bytes.fromhex(m.replace(":", "")) for m in (attr["src_mac"], a.dst_mac or attr["dest"])]
        t = TRex(c, nave, mix, macs, a.tx, a.rx, a.trial, a.settle)
        results = []
        for loss in a.losses:
            def progress(o, passed):
                print("%12.0f pps offered of %12.0f: %d of %d lost, %s" % (o.offered, o.asked, o.sent - o.received, o.sent,
                                                                          "passed" if passed else "too much"), file=sys.stderr)
            r = search(t.trial, a.max, a.min, loss, a.method, a.resolution, a.repeats, progress=progress)
            results.append({"loss_allowed": loss, "pps": r.rate, "bound": r.bound, "trials": len(r.trials),
                            "latency_us": r.best.latency if r.best else {}})
        if a.json:
            json.dump({"mix": mix.name, "method": a.method, "results": results}, out, indent=2)
            out.write("\n")
            return
        for r in results:
            out.write("loss %g: %.0f packets a second (bound: %s, %d trials), latency %s\n" % (
                r["loss_allowed"], r["pps"], r["bound"], r["trials"], r["latency_us"]))
    finally:
        c.disconnect()


if __name__ == "__main__":
    run(arguments(sys.argv[1:]), sys.stdout)
