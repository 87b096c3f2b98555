// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * traffic: offers packets in one network namespace, counts what arrives in another, prints one line
 * of JSON. Both ends are the programs of traffic.bpf.c, so no socket is in the way and all clocks
 * are CLOCK_MONOTONIC.
 *
 *   traffic -g NETNS,DEVICE -s NETNS,DEVICE -m ROUTER-MAC -a SOURCE -b DESTINATION
 *           [-l LENGTH[,LENGTH]...] [-f FLOWS] [-r PACKETS/S] [-w WARM-MS] [-t MS] [-c CPU]
 *           [-e NETNS,DEVICE -- COMMAND...]
 *
 * LENGTH counts a frame without its check sequence; several make a mix. With COMMAND the program
 * measures starting instead: COMMAND is executed in the namespace of -e while packets are offered,
 * the time from the execve() to the first packet that arrives is printed, and COMMAND is ended.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "traffic.h"
#include "traffic.skel.h"

enum { START_DEADLINE_MS = 10000, BATCH = 64 };

struct end {
	char device[IF_NAMESIZE];
	int netns; /* descriptor */
	unsigned ifindex;
};

struct options {
	struct end generator, sink, execution;
	struct ether_addr router;
	struct in_addr source, destination;
	unsigned lengths[TRAFFIC_MIX_MAX], mix;
	unsigned flows, rate, warm_ms, time_ms;
	int cpu;
	char **command;
};

struct sample {
	uint64_t at_ns, offered, counted, octets;
};

static void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void sleep_ms(unsigned ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&time, &time) && errno == EINTR)
		;
}

static void enter(const struct end *end)
{
	if (setns(end->netns, CLONE_NEWNET))
		die("setns");
}

/* "NETNS,DEVICE" */
static void parse_end(const char *text, struct end *end)
{
	char path[256];
	const char *comma = strchr(text, ',');

	if (!comma || strlen(comma + 1) >= sizeof(end->device)) {
		fprintf(stderr, "traffic: %s is not NETNS,DEVICE\n", text);
		exit(2);
	}
	snprintf(end->device, sizeof(end->device), "%s", comma + 1);
	snprintf(path, sizeof(path), "/run/netns/%.*s", (int)(comma - text), text);
	end->netns = open(path, O_RDONLY | O_CLOEXEC);
	if (end->netns < 0)
		die(path);
	enter(end);
	end->ifindex = if_nametoindex(end->device);
	if (end->ifindex == 0)
		die(end->device);
}

static void parse_lengths(char *text, struct options *o)
{
	char *rest = NULL;

	o->mix = 0;
	for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		unsigned long length = strtoul(word, NULL, 10);

		if (o->mix == TRAFFIC_MIX_MAX || length < 60 || length > 1514) {
			fprintf(stderr, "traffic: at most %d lengths of 60 to 1514 octets\n",
				TRAFFIC_MIX_MAX);
			exit(2);
		}
		o->lengths[o->mix++] = (unsigned)length;
	}
}

static unsigned number(const char *text)
{
	return (unsigned)strtoul(text, NULL, 10);
}

static void parse(int argc, char **argv, struct options *o)
{
	int option;

	while ((option = getopt(argc, argv, "+g:s:e:m:a:b:l:f:r:w:t:c:")) != -1) {
		switch (option) {
		case 'g':
			parse_end(optarg, &o->generator);
			break;
		case 's':
			parse_end(optarg, &o->sink);
			break;
		case 'e':
			parse_end(optarg, &o->execution);
			break;
		case 'm':
			if (!ether_aton_r(optarg, &o->router))
				exit(2);
			break;
		case 'a':
			if (inet_pton(AF_INET, optarg, &o->source) != 1)
				exit(2);
			break;
		case 'b':
			if (inet_pton(AF_INET, optarg, &o->destination) != 1)
				exit(2);
			break;
		case 'l':
			parse_lengths(optarg, o);
			break;
		case 'f':
			o->flows = number(optarg);
			break;
		case 'r':
			o->rate = number(optarg);
			break;
		case 'w':
			o->warm_ms = number(optarg);
			break;
		case 't':
			o->time_ms = number(optarg);
			break;
		case 'c':
			o->cpu = (int)number(optarg);
			break;
		default:
			exit(2);
		}
	}
	if (o->generator.ifindex == 0 || o->sink.ifindex == 0 || o->mix == 0 || o->flows == 0)
		exit(2);
	if (optind < argc)
		o->command = argv + optind;
	if (o->command && o->execution.ifindex == 0)
		exit(2);
}

/* RFC 1071 over one IPv4 header without options. */
static uint16_t header_sum(const struct iphdr *ip)
{
	const uint8_t *octets = (const uint8_t *)ip;
	uint32_t sum = 0;

	for (unsigned i = 0; i < sizeof(*ip); i += 2)
		sum += (uint32_t)octets[i] << 8 | octets[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* What the UDP checksum is made of (RFC 768), but for the source port: pseudo header, destination
 * port, length; the payload is zero. Not folded. */
static uint32_t sum_without_port(const struct options *o, unsigned length)
{
	uint32_t source = ntohl(o->source.s_addr), destination = ntohl(o->destination.s_addr);
	uint32_t udp_length = length - ETH_HLEN - (uint32_t)sizeof(struct iphdr);

	return (source >> 16) + (source & 0xffff) + (destination >> 16) + (destination & 0xffff) +
	       IPPROTO_UDP + 2 * udp_length + TRAFFIC_PORT;
}

/* One frame's header but for what each flow has of its own; `source_mac` is any. */
static void make_header(const struct options *o, const struct ether_addr *source_mac,
			unsigned length, uint8_t out[TRAFFIC_HEADER])
{
	unsigned ip_length = length - ETH_HLEN;
	struct ethhdr ethernet = {.h_proto = htons(ETH_P_IP)};
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons((uint16_t)ip_length),
		.ttl = 64,
		.frag_off = htons(0x4000),
		.protocol = IPPROTO_UDP,
		.saddr = o->source.s_addr,
		.daddr = o->destination.s_addr,
	};
	struct udphdr udp = {
		.uh_sport = htons(TRAFFIC_FIRST_SOURCE_PORT),
		.uh_dport = htons(TRAFFIC_PORT),
		.uh_ulen = htons((uint16_t)(ip_length - sizeof(ip))),
	};

	memcpy(ethernet.h_dest, &o->router, ETH_ALEN);
	memcpy(ethernet.h_source, source_mac, ETH_ALEN);
	ip.check = header_sum(&ip);
	memcpy(out, &ethernet, sizeof(ethernet));
	memcpy(out + sizeof(ethernet), &ip, sizeof(ip));
	memcpy(out + sizeof(ethernet) + sizeof(ip), &udp, sizeof(udp));
}

static struct traffic_bpf *load(const struct options *o)
{
	struct traffic_bpf *skel = traffic_bpf__open();
	struct ether_addr mac = {.ether_addr_octet = {2, 0, 0, 0, 0, 1}};

	if (!skel)
		die("open the programs");
	for (unsigned i = 0; i < o->mix; i++) {
		uint8_t header[TRAFFIC_HEADER];

		make_header(o, &mac, o->lengths[i], header);
		memcpy((void *)(uintptr_t)skel->rodata->header[i], header, sizeof(header));
		skel->rodata->udp_sum[i] = sum_without_port(o, o->lengths[i]);
		skel->rodata->length[i] = (uint16_t)o->lengths[i];
	}
	skel->rodata->mix = o->mix;
	skel->rodata->flows = o->flows;
	skel->rodata->gap_ps = o->rate ? 1000000000000ull / o->rate : 0;
	skel->rodata->destination = o->destination.s_addr;
	if (traffic_bpf__load(skel))
		die("load the programs");
	return skel;
}

static void attach_counter(struct traffic_bpf *skel, struct bpf_tc_hook *hook)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, filter, .handle = 1, .priority = 1,
			    .flags = BPF_TC_F_REPLACE,
			    .prog_fd = bpf_program__fd(skel->progs.count));
	int err = bpf_tc_hook_create(hook);

	/* A run that was killed may have left it. */
	if (!err || err == -EEXIST)
		err = bpf_tc_attach(hook, &filter);
	if (err) {
		errno = -err;
		die("attach the counter");
	}
}

struct generator {
	const struct options *options;
	int program;
	int error;
	bool done;
};

static void nothing(int signal)
{
	(void)signal;
}

/* Runs until a signal interrupts it. */
static void *generate(void *arg)
{
	struct generator *g = arg;
	const struct options *o = g->options;
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
	if (bpf_prog_test_run_opts(g->program, &run) && errno != EINTR)
		g->error = errno;
	__atomic_store_n(&g->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static struct sample sample(const struct traffic_bpf *skel)
{
	volatile const struct traffic_bpf__bss *seen = skel->bss;

	return (struct sample){
		.at_ns = clock_ns(),
		.offered = seen->offered,
		.counted = seen->counted,
		.octets = seen->counted_octets,
	};
}

static void print_rates(const struct options *o, const struct traffic_bpf *skel,
			const struct sample *begin, const struct sample *end)
{
	double seconds = (double)(end->at_ns - begin->at_ns) / 1e9;

	printf("{\"wanted\": %u, \"offered\": %.0f, \"received\": %.0f, \"octets\": %.0f, "
	       "\"seconds\": %.4f, \"behind_ms\": %.3f}\n",
	       o->rate, (double)(end->offered - begin->offered) / seconds,
	       (double)(end->counted - begin->counted) / seconds,
	       (double)(end->octets - begin->octets) / seconds, seconds,
	       (double)skel->bss->fallen_behind_ns / 1e6);
}

static void measure_rate(const struct options *o, const struct traffic_bpf *skel)
{
	struct sample begin, end;

	sleep_ms(o->warm_ms);
	begin = sample(skel);
	sleep_ms(o->time_ms);
	end = sample(skel);
	print_rates(o, skel, &begin, &end);
}

/* The child's last act before execve() is to look at the clock; `shared` is read by the parent. */
static pid_t execute(const struct options *o, uint64_t *shared)
{
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		enter(&o->execution);
		dup2(STDERR_FILENO, STDOUT_FILENO); /* standard output is for the figures */
		*shared = clock_ns();
		execv(o->command[0], o->command);
		_exit(127);
	}
	return child;
}

static int measure_start(const struct options *o, struct traffic_bpf *skel)
{
	volatile const __u64 *first = &skel->bss->first_ns;
	uint64_t *executed = mmap(NULL, sizeof(*executed), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t deadline;
	pid_t child;

	if (executed == MAP_FAILED)
		die("mmap");
	sleep_ms(o->warm_ms);
	if (*first) {
		fprintf(stderr, "traffic: packets arrive before the command is executed\n");
		return 1;
	}
	child = execute(o, executed);
	deadline = clock_ns() + START_DEADLINE_MS * 1000000ull;
	while (*first == 0 && clock_ns() < deadline)
		sleep_ms(1);
	kill(child, SIGTERM);
	waitpid(child, NULL, 0);
	if (*first == 0) {
		fprintf(stderr, "traffic: no packet arrived within %d ms\n", START_DEADLINE_MS);
		return 1;
	}
	printf("{\"first_ms\": %.3f}\n", (double)(*first - *executed) / 1e6);
	return 0;
}

static void pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

int main(int argc, char **argv)
{
	struct options o = {.flows = 1, .warm_ms = 200, .time_ms = 1000, .cpu = -1};
	struct sigaction wake = {.sa_handler = nothing};
	struct generator g = {.options = &o};
	struct traffic_bpf *skel;
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_INGRESS);
	pthread_t thread;
	int status = 0;

	parse(argc, argv, &o);
	skel = load(&o);
	enter(&o.sink);
	hook.ifindex = (int)o.sink.ifindex;
	attach_counter(skel, &hook);
	if (!o.command)
		pin(o.cpu);
	sigaction(SIGUSR1, &wake, NULL);
	g.program = bpf_program__fd(skel->progs.offer);
	if (pthread_create(&thread, NULL, generate, &g))
		die("pthread_create");
	if (o.command)
		status = measure_start(&o, skel);
	else
		measure_rate(&o, skel);
	while (!__atomic_load_n(&g.done, __ATOMIC_ACQUIRE)) {
		pthread_kill(thread, SIGUSR1);
		sleep_ms(1);
	}
	pthread_join(thread, NULL);
	enter(&o.sink);
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS; /* all of the queueing discipline */
	bpf_tc_hook_destroy(&hook);
	traffic_bpf__destroy(skel);
	if (g.error) {
		errno = g.error;
		die("offer packets");
	}
	return status;
}
