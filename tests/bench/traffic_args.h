/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of traffic's command line, and the few calls that all its files use. */
#ifndef BENCH_TRAFFIC_ARGS_H
#define BENCH_TRAFFIC_ARGS_H

#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "traffic.h"

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
	unsigned flows, tunnels, rate, warm_ms, time_ms;
	unsigned open_rate; /* 0: flows are not opened */
	bool xdp;	    /* both ends count in XDP */
	int cpu;
	char **command;
};

void parse_options(int argc, char **argv, struct options *o);
void enter(const struct end *end);
/* Prints `what` and errno and ends the program. */
_Noreturn void die(const char *what);

#endif
