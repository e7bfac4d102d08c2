//go:build ignore

// SPDX-License-Identifier: Apache-2.0
// Both ends of a measurement in the kernel: nave_gen makes packets of the frames that BPF_PROG_TEST_RUN brings round, nave_sink counts and
// drops what arrives, nave_xsk hands it to an AF_XDP socket.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETH_P_MPLS 0x8847
#define HEADER 128 // mix.HeaderLen
#define MARK 0x6e61ULL
#define SEQ_MASK ((1ULL << 48) - 1)
#define SUB_BITS 5 // as in package hist
#define MAX_BITS 40
#define BUCKETS ((MAX_BITS - SUB_BITS + 1) << SUB_BITS)
#define WINDOW 65536
#define LABELS 4
#define SHIFT 8 // fractions of a nanosecond in pacing

// A packet of the train: mix.Slot.
struct slot {
	__u8 header[HEADER];
	__u16 len;
	__u16 stamp;
	__u32 unused;
};

// One run of the generator. Go writes it before, the program while it runs, Go reads it after.
struct run {
	__u64 begin; // CLOCK_MONOTONIC
	__u64 end;
	__u64 limit; // packets
	__u64 step;  // nanoseconds a packet, shifted; 0: as fast as can be
	__u64 slack; // how far pacing may be behind before what was missed is given up, shifted
	__u64 next;  // when the next packet is due after begin, shifted
	__u64 seq;
	__u64 sent;
	__u64 bytes;
	__u64 last; // when the last packet left
	__u32 slot;
	__u32 slots;
	__u32 burst;
	__u32 left; // of this burst
	__u32 ifindex;
	__u32 stamps;
};

struct totals {
	__u64 packets;
	__u64 bytes;
	__u64 stamped;
	__u64 late; // behind one that was sent after them
	__u64 twice;
	__u64 timed; // of stamped: those whose time can be
	__u64 smallest, largest; // latency
	__u64 other; // passed to the kernel
};

struct seen {
	__u64 first; // sequence number, plus one
	__u64 next;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); // as many as the train has
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct run);
} runs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct totals);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BUCKETS);
	__type(key, __u32);
	__type(value, __u64);
} delays SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WINDOW);
	__type(key, __u32);
	__type(value, __u64);
} window SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct seen);
} order SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

volatile const __u32 read_stamps = 1; // the sink only counts where it is 0

// due tells whether a packet leaves now, and pays for it.
static __always_inline int due(struct run *r, __u64 now)
{
	if (r->left) {
		r->left--;
		return 1;
	}
	__u64 at = (now - r->begin) << SHIFT;
	if (at < r->next)
		return 0;
	if (at - r->next > r->slack)
		r->next = at - r->slack;
	r->next += r->step * r->burst;
	r->left = r->burst - 1;
	return 1;
}

SEC("xdp")
int nave_gen(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct run *r = bpf_map_lookup_elem(&runs, &zero);
	if (!r)
		return XDP_DROP;
	__u64 now = bpf_ktime_get_ns();
	if (now >= r->end || r->sent >= r->limit)
		return XDP_DROP;
	if (r->step && !due(r, now))
		return XDP_DROP;
	__u32 at = r->slot;
	struct slot *s = bpf_map_lookup_elem(&slots, &at);
	if (!s)
		return XDP_ABORTED;
	r->slot = at + 1 < r->slots ? at + 1 : 0;
	__u64 *p = (void *)(long)ctx->data;
	if ((void *)(p + HEADER / 8) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	const __u64 *h = (const void *)s->header;
#pragma unroll
	for (int i = 0; i < HEADER / 8; i++)
		p[i] = h[i];
	if (s->stamp && r->stamps) {
		__be64 stamp[2] = { bpf_cpu_to_be64(MARK << 48 | (r->seq & SEQ_MASK)), bpf_cpu_to_be64(now) };
		if (bpf_xdp_store_bytes(ctx, s->stamp, stamp, sizeof(stamp)))
			return XDP_ABORTED;
	}
	int shrink = (int)s->len - (int)(ctx->data_end - ctx->data);
	if (shrink && bpf_xdp_adjust_tail(ctx, shrink))
		return XDP_ABORTED;
	r->seq++;
	r->sent++;
	r->bytes += s->len;
	r->last = now;
	return bpf_redirect(r->ifindex, 0);
}

// bucket sorts a delay as hist.Index does.
static __always_inline __u32 bucket(__u64 v)
{
	if (v < (1 << SUB_BITS))
		return v;
	__u32 e = 0;
	__u64 w = v;
	if (w >> 32) { e += 32; w >>= 32; }
	if (w >> 16) { e += 16; w >>= 16; }
	if (w >> 8) { e += 8; w >>= 8; }
	if (w >> 4) { e += 4; w >>= 4; }
	if (w >> 2) { e += 2; w >>= 2; }
	if (w >> 1) e++;
	if (e >= MAX_BITS)
		return BUCKETS - 1;
	return ((e - SUB_BITS + 1) << SUB_BITS) + ((v >> (e - SUB_BITS)) & ((1 << SUB_BITS) - 1));
}

static __always_inline void delay(struct totals *t, __u64 now, __u64 sent)
{
	__u64 d = now - sent;
	if (d >> 38) // four minutes, or below zero: another machine's clock
		return;
	if (!t->timed || d < t->smallest)
		t->smallest = d;
	if (d > t->largest)
		t->largest = d;
	t->timed++;
	__u32 b = bucket(d);
	__u64 *n = bpf_map_lookup_elem(&delays, &b);
	if (n)
		++*n;
}

// sequence finds packets that come twice, or after one that was sent later (RFC 4737 section 3.3). Where several CPUs receive, they may miss one.
static __always_inline void sequence(struct totals *t, __u64 seq)
{
	__u32 zero = 0, at = seq & (WINDOW - 1);
	struct seen *o = bpf_map_lookup_elem(&order, &zero);
	__u64 *w = bpf_map_lookup_elem(&window, &at);
	if (!o || !w)
		return;
	if (*w == seq + 1) {
		t->twice++;
		return;
	}
	*w = seq + 1;
	if (!o->first)
		o->first = seq + 1;
	if (seq >= o->next)
		o->next = seq + 1;
	else
		t->late++;
}

// l3 is where the IPv4 header of a frame starts, behind labels; 0 where there is none.
static __always_inline int l3(void *data, void *end)
{
	struct ethhdr *e = data;
	if ((void *)(e + 1) > end)
		return 0;
	if (e->h_proto == bpf_htons(ETH_P_IP))
		return sizeof(*e);
	if (e->h_proto != bpf_htons(ETH_P_MPLS))
		return 0;
	__u8 *b = (void *)(e + 1);
#pragma unroll
	for (int i = 0; i < LABELS; i++) {
		if ((void *)(b + 4) > end)
			return 0;
		if (b[2] & 1)
			return sizeof(*e) + 4 * (i + 1);
		b += 4;
	}
	return 0;
}

SEC("xdp")
int nave_sink(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct totals *t = bpf_map_lookup_elem(&totals, &zero);
	if (!t)
		return XDP_ABORTED;
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	int off = l3(data, end);
	if (!off) {
		t->other++;
		return XDP_PASS;
	}
	t->packets++;
	t->bytes += end - data;
	if (!read_stamps)
		return XDP_DROP;
	struct iphdr *ip = data + off;
	if ((void *)(ip + 1) > end)
		return XDP_DROP;
	__u32 total = bpf_ntohs(ip->tot_len);
	__be64 stamp[2];
	if (total < sizeof(*ip) + sizeof(stamp) || bpf_xdp_load_bytes(ctx, off + total - sizeof(stamp), stamp, sizeof(stamp)))
		return XDP_DROP;
	__u64 first = bpf_be64_to_cpu(stamp[0]);
	if (first >> 48 != MARK)
		return XDP_DROP;
	t->stamped++;
	delay(t, bpf_ktime_get_ns(), bpf_be64_to_cpu(stamp[1]));
	sequence(t, first & SEQ_MASK);
	return XDP_DROP;
}

SEC("xdp")
int nave_xsk(struct xdp_md *ctx)
{
	if (!l3((void *)(long)ctx->data, (void *)(long)ctx->data_end))
		return XDP_PASS;
	return bpf_redirect_map(&xsks, ctx->rx_queue_index, XDP_PASS);
}

char _license[] SEC("license") = "Apache-2.0";
