// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * traffic: offers packets in one network namespace, counts what arrives in another, prints one line
 * of JSON. Both ends are the programs of traffic.bpf.c, so no socket is in the way and all clocks
 * are CLOCK_MONOTONIC.
 *
 *   traffic -g NETNS,DEVICE -s NETNS,DEVICE -m ROUTER-MAC -a SOURCE -b DESTINATION
 *           -l LENGTH[,LENGTH]... [-f FLOWS] [-n TUNNELS] [-r PACKETS/S] [-o PACKETS/S] [-x]
 *           [-w WARM-MS] [-t MS] [-c CPU] [-e NETNS,DEVICE -- COMMAND...]
 *
 * LENGTH counts a frame without its check sequence; several make a mix. -n: the flows go to so many
 * subnets in turn (traffic.h). Without -r packets are offered as fast as it goes. -x: both ends
 * count in XDP.
 *
 * -o opens the flows first, at that rate or slower: each has a packet out, one back and one out
 * again, which is what connection tracking calls established.
 *
 * With COMMAND the program measures starting instead: COMMAND is executed in the namespace of -e
 * while packets are offered, the time from the execve() to the first packet that arrives is
 * printed, and COMMAND is ended.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traffic_ends.h"

enum { START_DEADLINE_MS = 10000, OPEN_PASSES = 8, OPEN_IDLE_MS = 100 };

struct sample {
	uint64_t at_ns, cpu_ns, offered, counted, octets;
};

static volatile const struct traffic_offer *offered(const struct ends *ends)
{
	return &ends->skel->bss->offer_state;
}

static volatile const struct traffic_arrival *arrived(const struct ends *ends)
{
	return &ends->skel->bss->arrival;
}

static struct sample sample(const struct ends *ends)
{
	return (struct sample){
		.at_ns = clock_ns(),
		.cpu_ns = ends_cpu_ns(ends),
		.offered = offered(ends)->offered,
		.counted = arrived(ends)->counted,
		.octets = arrived(ends)->octets,
	};
}

/* Offers one packet of each flow; waits until `*seen` has counted all, or counts no more. */
static uint64_t one_of_each(struct ends *ends, unsigned rate,
			    volatile const unsigned long long *seen)
{
	uint64_t before = *seen, last = before, flows = ends->options->flows;
	unsigned idle = 0;

	ends_offer(ends, rate, flows);
	while (offered(ends)->offered < flows)
		sleep_ms(1);
	ends_pause(ends); /* whoever has its core may need it */
	while (*seen - before < flows && idle < OPEN_IDLE_MS) {
		sleep_ms(1);
		idle = *seen == last ? idle + 1 : 0;
		last = *seen;
	}
	return *seen - before;
}

/* Returns how many flows have had an answer. */
static uint64_t open_flows(struct ends *ends)
{
	unsigned rate = ends->options->open_rate;
	uint64_t answered = 0;

	ends->skel->bss->far_end = TRAFFIC_TURN_ROUND;
	for (unsigned i = 0; i < OPEN_PASSES && answered < ends->options->flows; i++) {
		answered = one_of_each(ends, rate, &arrived(ends)->answered);
		rate = rate / 2 + 1;
	}
	ends->skel->bss->far_end = TRAFFIC_COUNT;
	one_of_each(ends, ends->options->open_rate, &arrived(ends)->counted);
	return answered;
}

static void measure_rate(struct ends *ends)
{
	const struct options *o = ends->options;
	uint64_t opened = o->open_rate ? open_flows(ends) : 0;
	struct sample begin, end;
	double seconds;

	ends_offer(ends, o->rate, UINT64_MAX);
	sleep_ms(o->warm_ms);
	begin = sample(ends);
	sleep_ms(o->time_ms);
	end = sample(ends);
	seconds = (double)(end.at_ns - begin.at_ns) / 1e9;
	printf("{\"wanted\": %u, \"offered\": %.0f, \"received\": %.0f, \"octets\": %.0f, "
	       "\"seconds\": %.4f, \"cpu\": %.4f, \"behind_ms\": %.3f, \"opened\": %llu}\n",
	       o->rate, (double)(end.offered - begin.offered) / seconds,
	       (double)(end.counted - begin.counted) / seconds,
	       (double)(end.octets - begin.octets) / seconds, seconds,
	       (double)(end.cpu_ns - begin.cpu_ns) / 1e9,
	       (double)offered(ends)->fallen_behind_ns / 1e6, (unsigned long long)opened);
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

static int measure_start(struct ends *ends)
{
	volatile const unsigned long long *first = &arrived(ends)->first_ns;
	uint64_t *executed = mmap(NULL, sizeof(*executed), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t deadline;
	pid_t child;

	if (executed == MAP_FAILED)
		die("mmap");
	ends_offer(ends, ends->options->rate, UINT64_MAX);
	sleep_ms(ends->options->warm_ms);
	if (*first) {
		fprintf(stderr, "traffic: packets arrive before the command is executed\n");
		return 1;
	}
	child = execute(ends->options, executed);
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
	struct options o = {.flows = 1, .tunnels = 1, .warm_ms = 200, .time_ms = 1000, .cpu = -1};
	struct ends ends = {0};
	int status = 0;

	parse_options(argc, argv, &o);
	ends_open(&ends, &o);
	if (o.command) {
		status = measure_start(&ends);
	} else {
		pin(o.cpu);
		measure_rate(&ends);
	}
	ends_close(&ends);
	return status;
}
