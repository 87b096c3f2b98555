/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/notify.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"

static uv_timer_t watchdog;

void notify_ready(void)
{
	sd_notify(0, "READY=1");
}

void notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_now_ns() / 1000u);
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	sd_notify(0, "WATCHDOG=1");
}

void notify_watchdog_start(uv_loop_t *loop)
{
	uint64_t usec = 0;
	if (sd_watchdog_enabled(0, &usec) <= 0)
		return;
	uv_timer_init(loop, &watchdog);
	watchdog.data = &watchdog;
	uv_timer_start(&watchdog, on_watchdog, 0, usec / 2000);
}

void notify_watchdog_stop(void)
{
	if (watchdog.data && !uv_is_closing((uv_handle_t *)&watchdog))
		uv_close((uv_handle_t *)&watchdog, NULL);
}
