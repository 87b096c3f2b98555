/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "traffic_ends.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

enum { BATCH = 64 };

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t clock_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t ends_cpu_ns(const struct ends *ends)
{
	clockid_t clock;

	return pthread_getcpuclockid(ends->generator, &clock) ? 0 : read_clock(clock);
}

void sleep_ms(unsigned ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&time, &time) && errno == EINTR)
		;
}

/* RFC 1071 over the header, whose checksum and addresses are 0; not folded. */
static uint32_t header_sum(const struct iphdr *ip)
{
	const uint8_t *octets = (const uint8_t *)ip;
	uint32_t sum = 0;

	for (unsigned i = 0; i < sizeof(*ip); i += 2)
		sum += (uint32_t)octets[i] << 8 | octets[i + 1];
	return sum;
}

/* One frame's header but for what each flow has of its own. */
static void write_header(const struct options *o, struct traffic_bpf *skel, unsigned which)
{
	unsigned ip_length = o->lengths[which] - ETH_HLEN;
	unsigned udp_length = ip_length - (unsigned)sizeof(struct iphdr);
	struct ethhdr ethernet = {.h_proto = htons(ETH_P_IP), .h_source = {2, 0, 0, 0, 0, 1}};
	struct udphdr udp = {.uh_ulen = htons((uint16_t)udp_length)};
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons((uint16_t)ip_length),
		.ttl = 64,
		.frag_off = htons(0x4000),
		.protocol = IPPROTO_UDP,
	};
	uint8_t *out = (uint8_t *)(uintptr_t)skel->rodata->header[which];

	memcpy(ethernet.h_dest, &o->router, ETH_ALEN);
	memcpy(out, &ethernet, sizeof(ethernet));
	memcpy(out + sizeof(ethernet), &ip, sizeof(ip));
	memcpy(out + sizeof(ethernet) + sizeof(ip), &udp, sizeof(udp));
	skel->rodata->ip_sum[which] = header_sum(&ip);
	/* Pseudo header and header, without addresses and ports. */
	skel->rodata->udp_sum[which] = IPPROTO_UDP + 2 * udp_length;
	skel->rodata->length[which] = (uint16_t)o->lengths[which];
}

static struct traffic_bpf *load(const struct options *o)
{
	struct traffic_bpf *skel = traffic_bpf__open();
	unsigned groups = (o->flows + TRAFFIC_PORTS - 1) / TRAFFIC_PORTS;

	if (!skel)
		die("open the programs");
	for (unsigned i = 0; i < o->mix; i++)
		write_header(o, skel, i);
	skel->rodata->mix = o->mix;
	skel->rodata->ports = groups > 1 ? TRAFFIC_PORTS : o->flows;
	skel->rodata->groups = groups;
	skel->rodata->last_ports = o->flows - (groups - 1) * TRAFFIC_PORTS;
	skel->rodata->tunnels = o->tunnels;
	skel->rodata->source = ntohl(o->source.s_addr);
	skel->rodata->destination = ntohl(o->destination.s_addr);
	if (traffic_bpf__load(skel))
		die("load the programs");
	return skel;
}

static void attach(const struct end *end, bool xdp, struct bpf_program *of_xdp,
		   struct bpf_program *of_tc)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_INGRESS,
			    .ifindex = (int)end->ifindex);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, filter, .handle = 1, .priority = 1,
			    .flags = BPF_TC_F_REPLACE, .prog_fd = bpf_program__fd(of_tc));
	int err;

	enter(end);
	if (xdp) {
		err = bpf_xdp_attach((int)end->ifindex, bpf_program__fd(of_xdp), XDP_FLAGS_DRV_MODE,
				     NULL);
	} else {
		err = bpf_tc_hook_create(&hook);
		/* A run that was killed may have left it. */
		if (!err || err == -EEXIST)
			err = bpf_tc_attach(&hook, &filter);
	}
	if (err) {
		errno = -err;
		die(end->device);
	}
}

static void detach(const struct end *end, bool xdp)
{
	/* All of the queueing discipline. */
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS,
			    .ifindex = (int)end->ifindex);

	enter(end);
	if (xdp)
		bpf_xdp_detach((int)end->ifindex, XDP_FLAGS_DRV_MODE, NULL);
	else
		bpf_tc_hook_destroy(&hook);
}

static void nothing(int signal)
{
	(void)signal;
}

/* Runs until a signal interrupts it. */
static void *generate(void *arg)
{
	struct ends *ends = arg;
	const struct options *o = ends->options;
	uint8_t frame[1514] = {0};
	unsigned length = 0;
	struct xdp_md context = {.ingress_ifindex = o->generator.ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 0x7fffffff,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);

	for (unsigned i = 0; i < o->mix; i++)
		length = o->lengths[i] > length ? o->lengths[i] : length;
	context.data_end = length;
	run.data_size_in = length;
	enter(&o->generator);
	if (bpf_prog_test_run_opts(bpf_program__fd(ends->skel->progs.offer), &run) &&
	    errno != EINTR)
		ends->error = errno;
	__atomic_store_n(&ends->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

void ends_pause(struct ends *ends)
{
	if (!ends->generator)
		return;
	while (!__atomic_load_n(&ends->ended, __ATOMIC_ACQUIRE)) {
		pthread_kill(ends->generator, SIGUSR1);
		sleep_ms(1);
	}
	pthread_join(ends->generator, NULL);
	ends->generator = 0;
	ends->ended = false;
}

void ends_open(struct ends *ends, const struct options *o)
{
	struct sigaction wake = {.sa_handler = nothing};

	ends->options = o;
	ends->skel = load(o);
	sigaction(SIGUSR1, &wake, NULL);
	attach(&o->sink, o->xdp, ends->skel->progs.count_xdp, ends->skel->progs.count_tc);
	attach(&o->generator, o->xdp, ends->skel->progs.answer_xdp, ends->skel->progs.answer_tc);
}

void ends_offer(struct ends *ends, unsigned rate, uint64_t many)
{
	struct traffic_offer *state = &ends->skel->bss->offer_state;

	ends_pause(ends);
	memset(state, 0, sizeof(*state));
	state->gap_ps = rate ? 1000000000000ull / rate : 0;
	state->limit = many;
	if (pthread_create(&ends->generator, NULL, generate, ends))
		die("pthread_create");
}

void ends_close(struct ends *ends)
{
	ends_pause(ends);
	detach(&ends->options->sink, ends->options->xdp);
	detach(&ends->options->generator, ends->options->xdp);
	traffic_bpf__destroy(ends->skel);
	if (ends->error) {
		errno = ends->error;
		die("offer packets");
	}
}
