/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify.h: tells the service manager how we are (sd_notify(3)). Without one all do nothing. */
#ifndef CTL_NOTIFY_H
#define CTL_NOTIFY_H

#include <uv.h>

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
/* Sends a sign of life from the loop twice in each WatchdogSec. */
void notify_watchdog_start(uv_loop_t *loop);
void notify_watchdog_stop(void);

#endif
