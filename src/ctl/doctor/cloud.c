/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/doctor/cloud.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* Every virtual machine of Azure has this chassis asset tag. */
#define AZURE_TAG  "7783-7084-3265-9085-8269-3286-77"
#define GOOGLE_TAG "Google"

static int says(const char *path, const char *word)
{
	char *text;
	int found;

	if (file_read(path, 256, &text) != 0)
		return 0;
	found = strstr(text, word) != NULL;
	free(text);
	return found;
}

const char *cloud_hint(char buf[CLOUD_HINT_SIZE])
{
	const char *hint = "";

	if (says("/sys/class/dmi/id/chassis_asset_tag", AZURE_TAG))
		hint = " (this is an Azure machine: its networks drop GRE, whatever the rules say)";
	else if (says("/sys/class/dmi/id/sys_vendor", GOOGLE_TAG))
		hint = " (this is a Google machine: its firewall needs a rule for protocol 47)";
	snprintf(buf, CLOUD_HINT_SIZE, "%s", hint);
	return buf;
}
