/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft.h: nftables, by libnftables. */
#ifndef OS_NFT_H
#define OS_NFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nft;

int nft_open(struct nft **out);
void nft_close(struct nft *nft);

/* Runs a text of nft commands as one transaction: all of it or nothing. Returns 0, or -errno
 * (-EINVAL where libnftables does not say), and *error, if not NULL, is the first line of what was
 * said, the caller's to free. */
int nft_run(struct nft *nft, const char *text, char **error);

/* The rules of `table` ("inet gretel") without counters' values, as nft prints them: the same
 * rules give the same text. -ENOENT when there is no such table. *out is the caller's to free. */
int nft_list_table(struct nft *nft, const char *table, char **out);

/* One rule of a chain ("inet filter forward") as nft prints it. -ENOENT when there is none. */
int nft_print_rule(struct nft *nft, const char *chain, uint64_t handle, char *buf, size_t size);

/* The same for everything that nftables has, of whomever. */
int nft_list_ruleset(struct nft *nft, char **out);

/* The packets that a named counter ("inet gretel forward-refused") has counted. -ENOENT when there
 * is none. */
int nft_read_counter(struct nft *nft, const char *counter, uint64_t *packets);

/* Whether this kernel has nftables for us: 0, or -EPERM, -EPROTONOSUPPORT, ... */
int nft_probe(void);

#endif
