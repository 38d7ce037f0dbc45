"""The spectrum that onset, tempo and drums share, and its flux, which the host makes once for onset and tempo."""

from __future__ import annotations

from realtime.hosting.spectral import FluxSpec, LogMelSpec

FLUX_SPEC = LogMelSpec(sample_rate=24_000, hop=120, window=512, bands=60, fmin=30.0, fmax=11_000.0, gamma=1000.0)
"""5 ms hops, 21 ms window."""

FLUX = FluxSpec(FLUX_SPEC)

FLUX_DELAY = 0.005
"""Seconds by which the flux of a sharp onset is late, beyond the end of its frame (median on drums)."""
