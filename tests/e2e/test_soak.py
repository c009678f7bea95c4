"""A short soak: faults from a seeded schedule, and everything accounted for."""

from __future__ import annotations

from pathlib import Path

from edge_us.testing.soak import growth, problems, soak


def test_half_a_minute_of_faults_leaves_nothing_behind(tmp_path: Path) -> None:
    found = soak(30.0, seed=5, fps=30.0, folder=tmp_path)
    assert found["problems"] == []
    assert sum(found["faults"].values()) >= 1
    assert found["frames"]["shown"] > 300
    assert len((tmp_path / "soak.jsonl").read_text().splitlines()) == found["frames"]["shown"]


def test_what_is_not_as_it_should_be_is_a_problem() -> None:
    held = {"rss_mb": 100.0, "threads": 1, "tasks": 20, "descriptors": 10}
    good = {
        "frames": {"captured": 10, "shown": 8, "dropped": {"queue_full": 2}}, "results_too_old": 0,
        "before": held, "after": held, "mb_per_hour": 3.0,
    }  # fmt: skip
    assert problems(good, [], 1800) == []
    bad = {
        "frames": {"captured": 10, "shown": 8, "dropped": {}}, "results_too_old": 1, "before": held,
        "after": {"rss_mb": 100.0, "threads": 2, "tasks": 40, "descriptors": 99}, "mb_per_hour": 300.0,
    }  # fmt: skip
    assert len(problems(bad, ["disk full"], 1800)) == 7


def test_growth_is_the_slope_once_the_run_has_settled() -> None:
    samples = [{"s": 5.0 * n, "rss_mb": 200.0 if n > 10 else 20.0 * n} for n in range(40)]
    assert growth(samples) == 0.0
    assert growth([{"s": each["s"], "rss_mb": each["s"] / 3600} for each in samples]) == 1.0
    assert growth(samples[:3]) is None
