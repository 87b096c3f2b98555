/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/bpfsaid.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include "os/bpfload.h"

static char said[BPF_WHY_SIZE];

static int on_print(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN && !said[0]) {
		vsnprintf(said, sizeof said, format, args);
		said[strcspn(said, "\n")] = '\0';
	}
	return 0;
}

void bpf_listen(void)
{
	said[0] = '\0';
	libbpf_set_print(on_print);
}

const char *bpf_said(int err)
{
	return said[0] ? said : strerror(-err);
}
