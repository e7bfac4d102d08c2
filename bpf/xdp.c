//go:build ignore

// SPDX-License-Identifier: Apache-2.0
// The steering of a port: what nave forwards or terminates goes to its AF_XDP socket, the rest to the kernel.
//
// What is for nave is never passed to the kernel: where no live socket stands in the map, the redirect drops
// the frame. So with naved dead no transit packet falls into the kernel's forwarding.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETH_P_MPLS 0x8847
#define VLAN_ID 0x0fff
#define PORT_BOOTPC 68
#define PORT_NATT 4500
#define FRAG_OFFSET 0x1fff

// Flags of an address of this box (struct of nave: bpf.Local*).
enum { LOCAL_HOST = 1, LOCAL_TUNNEL = 2, LOCAL_NATT = 4 };
// Flags of a port (bpf.Port*).
enum { PORT_MPLS = 1 };

struct port {
	__u8 mac[6];
	__u16 flags;
	__u32 vrf;
	__u32 base; // slot in xsks of the port's RX queue 0
};

struct local {
	__u32 vrf;
	__be32 addr;
};

// A subinterface: a port and the VLAN of an 802.1Q tag.
struct vlan {
	__u32 port;
	__u32 id;
};

// What stands behind the addresses of a tagged frame.
struct tag {
	__be16 tci;
	__be16 proto;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct port);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct local);
	__type(value, __u32);
} locals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct vlan);
	__type(value, __u32);
} vlans SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

// Counters, per CPU: one for each verdict.
enum { N_KERNEL, N_NAVE, N_NO_SOCKET, N_MAX };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, N_MAX);
	__type(key, __u32);
	__type(value, __u64);
} verdicts SEC(".maps");

// The port's number in the map ports: set in each port's own copy of the program before it is loaded.
const volatile __u32 port_number = 0;

static __always_inline void count(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&verdicts, &what);

	if (n)
		(*n)++;
}

static __always_inline int to_kernel(void)
{
	count(N_KERNEL);
	return XDP_PASS;
}

static __always_inline int to_nave(struct xdp_md *ctx, const struct port *p)
{
	int verdict = bpf_redirect_map(&xsks, p->base + ctx->rx_queue_index, XDP_DROP);

	count(verdict == XDP_REDIRECT ? N_NAVE : N_NO_SOCKET);
	return verdict;
}

// UDP for one of our addresses: only ESP in UDP is nave's. IKE on port 4500 has four zero bytes in front, a NAT
// keepalive is one byte 0xFF (RFC 3948 section 2); fragments go to the kernel, which puts large IKE messages together.
static __always_inline int is_esp_in_udp(struct iphdr *ip, void *end)
{
	struct udphdr *udp;
	__u32 *spi;

	if (ip->frag_off & bpf_htons(0x2000 | FRAG_OFFSET))
		return 0;
	udp = (void *)ip + ip->ihl * 4;
	spi = (void *)(udp + 1);
	if ((void *)(spi + 1) > end)
		return 0; // too short for a SPI: a keepalive, or nonsense
	return udp->dest == bpf_htons(PORT_NATT) && *spi != 0;
}

static __always_inline int is_dhcp_reply(struct iphdr *ip, void *end)
{
	struct udphdr *udp = (void *)ip + ip->ihl * 4;

	if (ip->protocol != IPPROTO_UDP || (ip->frag_off & bpf_htons(FRAG_OFFSET)))
		return 0;
	return (void *)(udp + 1) <= end && udp->dest == bpf_htons(PORT_BOOTPC);
}

static __always_inline int steer_ipv4(struct xdp_md *ctx, const struct port *p, struct iphdr *ip, void *end)
{
	struct local key = { .vrf = p->vrf, .addr = ip->daddr };
	__u32 *flags = bpf_map_lookup_elem(&locals, &key);

	if (!flags)
		return is_dhcp_reply(ip, end) ? to_kernel() : to_nave(ctx, p);
	if (*flags & LOCAL_TUNNEL) {
		switch (ip->protocol) {
		case IPPROTO_GRE:
		case IPPROTO_ESP:
		case IPPROTO_AH:
			return to_nave(ctx, p);
		}
	}
	if ((*flags & LOCAL_NATT) && ip->protocol == IPPROTO_UDP && is_esp_in_udp(ip, end))
		return to_nave(ctx, p);
	return to_kernel();
}

static __always_inline int same_mac(const __u8 *a, const __u8 *b)
{
	const __u16 *x = (const __u16 *)a, *y = (const __u16 *)b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

// All frames with the tag of a subinterface are nave's, whatever they carry: the kernel has no interface for them, and nave hands it what is the
// host's. VLAN 0 is no VLAN but a priority (IEEE 802.1Q section 9.6), and stays with the kernel like the tags of others.
static __always_inline int is_subinterface(struct ethhdr *eth, void *end)
{
	struct tag *tag = (void *)(eth + 1);
	struct vlan key = { .port = port_number };

	if ((void *)(tag + 1) > end)
		return 0;
	key.id = bpf_ntohs(tag->tci) & VLAN_ID;
	return key.id != 0 && bpf_map_lookup_elem(&vlans, &key) != 0;
}

SEC("xdp")
int nave_port(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	__u32 number = port_number;
	struct port *p;
	struct iphdr *ip;

	p = bpf_map_lookup_elem(&ports, &number);
	if (!p || (void *)(eth + 1) > end)
		return to_kernel();
	if (eth->h_proto == bpf_htons(ETH_P_MPLS) && (p->flags & PORT_MPLS))
		return to_nave(ctx, p);
	if (eth->h_proto == bpf_htons(ETH_P_8021Q) && is_subinterface(eth, end))
		return to_nave(ctx, p);
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return to_kernel(); // ARP, IPv6 of the host, VLANs that are nobody's
	ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > end || ip->ihl < 5)
		return to_kernel();
	if (eth->h_dest[0] & 1)
		return to_kernel(); // broadcast, and multicast: nave routes none that comes in by a port
	if (!same_mac(eth->h_dest, p->mac))
		return to_kernel(); // not ours: the kernel discards it
	return steer_ipv4(ctx, p, ip, end);
}

char _license[] SEC("license") = "Apache-2.0";
