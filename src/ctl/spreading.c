/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/spreading.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ctl/conf_parse.h"

/* Says so when it changes; a failure once. */
static void set(struct spreading *s, struct fast *fast, bool on)
{
	struct fast_spread before, now;
	int err;

	fast_spread_tell(fast, &before);
	if (on == (before.cpus > 0))
		return;
	err = fast_spread(fast, on);
	fast_spread_tell(fast, &now);
	if (err && err != s->error)
		log_warn("XDP cannot spread packets over CPUs: %s", strerror(-err));
	s->error = err;
	if (now.cpus)
		log_info("XDP spreads what comes out of tunnels over %u CPUs", now.cpus);
	else if (before.cpus)
		log_info("XDP does not spread packets over CPUs any more");
}

bool spreading_settle(struct spreading *s, struct fast *fast, enum conf_spread setting)
{
	bool looked = s->looks;
	struct fast_spread now;

	fast_spread_tell(fast, &now);
	s->setting = setting;
	s->looks = setting == SPREAD_AUTO && !now.why_not[0];
	if (s->looks && looked)
		return true;
	s->seen_count = 0;
	s->judge = (struct spread_judge){.on = false};
	set(s, fast, setting == SPREAD_YES && !now.why_not[0]);
	return s->looks;
}

void spreading_look(struct spreading *s, struct fast *fast)
{
	static struct proc_cpu now[SPREADING_CPUS_MAX];
	int count = proc_cpus_read(now, SPREADING_CPUS_MAX);

	if (!s->looks)
		return;
	if (count > 0 && (unsigned)count == s->seen_count)
		set(s, fast, spread_judge(&s->judge, s->seen, now, s->seen_count));
	s->seen_count = count > 0 ? (unsigned)count : 0;
	memcpy(s->seen, now, s->seen_count * sizeof *now);
}

static const char *why_not(const struct spreading *s, const struct fast_spread *now)
{
	if (now->cpus)
		return "";
	if (s->setting == SPREAD_NO)
		return "the file says spread = no";
	if (now->why_not[0])
		return now->why_not;
	return s->error ? strerror(-s->error) : "no CPU is full";
}

void spreading_tell(const struct spreading *s, const struct fast *fast, struct spreading_told *out)
{
	struct fast_spread now = {.lost = -1, .why_not = "there are no kernel lanes"};

	if (fast)
		fast_spread_tell(fast, &now);
	*out = (struct spreading_told){
		.setting = conf_spreads[s->setting], .cpus = now.cpus, .lost = now.lost};
	snprintf(out->reason, sizeof out->reason, "%s", why_not(s, &now));
}
