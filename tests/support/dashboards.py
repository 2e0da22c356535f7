"""The dashboards' generator, and their queries as Prometheus is asked them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from support.scripts import DEPLOY, loaded

GRAFANA = DEPLOY / "grafana"
MAKE = loaded(GRAFANA / "make.py")


def queries() -> Iterator[tuple[str, str]]:
    """Of all panels and variables: where it stands, and the expression."""
    for dashboard in MAKE.DASHBOARDS:
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
