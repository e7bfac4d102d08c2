"""A stateless TRex profile of a mix of naveperf.

In TRex's console, with the mixes' files at hand:

    start -f nave.py -p 0 -m 1mpps -t --mix /path/to/imix.mix
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import nave_mix  # noqa: E402

try:  # TRex from 2.60 on
    from trex.stl.api import (STLFlowLatencyStats, STLPktBuilder, STLScVmRaw, STLStream, STLTXCont, STLTXMultiBurst, STLVmFixIpv4,
                              STLVmFlowVar, STLVmWrFlowVar)
except ImportError:
    from trex_stl_lib.api import (STLFlowLatencyStats, STLPktBuilder, STLScVmRaw, STLStream, STLTXCont, STLTXMultiBurst, STLVmFixIpv4,
                                  STLVmFlowVar, STLVmWrFlowVar)

# The latency stream: so many packets a second, under this number in TRex's statistics.
LATENCY_PPS = 1000
LATENCY_ID = 7


def flows(mix, frame):
    """What changes from packet to packet: UDP source port, and destination."""
    if mix.flows == 1 or frame.udp is None:
        return None
    ports = min(mix.flows, 60000)
    steps = [
        STLVmFlowVar(name="port", min_value=1024, max_value=1024 + ports - 1, size=2, op="inc"),
        STLVmWrFlowVar(fv_name="port", pkt_offset=frame.udp),
    ]
    if mix.over > 1:
        first = int(mix.to)
        steps += [
            STLVmFlowVar(name="to", min_value=first, max_value=first + mix.over - 1, size=4, op="inc"),
            STLVmWrFlowVar(fv_name="to", pkt_offset=frame.ip + 16),
        ]
    steps.append(STLVmFixIpv4(offset=frame.ip))
    return STLScVmRaw(steps)


# What a burst leaves at, packets a second, as far as the link can: the pause behind it makes the rate.
BURST_PPS = 10e6


def mode(mix, weight, total, pps):
    """How a size's packets leave. Steady ones have rates that TRex multiplies; bursts have the rate pps itself, as pauses don't scale."""
    share = float(weight) / total
    if mix.burst == 1:
        return STLTXCont(pps=share)
    if not pps:
        raise ValueError("mix %s comes in bursts: say its rate, -t --pps N, and start it with -m 1" % mix.name)
    count = max(1, round(mix.burst * share))
    pause = 1e6 * (count / (share * pps) - count / BURST_PPS)
    if pause <= 0:
        raise ValueError("mix %s: %g packets a second leave no pause between bursts" % (mix.name, pps))
    return STLTXMultiBurst(pps=BURST_PPS, pkts_per_burst=count, ibg=pause, count=(1 << 32) - 1)


def streams(mix, source, to, latency=True, pps=None):
    """One stream a size, whose rates are as their weights, and one that measures latency."""
    out = []
    total = sum(weight for _, weight in mix.sizes)
    for n, weight in mix.sizes:
        f = nave_mix.frame(mix, n, source, to)
        out.append(STLStream(name="%s-%d" % (mix.name, n), packet=STLPktBuilder(pkt_buffer=f.data, vm=flows(mix, f)), mode=mode(mix, weight, total, pps)))
    if latency:
        shortest = max(min(n for n, _ in mix.sizes), nave_mix.MIN_SIZE + 16)  # TRex's own stamp takes 16 bytes at the end
        f = nave_mix.frame(mix, shortest, source, to)
        out.append(STLStream(name="latency", packet=STLPktBuilder(pkt_buffer=f.data), mode=STLTXCont(pps=LATENCY_PPS),
                             flow_stats=STLFlowLatencyStats(pg_id=LATENCY_ID)))
    return out


class NaveProfile:
    """What TRex loads."""

    def get_streams(self, direction=0, tunables=(), **kwargs):
        p = argparse.ArgumentParser()
        p.add_argument("--mix", default=kwargs.get("mix"), help="file of a mix")
        p.add_argument("--pps", type=float, default=None, help="rate of a mix that comes in bursts")
        p.add_argument("--src-mac", default="00:00:00:00:00:00", help="TRex puts the port's own in its place")
        p.add_argument("--dst-mac", default="00:00:00:00:00:00")
        a = p.parse_args(list(tunables))
        if not a.mix:
            raise ValueError("say which mix: -t --mix FILE (nave's are in perf/mix/mixes)")
        macs = [bytes.fromhex(m.replace(":", "")) for m in (a.src_mac, a.dst_mac)]
        return streams(nave_mix.load(a.mix), macs[0], macs[1], pps=a.pps)


def register():
    return NaveProfile()
