/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bpfsaid.h: libbpf's words for a failure. One thread at a time loads programs. */
#ifndef OS_BPFSAID_H
#define OS_BPFSAID_H

/* From now on for what comes next. */
void bpf_listen(void);
/* The first words since then, which say most; without any those for -errno. */
const char *bpf_said(int err);

#endif
