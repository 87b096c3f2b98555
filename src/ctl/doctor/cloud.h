/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cloud.h: networks that are known to carry no GRE. */
#ifndef CTL_DOCTOR_CLOUD_H
#define CTL_DOCTOR_CLOUD_H

#define CLOUD_HINT_SIZE 160

/* " (...)" to append to advice, or "". By what the firmware says of the machine. Returns buf. */
const char *cloud_hint(char buf[CLOUD_HINT_SIZE]);

#endif
