"""The dashboards' generator, and their queries as Prometheus is asked them."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

GRAFANA = Path(__file__).resolve().parents[2] / "deploy" / "grafana"


def generator() -> ModuleType:
    """deploy/grafana/make.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("grafana_make", GRAFANA / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def queries(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Of all panels and variables: where it stands, and the expression."""
    for dashboard in module.DASHBOARDS:
        for panel in dashboard.panels:
            for query in panel.queries:
                yield f"{dashboard.title}: {panel.title}", query.expression
        for variable in dashboard.variables:
            asked = re.fullmatch(r"label_values\((.*), (\w+)\)", variable.asks)
            assert asked, variable
            yield f"{dashboard.title}: ${variable.name}", f"count by ({asked[2]}) ({asked[1]})"


def filled(expression: str, interval: str) -> str:
    """With all chosen for each variable, as Grafana fills it in."""
    return re.sub(r"\$\w+", ".*", expression.replace("$__rate_interval", interval))
