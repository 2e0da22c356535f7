"""Real time in the lab: python tests/soak/hour.py [SECONDS [SEED [PLOT.svg]]].

Samples go to build/soak.json, and into a plot if a file for it is named (matplotlib, of the extra
"bench"). Exit status 1 if the agent ends. Needs root.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.soak.hour import Sample, growth, soak, write  # noqa: E402

LABELS = {
    "rss": ("memory (RSS), MiB", 1 << 20), "descriptors": ("descriptors", 1),
    "threads": ("threads", 1), "bpf": ("memory of BPF maps, MiB", 1 << 20),
}  # fmt: skip


def main(seconds: float, seed: int, plot: str) -> int:
    taken: list[Sample] = []

    def told(sample: Sample) -> None:
        taken.append(sample)
        if len(taken) % 30 == 1:
            print(sample, flush=True)
            write(taken, ROOT / "build" / "soak.json")

    samples = soak(seconds, seed, told)
    write(samples, ROOT / "build" / "soak.json")
    for name, (early, late) in growth(samples).items():
        label, unit = LABELS[name]
        print(f"{label}: {early / unit:.2f} in the second quarter, {late / unit:.2f} in the last")
    if plot:
        draw(samples, Path(plot))
    return 0


def draw(samples: list[Sample], path: Path) -> None:
    """One small plot for each measure, all from zero."""
    from matplotlib import pyplot  # noqa: PLC0415 (only plots need it)

    figure, axes = pyplot.subplots(2, 2, figsize=(9, 5), sharex=True, layout="constrained")
    minutes = [each.at / 60 for each in samples]
    for axis, (name, (label, unit)) in zip(axes.flat, LABELS.items(), strict=True):
        axis.plot(minutes, [getattr(each, name) / unit for each in samples], linewidth=1)
        axis.set_ylim(bottom=0)
        axis.set_title(label, fontsize=10)
        axis.grid(alpha=0.3)
    for axis in axes[1]:
        axis.set_xlabel("minutes")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    given = [*sys.argv[1:], *("3600", "1", "")[len(sys.argv) - 1 :]]
    sys.exit(main(float(given[0]), int(given[1]), given[2]))
