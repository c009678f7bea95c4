import numpy as np
import pytest

from edge_us.bench.figures import figures, windows
from edge_us.bench.ledger import SampleLedger, Stamps
from edge_us.bench.measure import drift_of, median_of

MS, S = 1_000_000, 1_000_000_000


def frames(count: int, interval_ms: float, latency_ms: float, cpu_ms: float = 5.0) -> Stamps:
    shown = (np.arange(count) * interval_ms * MS).astype(np.int64) + S
    return np.stack([shown - int(latency_ms * MS), shown, np.ones(count, np.int64),
                     (np.arange(count) * cpu_ms * MS).astype(np.int64)], axis=1)  # fmt: skip


def test_rate_latency_and_cpu_of_a_steady_run() -> None:
    found = figures(frames(101, 20, 8), {}, 0)
    assert found is not None
    assert found["fps"] == pytest.approx(50)
    assert set(found["capture_to_shown_ms"].values()) == {8.0}
    assert found["jitter_ms"] == 0
    assert found["cpu_ms_per_frame"] == pytest.approx(5)


def test_the_warm_up_counts_in_nothing() -> None:
    rows = frames(200, 10, 5)
    rows[:50, 0] -= 500 * MS  # the first half second is slow
    rows[:50, 3] -= 10 * S
    stages = {"infer": np.stack([rows[:, 1], np.where(np.arange(200) < 50, 400 * MS, 3 * MS)], axis=1)}
    found = figures(rows, stages, 500 * MS)
    assert found is not None
    assert found["frames"] == 150
    assert found["capture_to_shown_ms"]["max"] == 5
    assert found["stages_ms"]["infer"]["max"] == 3
    assert found["cpu_ms_per_frame"] == pytest.approx(5)


def test_a_single_late_frame_is_in_p999_maximum_timeline_and_jitter() -> None:
    rows = frames(2000, 10, 5)
    rows[1000, 1] += 90 * MS
    rows[1000:, :2] += 90 * MS
    rows[1000, 0] -= 90 * MS
    found = figures(rows, {}, 0)
    assert found is not None
    assert found["capture_to_shown_ms"]["p99"] == 5
    assert found["capture_to_shown_ms"]["max"] == pytest.approx(185)
    assert max(point[1] for point in found["timeline"]) == pytest.approx(185)
    assert found["jitter_ms"] > 1
    assert found["cdf"][-1] == [185.0, 1.0]


def test_too_few_frames_give_no_figures() -> None:
    assert figures(frames(0, 10, 5), {}, 0) is None
    assert figures(frames(5, 10, 5), {}, S) is None


def test_windows_and_drift_show_a_machine_that_throttles() -> None:
    steady = frames(300, 10, 5)
    slow = frames(300, 20, 12)
    slow[:, :2] += steady[-1, 1] + 20 * MS - slow[0, 1]
    rows = windows(np.concatenate([steady, slow]), 1.0)
    assert [row["start_s"] for row in rows] == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert rows[0]["fps"] == pytest.approx(100, rel=0.02)
    drift = drift_of(rows)
    assert drift is not None
    assert drift["fps"] == pytest.approx(0.5, rel=0.03)
    assert drift["p50"] == pytest.approx(2.4, rel=0.03)
    assert drift_of(rows[:2]) is None


def test_the_ledger_keeps_what_a_run_tells_it() -> None:
    ledger = SampleLedger()
    ledger.stage("infer", 3 * MS)
    ledger.show(S, S + 9 * MS, own_result=True)
    ledger.show(2 * S, 2 * S + 8 * MS, own_result=False)
    assert ledger.shown == 2
    assert ledger.skipped == 1
    assert ledger.frames[:, :3].tolist() == [[S, S + 9 * MS, 1], [2 * S, 2 * S + 8 * MS, 0]]
    assert ledger.frames[1, 3] >= ledger.frames[0, 3] > 0
    assert ledger.stage_samples["infer"][:, 1].tolist() == [3 * MS]


def test_medians_are_of_rounds_and_drops_are_summed() -> None:
    rounds = []
    for fps, drop in ((50.0, 1), (90.0, 0), (60.0, 2)):
        found = figures(frames(100, 1000 / fps, 5), {"infer": np.array([[S, 3 * MS]] * 9)}, 0)
        assert found is not None
        raw = {"ms": 4.0, "fps": 2 * fps, "cpu_ms": 3.0, "lanes": 1}
        rounds.append({**found, "raw_inference": raw, "peak_rss_mb": 100.0, "skipped": 0, "dropped": {"x": drop}})
    median = median_of(rounds)
    assert median["fps"] == pytest.approx(60, rel=1e-3)
    assert median["dropped"] == 3
    assert median["cpu_ms_beyond_inference"] == pytest.approx(2)
    assert median["share_of_raw_fps"] == pytest.approx(0.5, rel=1e-3)
    assert median["stages_ms"] == {"infer": 3.0}
