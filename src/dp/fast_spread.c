/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fast_spread.c: over which CPUs XDP spreads what comes out of tunnels (src/bpf/spread.h). */
#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include "dp/fast_state.h"
#include "os/bpfattach.h"

/* Those that this process may use, as for its threads: whoever keeps it off some keeps its packets
 * off them, too. */
static uint32_t usable_cpus(uint32_t cpus[FAST_SPREAD_MAX])
{
	uint32_t count = 0;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) != 0)
		return 0;
	for (uint32_t i = 0; i < CPU_SETSIZE && count < FAST_SPREAD_MAX; i++)
		if (CPU_ISSET(i, &set))
			cpus[count++] = i;
	return count;
}

static bool has_xdp(const struct fast *fast)
{
	for (unsigned i = 0; i < FAST_DEVICES_MAX; i++)
		if (fast->places[i].ifindex && fast->places[i].held[BPF_PLACE_XDP] >= 0)
			return true;
	return false;
}

int fast_spread(struct fast *fast, bool on)
{
	uint32_t cpus[FAST_SPREAD_MAX], count = on ? usable_cpus(cpus) : 0;
	int err = bpf_spread(fast->bpf, cpus, count);

	fast->spread = err ? 0 : count;
	return err;
}

void fast_spread_tell(const struct fast *fast, struct fast_spread *out)
{
	uint32_t cpus[FAST_SPREAD_MAX];
	const char *why = bpf_why_no_spread(fast->bpf);

	if (!has_xdp(fast))
		why = "XDP is on no device";
	else if (!why[0] && usable_cpus(cpus) < 2)
		why = "greteld may use one CPU";
	*out = (struct fast_spread){.cpus = fast->spread, .lost = bpf_spread_lost(fast->bpf)};
	snprintf(out->why_not, sizeof out->why_not, "%s", why);
}
