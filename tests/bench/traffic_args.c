/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "traffic_args.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static _Noreturn void refuse(const char *text, const char *wanted)
{
	fprintf(stderr, "traffic: %s: %s is wanted\n", text, wanted);
	exit(2);
}

void enter(const struct end *end)
{
	if (setns(end->netns, CLONE_NEWNET))
		die("setns");
}

static void parse_end(const char *text, struct end *end)
{
	char path[256];
	const char *comma = strchr(text, ',');

	if (!comma || strlen(comma + 1) >= sizeof(end->device))
		refuse(text, "NETNS,DEVICE");
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

static unsigned number(const char *text, unsigned least, unsigned most)
{
	char *end, wanted[64];
	unsigned long value = strtoul(text, &end, 10);

	snprintf(wanted, sizeof(wanted), "a number from %u to %u", least, most);
	if (end == text || *end || value < least || value > most)
		refuse(text, wanted);
	return (unsigned)value;
}

static void parse_lengths(char *text, struct options *o)
{
	char *rest = NULL;

	o->mix = 0;
	for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (o->mix == TRAFFIC_MIX_MAX)
			refuse(word, "no more lengths");
		o->lengths[o->mix++] = number(word, 60, 1514);
	}
}

static void parse_address(const char *text, struct in_addr *address)
{
	if (inet_pton(AF_INET, text, address) != 1)
		refuse(text, "an IPv4 address");
}

/* Where the road is and what goes over it. */
static bool parse_road(int option, struct options *o)
{
	switch (option) {
	case 'g':
		parse_end(optarg, &o->generator);
		return true;
	case 's':
		parse_end(optarg, &o->sink);
		return true;
	case 'e':
		parse_end(optarg, &o->execution);
		return true;
	case 'm':
		if (!ether_aton_r(optarg, &o->router))
			refuse(optarg, "a MAC address");
		return true;
	case 'a':
		parse_address(optarg, &o->source);
		return true;
	case 'b':
		parse_address(optarg, &o->destination);
		return true;
	case 'l':
		parse_lengths(optarg, o);
		return true;
	case 'f':
		o->flows = number(optarg, 1, TRAFFIC_FLOWS_MAX);
		return true;
	case 'n':
		o->tunnels = number(optarg, 1, TRAFFIC_TUNNELS_MAX);
		return true;
	default:
		return false;
	}
}

static bool parse_trial(int option, struct options *o)
{
	switch (option) {
	case 'r':
		o->rate = number(optarg, 0, 100000000);
		return true;
	case 'o':
		o->open_rate = number(optarg, 1, 100000000);
		return true;
	case 'x':
		o->xdp = true;
		return true;
	case 'w':
		o->warm_ms = number(optarg, 0, 100000);
		return true;
	case 't':
		o->time_ms = number(optarg, 1, 10000000);
		return true;
	case 'c':
		o->cpu = (int)number(optarg, 0, CPU_SETSIZE - 1);
		return true;
	default:
		return false;
	}
}

void parse_options(int argc, char **argv, struct options *o)
{
	int option;

	while ((option = getopt(argc, argv, "+g:s:e:m:a:b:l:f:n:r:o:xw:t:c:")) != -1)
		if (!parse_road(option, o) && !parse_trial(option, o))
			exit(2);
	if (o->generator.ifindex == 0 || o->sink.ifindex == 0 || o->mix == 0)
		refuse("command line", "-g, -s and -l");
	if (o->flows % o->tunnels)
		refuse("-f", "a multiple of the tunnels");
	if (optind < argc)
		o->command = argv + optind;
	if (o->command && o->execution.ifindex == 0)
		refuse("COMMAND", "-e");
}
