/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bpfpins.h: the directory of a BPF file system where maps and links are kept for the next process.
 */
#ifndef OS_BPFPINS_H
#define OS_BPFPINS_H

#include <stddef.h>
#include <stdint.h>

/* A directory for pins: `wanted` if a BPF file system is mounted there, or else one below
 * /sys/fs/bpf for this network namespace, made where it is missing. "" when there is no BPF file
 * system. */
void bpf_pin_directory(const char *wanted, uint64_t netns, char *out, size_t size);

/* Takes everything away that a process has left there, and the directory, if it is one of ours:
 * links end, and with them the programs that they held. */
void bpf_pins_clear(const char *pins);

#endif
