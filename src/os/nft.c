/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/nft.h"

#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "os/netlink.h"

struct nft {
	struct nft_ctx *context;
};

int nft_open(struct nft **out)
{
	struct nft *nft = calloc(1, sizeof(*nft));

	if (!nft)
		return -ENOMEM;
	nft->context = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!nft->context || nft_ctx_buffer_output(nft->context) ||
	    nft_ctx_buffer_error(nft->context)) {
		nft_close(nft);
		return -ENOMEM;
	}
	/* Numbers, because names come from files of the host that may change. */
	nft_ctx_output_set_flags(nft->context,
				 NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_NUMERIC_ALL);
	*out = nft;
	return 0;
}

void nft_close(struct nft *nft)
{
	if (nft && nft->context)
		nft_ctx_free(nft->context);
	free(nft);
}

/* libnftables tells errors as text only; the kernel's are in it as strerror() has them. */
static int error_number(const char *text)
{
	static const int known[] = {ENOENT, EPERM,  EEXIST,	EBUSY,		 ENOMEM,
				    ENFILE, ENOSPC, EOPNOTSUPP, EPROTONOSUPPORT, EAFNOSUPPORT};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strstr(text, strerror(known[i])))
			return -known[i];
	return -EINVAL;
}

static int run(struct nft *nft, const char *text, char **error)
{
	const char *said;

	if (nft_run_cmd_from_buffer(nft->context, text) == 0)
		return 0;
	said = nft_ctx_get_error_buffer(nft->context);
	if (!said)
		said = "";
	if (error)
		*error = strndup(said, strcspn(said, "\n"));
	return error_number(said);
}

int nft_run(struct nft *nft, const char *text, char **error)
{
	int err = run(nft, text, error);

	/* Both buffers start anew when they are read. */
	(void)nft_ctx_get_output_buffer(nft->context);
	if (!err)
		(void)nft_ctx_get_error_buffer(nft->context);
	return err;
}

static int list(struct nft *nft, const char *command, char **out)
{
	int err = run(nft, command, NULL);
	const char *listing = nft_ctx_get_output_buffer(nft->context);

	if (err)
		return err;
	*out = strdup(listing ? listing : "");
	return *out ? 0 : -ENOMEM;
}

int nft_list_table(struct nft *nft, const char *table, char **out)
{
	char command[128];

	snprintf(command, sizeof(command), "list table %s", table);
	return list(nft, command, out);
}

int nft_list_ruleset(struct nft *nft, char **out)
{
	return list(nft, "list ruleset", out);
}

/* Lines of a listing with handles end with "# handle N". */
static int find_rule(const char *listing, uint64_t handle, char *buf, size_t size)
{
	char mark[48];
	const char *end, *line;

	snprintf(mark, sizeof(mark), " # handle %" PRIu64 "\n", handle);
	end = strstr(listing, mark);
	/* Tables and chains have handles, too, counted apart. */
	while (end && end > listing && end[-1] == '{')
		end = strstr(end + 1, mark);
	if (!end)
		return -ENOENT;
	for (line = end; line > listing && line[-1] != '\n'; line--)
		;
	line += strspn(line, "\t ");
	snprintf(buf, size, "%.*s", (int)(end - line), line);
	return 0;
}

int nft_print_rule(struct nft *nft, const char *chain, uint64_t handle, char *buf, size_t size)
{
	unsigned flags = nft_ctx_output_get_flags(nft->context);
	char command[192];
	const char *listing;
	int err;

	snprintf(command, sizeof(command), "list chain %s", chain);
	nft_ctx_output_set_flags(nft->context, flags | NFT_CTX_OUTPUT_HANDLE);
	err = run(nft, command, NULL);
	nft_ctx_output_set_flags(nft->context, flags);
	listing = nft_ctx_get_output_buffer(nft->context);
	return err ? err : find_rule(listing ? listing : "", handle, buf, size);
}

int nft_read_counter(struct nft *nft, const char *counter, uint64_t *packets)
{
	unsigned flags = nft_ctx_output_get_flags(nft->context);
	static const char mark[] = "packets ";
	char command[192];
	const char *listing;
	int err;

	snprintf(command, sizeof(command), "list counter %s", counter);
	nft_ctx_output_set_flags(nft->context, flags & ~(unsigned)NFT_CTX_OUTPUT_STATELESS);
	err = run(nft, command, NULL);
	nft_ctx_output_set_flags(nft->context, flags);
	listing = nft_ctx_get_output_buffer(nft->context);
	if (err)
		return err;
	listing = listing ? strstr(listing, mark) : NULL;
	if (!listing)
		return -ENOENT;
	*packets = strtoull(listing + strlen(mark), NULL, 10);
	return 0;
}

int nft_probe(void)
{
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request;
	struct nl nl;
	int err = nl_open(&nl, NETLINK_NETFILTER);

	if (err)
		return err;
	request = nl_begin(buffer, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, NLM_F_ACK,
			   sizeof(struct nfgenmsg), AF_UNSPEC);
	err = nl_ask(&nl, request, NULL, NULL);
	nl_close(&nl);
	/* No such subsystem in nfnetlink. */
	return err == -EINVAL ? -EPROTONOSUPPORT : err;
}
