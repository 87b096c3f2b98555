/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp/counters.h"

void drops_sum(uint64_t sum[DROP_REASON_COUNT], const uint64_t from[DROP_REASON_COUNT])
{
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
		sum[i] += counter_read(&from[i]);
}

void counters_sum(struct dp_counters *sum, const struct dp_counters *from)
{
	uint64_t last = counter_read(&from->last_rx_ns);

	sum->rx_packets += counter_read(&from->rx_packets);
	sum->rx_bytes += counter_read(&from->rx_bytes);
	sum->tx_packets += counter_read(&from->tx_packets);
	sum->tx_bytes += counter_read(&from->tx_bytes);
	sum->rx_restarts += counter_read(&from->rx_restarts);
	sum->keepalives_sent += counter_read(&from->keepalives_sent);
	sum->keepalives_received += counter_read(&from->keepalives_received);
	sum->keepalives_reflected += counter_read(&from->keepalives_reflected);
	sum->probes_returned += counter_read(&from->probes_returned);
	sum->tx_cut += counter_read(&from->tx_cut);
	if (last > sum->last_rx_ns) {
		sum->last_rx_ns = last;
		sum->last_rx_gre = counter_read(&from->last_rx_gre);
	}
	drops_sum(sum->drops, from->drops);
}
