"""What `promtool test rules` says of the shipped rules, on series that a test makes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "mcastd.rules.yml"

FIRING = 'count by (alertname) (ALERTS{alertstate="firing"})'

Labels = Mapping[str, str]


class Series(NamedTuple):
    """Samples at equal intervals, each as promtool writes it: a number, `_` for none, `0+15x80`."""

    metric: str
    labels: Labels
    samples: Sequence[str]

    @property
    def name(self) -> str:
        inner = ", ".join(f"{name}={json.dumps(value)}" for name, value in self.labels.items())
        return f"{self.metric}{{{inner}}}"


class Moment(NamedTuple):
    """How many alerts of each name fire `at` a time, as promtool writes it (`12m`)."""

    at: str
    firing: Mapping[str, int]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)


def complaints(
    series: Iterable[Series],
    moments: Iterable[Moment],
    directory: Path,
    *,
    interval: str = "1m",
    never: str = "",
) -> str:
    """What promtool has to say; "" if all is as expected.

    `never`: from the start until then, as promtool writes it (`167h`), no alert fires at all.
    """
    expressions = [
        {
            "expr": FIRING,
            "eval_time": each.at,
            "exp_samples": [
                {"labels": f'{{alertname="{name}"}}', "value": count}
                for name, count in each.firing.items()
            ],
        }
        for each in moments
    ]
    if never:
        over_all = f'count_over_time(ALERTS{{alertstate="firing"}}[{never}])'
        expressions.append({"expr": over_all, "eval_time": never, "exp_samples": []})
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": interval,
        "tests": [
            {
                "interval": interval,
                "input_series": [
                    {"series": each.name, "values": " ".join(each.samples)} for each in series
                ],
                "promql_expr_test": expressions,
            }
        ],
    }
    path = directory / "made.test.json"
    path.write_text(json.dumps(document))
    result = run("test", "rules", str(path))
    return "" if result.returncode == 0 else result.stdout + result.stderr
