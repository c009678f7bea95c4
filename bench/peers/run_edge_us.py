"""edge_us on the peers' terms: same clock, same clip, same weights; findings are written too, as a user would."""

from __future__ import annotations

from contextlib import closing

from common import THRESHOLD, arguments, measure

from edge_us import __version__
from edge_us.config import load_config
from edge_us.runtime.networks import open_engine_for
from edge_us.runtime.run import Run


def main() -> None:
    """Run once."""
    options = arguments()
    outputs = {"record": options.folder / "out.mp4", "findings": options.folder / "out.jsonl"}
    config = load_config(
        {
            "source": str(options.clip), "model": str(options.weights), "min_score": THRESHOLD, "classifier": "off",
            "precision": "auto" if options.precision == "default" else "fp32",
            **({} if options.save == "none" else outputs),
            "probe": False,  # no peer opens its clip in a child process first
        },
        environment={},
    )  # fmt: skip
    with closing(open_engine_for(config)) as engine:
        # Three pictures, as every peer gets them before its clock starts: modules are imported where they are used.
        for _ in Run(config.model_copy(update={"max_frames": 3}), engine):
            pass

        def work() -> tuple[int, int]:
            found = [len(result.findings) for _, result in Run(config, engine)]
            return len(found), sum(found)

        encoder = "none" if options.save == "none" else "x264"
        measure(work, version=__version__, precision=engine.info.precision, encoder=encoder)


if __name__ == "__main__":
    main()
