/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What will be of it later: after networkd's next start, after the host's. Notes, no findings. */
#include <string.h>

#include "ctl/doctor/doctor.h"
#include "ctl/doctor/managers.h"
#include "ctl/msg.h"

/* Greteld puts back what is taken; what is sent in between goes elsewhere. */
void check_networkd(struct doctor *d)
{
	bool routes = networkd_takes_routes(""), rules = networkd_takes_rules("");

	if (!routes && !rules)
		return;
	doctor_found(d, DOCTOR_HEALTHY,
		     "systemd-networkd runs here, and when it starts anew it takes away %s that "
		     "others have made",
		     routes && rules ? "routes and rules"
		     : routes	     ? "routes"
				     : "rules");
	doctor_mend(d, "in /etc/systemd/networkd.conf.d/gretel.conf: [Network] "
		       "ManageForeignRoutes=no, ManageForeignRoutingPolicyRules=no");
}

/* Who has another file, or other means to start it, knows what he does. */
void check_boot(struct doctor *d)
{
	if (!d->host->config || strcmp(d->host->config, MSG_CONFIG_FILE) != 0 ||
	    !systemd_runs("") || systemd_starts_us(""))
		return;
	doctor_found(d, DOCTOR_HEALTHY, "greteld is not started with this host");
	doctor_mend(d, "systemctl enable gretel");
}
