/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * roam.h: how a peer whose address is learned proves that it is the peer, in GRE in UDP.
 *
 * Behind a NAT a peer has an address and a port that the NAT gave it, and may give it others at any
 * time. Nobody is believed for sending from there, not even with the tunnel's key, which whoever
 * sees a packet can read: he is asked, and has to answer with what only the two ends can write.
 *
 *   GRE, the tunnel's key, protocol type 0 | body
 *
 *    0         4         8        12                  20                  28
 *   |  kind   |  time   | number  |  asker's mark     |  signature        |
 *
 * The time is the asker's, in milliseconds from anywhere; the number counts its questions. The mark
 * is a hash of both, of the address and port that were asked, and of the key, by a number that
 * nobody but the asker knows, so that it keeps no list of its questions: a proof has to hold
 * exactly what was sent to that place, ROAM_AGE_MS ago at most. A proof is the question with
 * another kind and so another signature: SipHash-2-4, by the secret of the tunnel, of all octets
 * before it and of the key. Each question is newer than the last that was proved, or its proof is
 * an old one: so none counts twice. Numbers are big-endian, hashes as SipHash puts them out.
 *
 * Who reads the peer's packets on the way and writes the asker's address can have the peer answer a
 * question that was sent to himself, and pass that on in time: as a NAT does. What the tunnel
 * carries is not protected by any of this; for that there is IPsec.
 */
#ifndef PROTO_ROAM_H
#define PROTO_ROAM_H

#include "proto/addr.h"
#include "proto/siphash.h"

enum {
	ROAM_LENGTH = 28,
	ROAM_MARK_AT = 12,
	ROAM_SIGNATURE_AT = 20,
	ROAM_AGE_MS = 10000,
	ROAM_SECRET_LENGTH = 16,
};

/* Far from what others put there: what kabody.h writes begins with a time, and has 16 octets. */
enum roam_kind { ROAM_NONE = 0, ROAM_QUESTION = 0x726f3f01, ROAM_PROOF = 0x726f2101 };

/* What an asker signs its questions with: random, and the same for all tunnels. */
struct roam_asker {
	struct siphash_key key;
	uint32_t bias_ms; /* of the time that is written */
};

/* Where somebody sent from; the port in host order. */
struct roam_place {
	struct ip_addr addr;
	uint16_t port;
};

/* The last question of a tunnel that was proved; ns 0: none was. */
struct roam_seen {
	uint32_t number;
	uint64_t ns; /* when it was proved */
};

enum roam_verdict { ROAM_GOOD, ROAM_FORGED, ROAM_STALE };

/* The kind of a packet's `len` octets behind its GRE header. */
PROTO_INLINE enum roam_kind roam_kind(const uint8_t *body, uint32_t len)
{
	uint32_t word = len == ROAM_LENGTH ? get_be32(body) : 0;

	return word == ROAM_QUESTION || word == ROAM_PROOF ? (enum roam_kind)word : ROAM_NONE;
}

/* `key` is that of the packet's GRE header, host order. */
PROTO_INLINE uint64_t roam_signature(const struct siphash_key *secret, const uint8_t *body,
				     uint32_t key)
{
	uint8_t text[ROAM_SIGNATURE_AT + 4];

	__builtin_memcpy(text, body, ROAM_SIGNATURE_AT);
	put_be32(text + ROAM_SIGNATURE_AT, key);
	return siphash24(secret, text, sizeof text);
}

PROTO_INLINE bool roam_is_signed(const struct siphash_key *secret, const uint8_t *body,
				 uint32_t key)
{
	return roam_signature(secret, body, key) == siphash_load(body + ROAM_SIGNATURE_AT, 8);
}

/* The key here is that of the proof, which may be another than the question's. */
PROTO_INLINE uint64_t roam_mark(const struct roam_asker *asker, const uint8_t *body,
				const struct roam_place *place, uint32_t key)
{
	uint8_t text[8 + 1 + 16 + 2 + 4] = {0};

	__builtin_memcpy(text, body + 4, 8);
	text[8] = place->addr.family;
	__builtin_memcpy(text + 9, place->addr.bytes, place->addr.family == IP_V4 ? 4 : 16);
	put_be16(text + 25, place->port);
	put_be32(text + 27, key);
	return siphash24(&asker->key, text, sizeof text);
}

PROTO_INLINE uint32_t roam_time(const struct roam_asker *asker, uint64_t now_ns)
{
	return asker->bias_ms + (uint32_t)(now_ns / 1000000);
}

/* Writes question `number`, for whoever sent from `place`, to `body`, ROAM_LENGTH octets. The keys
 * are those of the packet that it goes in, and of the one that the proof comes in. */
PROTO_INLINE void roam_ask(const struct roam_asker *asker, const struct siphash_key *secret,
			   const struct roam_place *place, uint32_t okey, uint32_t ikey,
			   uint32_t number, uint64_t now_ns, uint8_t *body)
{
	put_be32(body, ROAM_QUESTION);
	put_be32(body + 4, roam_time(asker, now_ns));
	put_be32(body + 8, number);
	siphash_store(body + ROAM_MARK_AT, roam_mark(asker, body, place, ikey));
	siphash_store(body + ROAM_SIGNATURE_AT, roam_signature(secret, body, okey));
}

/* Makes the question at `body`, which has been found to be signed, the proof; `okey` is the key of
 * the packet that it goes in. */
PROTO_INLINE void roam_prove(const struct siphash_key *secret, uint32_t okey, uint8_t *body)
{
	put_be32(body, ROAM_PROOF);
	siphash_store(body + ROAM_SIGNATURE_AT, roam_signature(secret, body, okey));
}

/* Judges the proof at `body`, which came from `place` with this key. GOOD: it is in *seen. FORGED:
 * it was written without the secret. STALE: it is an old one, or of a question to somebody else. */
PROTO_INLINE enum roam_verdict roam_judge(struct roam_seen *seen, const struct roam_asker *asker,
					  const struct siphash_key *secret,
					  const struct roam_place *place, uint32_t ikey,
					  uint64_t now_ns, const uint8_t *body)
{
	uint32_t number = get_be32(body + 8);
	bool recent = seen->ns && now_ns - seen->ns <= ROAM_AGE_MS * 1000000ull;

	if (!roam_is_signed(secret, body, ikey))
		return ROAM_FORGED;
	if (roam_mark(asker, body, place, ikey) != siphash_load(body + ROAM_MARK_AT, 8) ||
	    roam_time(asker, now_ns) - get_be32(body + 4) > ROAM_AGE_MS ||
	    (recent && (int32_t)(number - seen->number) <= 0))
		return ROAM_STALE;
	*seen = (struct roam_seen){number, now_ns};
	return ROAM_GOOD;
}

#endif
