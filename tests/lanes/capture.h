/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture.h: a frame as the far end's device got it. */
#ifndef LANES_CAPTURE_H
#define LANES_CAPTURE_H

#define CAPTURE_MAX 2032

struct capture {
	__u32 ifindex, len;
	__u8 data[CAPTURE_MAX];
};

#endif
