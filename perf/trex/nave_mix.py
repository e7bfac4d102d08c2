#!/usr/bin/env python3
"""Traffic mixes of naveperf for other generators: reads a .mix file and makes its frames.

The grammar is that of nave's package perf/mix (mix.go says it). Without TRex this file can be run: it prints the first packet of each size in
hexadecimal, one a line, behind its weight and its length.

    nave_mix.py MIX-FILE SOURCE-MAC DESTINATION-MAC
"""

import ipaddress
import struct
import sys

ETHERNET = 14
IPV4 = 20
UDP = 8
OVERHEAD = ETHERNET + 4  # what Ethernet's count of a frame has beyond the IPv4 packet
MIN_FRAME = 60
MIN_SIZE = IPV4 + UDP
MAX_SIZE = 1500
PROTO_UDP, PROTO_GRE, PROTO_ESP = 17, 47, 50
TYPE_IPV4, TYPE_MPLS = 0x0800, 0x8847


class MixError(Exception):
    """A mix that can't be read or sent; says the file and the line."""


class Mix:
    """What is sent. Sizes are pairs of IPv4 bytes and weight."""

    def __init__(self):
        self.name = ""
        self.about = ""
        self.sizes = []
        self.source = ipaddress.IPv4Address("10.1.0.7")
        self.to = ipaddress.IPv4Address("10.2.0.7")
        self.flows = 1
        self.over = 1
        self.tos = 0
        self.df = False
        self.labels = []
        self.gre = None  # source, destination, key or None
        self.raw_esp = None  # SPI, bytes
        self.burst = 1


def number(word, least, most):
    try:
        n = int(word, 0)
    except ValueError:
        raise MixError("%r is no number" % word)
    if not least <= n <= most:
        raise MixError("%d: want %d to %d" % (n, least, most))
    return n


def keyword(words, name, least, most):
    if len(words) != 2 or words[0] != name:
        raise MixError("%r: want `%s N`" % (" ".join(words), name))
    return number(words[1], least, most)


def address(word):
    try:
        return ipaddress.IPv4Address(word)
    except ValueError:
        raise MixError("%r is no IPv4 address" % word)


def size(mix, args, overhead):
    n = number(args[0], MIN_SIZE + overhead, MAX_SIZE + overhead) - overhead
    weight = keyword(args[1:], "weight", 1, 1000) if len(args) > 1 else 1
    mix.sizes.append((n, weight))


def sentence(mix, word, args):
    """Carries one line out."""
    if word == "mix":
        mix.name = args[0]
    elif word == "about":
        mix.about = " ".join(args)
    elif word == "size":
        size(mix, args, 0)
    elif word == "frame":
        size(mix, args, OVERHEAD)
    elif word == "from":
        mix.source = address(args[0])
    elif word == "to":
        mix.to = address(args[0])
    elif word == "flows":
        mix.flows = number(args[0], 1, 1 << 20)
        if len(args) > 1:
            mix.over = keyword(args[1:], "over", 1, mix.flows)
    elif word == "tos":
        mix.tos = number(args[0], 0, 255)
    elif word == "df":
        mix.df = True
    elif word == "mpls":
        mix.labels = [number(a, 0, (1 << 20) - 1) for a in args]
    elif word == "gre":
        key = keyword(args[2:], "key", 0, (1 << 32) - 1) if len(args) > 2 else None
        mix.gre = (address(args[0]), address(args[1]), key)
    elif word == "esp":
        spi = number(args[0], 256, (1 << 32) - 1)
        if args[1] != "raw":
            raise MixError("this generator can't seal: only `esp SPI raw BYTES`")
        mix.raw_esp = (spi, number(args[2], 16, MAX_SIZE - 8))
    elif word == "burst":
        mix.burst = number(args[0], 1, 1 << 16)
    else:
        raise MixError("unknown word %r" % word)


# How many words may follow each first word: least, most (None: any), and whether the line may come again.
COUNTS = {
    "mix": (1, 1), "about": (1, None), "size": (1, 3), "frame": (1, 3), "from": (1, 1), "to": (1, 1), "flows": (1, 3), "tos": (1, 1),
    "df": (0, 0), "mpls": (1, 4), "gre": (2, 4), "esp": (3, 3), "burst": (1, 1),
}
REPEATS = ("size", "frame")


def parse(name, text):
    """Reads a mix from text."""
    mix = Mix()
    seen = set()
    for n, line in enumerate(text.split("\n"), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        word, args = words[0], words[1:]
        try:
            if word not in COUNTS:
                raise MixError("unknown word %r" % word)
            if not mix.name and word != "mix":
                raise MixError("%r before the line `mix NAME`" % word)
            if word in seen and word not in REPEATS:
                raise MixError("a second line %r" % word)
            least, most = COUNTS[word]
            if len(args) < least or most is not None and len(args) > most:
                raise MixError("%r: too few words or too many" % word)
            seen.add(word)
            sentence(mix, word, args)
        except MixError as e:
            raise MixError("%s:%d: %s" % (name, n, e)) from None
    if not mix.name or not mix.sizes:
        raise MixError("%s: no `mix NAME`, or no size" % name)
    return mix


def load(path):
    """Reads a mix from a file."""
    with open(path, encoding="utf-8") as f:
        return parse(path, f.read())


def checksum(b):
    total = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(mix, proto, source, to, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, mix.tos, IPV4 + payload, 0, 0x4000 if mix.df else 0, 64, proto, 0, source.packed, to.packed)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:]


def ethernet(source, to, kind):
    return to + source + struct.pack("!H", kind)


class Frame:
    """A packet as bytes, and where its parts are: ip (the innermost header), udp, None where there are none."""

    def __init__(self, data, ip, udp):
        self.data = data
        self.ip = ip
        self.udp = udp


def frame(mix, bytes_, source, to):
    """Makes the first flow's packet of so many bytes; source and to are Ethernet addresses."""
    if mix.raw_esp:
        spi, n = mix.raw_esp
        a, b = (mix.gre[0], mix.gre[1]) if mix.gre else (mix.source, mix.to)
        data = ethernet(source, to, TYPE_IPV4) + ipv4(mix, PROTO_ESP, a, b, 8 + n) + struct.pack("!II", spi, 1) + bytes(n)
        return Frame(data, None, None)
    data = ethernet(source, to, TYPE_MPLS if mix.labels else TYPE_IPV4)
    for i, label in enumerate(mix.labels):
        data += struct.pack("!I", label << 12 | (1 << 8 if i == len(mix.labels) - 1 else 0) | 64)
    if mix.gre:
        a, b, key = mix.gre
        gre = struct.pack("!HH", 0, TYPE_IPV4) if key is None else struct.pack("!HHI", 0x2000, TYPE_IPV4, key)
        data += ipv4(mix, PROTO_GRE, a, b, len(gre) + bytes_) + gre
    ip = len(data)
    data += ipv4(mix, PROTO_UDP, mix.source, mix.to, bytes_ - IPV4)
    udp = len(data)
    data += struct.pack("!HHHH", 1024, 1024, bytes_ - IPV4, 0)
    data += bytes(bytes_ - IPV4 - UDP)
    return Frame(data + bytes(max(0, MIN_FRAME - len(data))), ip, udp)


def main(args):
    if len(args) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        mix = load(args[0])
    except (MixError, OSError) as e:
        print(e, file=sys.stderr)
        return 1
    source, to = (bytes.fromhex(a.replace(":", "")) for a in args[1:])
    for n, weight in mix.sizes:
        f = frame(mix, n, source, to)
        print(weight, len(f.data), f.data.hex())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
