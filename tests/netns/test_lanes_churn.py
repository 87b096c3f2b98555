# SPDX-License-Identifier: GPL-2.0-or-later
"""Hundreds of TCP connections that come and go through the flow lanes."""
import lanes
import pytest
from churn import churn

SECONDS = 8


@pytest.mark.parametrize("lane", lanes.LANES)
def test_connections_come_and_go(scene, tmp_path, undo, lane):
    sites = lanes.up(scene, tmp_path, lane)
    done, share = churn(scene, sites, undo, SECONDS)
    assert min(done.values()) > 50, done
    assert max(share.values()) < 0.5, share
