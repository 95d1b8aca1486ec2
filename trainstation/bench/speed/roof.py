"""What the rows of one case show together: how near each is to the roof, and to the fastest peer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trainstation.bench import stats
from trainstation.bench.records.rows import Speed

__all__ = ["completed"]

ADAMS_TRAFFIC = 7  # arrays that Adam reads or writes, and the probe like it


def completed(rows: Sequence[Speed]) -> list[Speed]:
    """Complete the rows of one case, which were timed against each other.

    The roof is the most bytes in a time of all probes and peers, the baseline the fastest peer, or without peers the
    first optimizer. What is not "done" is neither. Where others were at work, threads wait for one another a thousand
    times as long as they work, those of one library more than those of another: then nothing is concluded.

    An optimizer that moved more than the roof, beyond noise, is invalid, and with it the run: the probe did not measure
    what it should.
    """
    done = [row for row in rows if row.status == "done"]
    steps = [row for row in done if row.suite == "step"]
    roof = max(
        (row for row in done if row.suite == "probe" or row.is_peer), key=lambda row: row.gbps or 0, default=None
    )
    baseline = min([row for row in steps if row.is_peer] or steps[:1], key=lambda row: row.median_ns or 0, default=None)
    return [_against_baseline(_under_roof(row, roof), baseline) for row in rows]


def _under_roof(row: Speed, roof: Speed | None) -> Speed:
    if roof is None or not roof.gbps or not roof.bytes_min or row.gbps is None:
        return row
    row = replace(row, roof=roof.peer, roof_gbps=roof.gbps, roof_pct=100 * row.gbps / roof.gbps)
    # Only what reads and writes as the probe does is held against it: what reads more and writes less is other traffic.
    adams = ADAMS_TRAFFIC * row.n * np.dtype(row.dtype).itemsize
    if row.suite != "step" or row.status != "done" or row.bytes_min != adams or _disturbed(row):
        return row
    if stats.ratio(roof.samples_ns, row.samples_ns).low * adams <= roof.bytes_min:
        return row
    reason = f"it moved {row.gbps:.1f} GB/s, more than {roof.peer}, the fastest probe: {roof.gbps:.1f}"
    return replace(row, status="invalid", reason=reason)


def _disturbed(row: Speed) -> bool:
    return (row.others_pct or 0) > stats.DISTURBED


def _against_baseline(row: Speed, baseline: Speed | None) -> Speed:
    if baseline is None or row.suite != "step" or row.status != "done" or row.peer == baseline.peer:
        return row
    speedup = stats.ratio(baseline.samples_ns, row.samples_ns)
    verdict = "disturbed" if _disturbed(row) else stats.verdict(speedup)
    return replace(row, baseline=baseline.peer, speedup=speedup, verdict=verdict)
