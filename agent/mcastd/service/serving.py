"""Opens what the agent is asked through, the control socket and the port of the metrics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mcastd.service.agent import Agent
from mcastd.service.company import Alone
from mcastd.service.config import Address, Settings

if TYPE_CHECKING:
    from mcastd.service.exposition import MetricsServer
    from mcastd.service.web_config import WebConfig


class StartError(Exception):
    """Something that the agent needs is not to be had; one line for the operator."""


class Serving:
    """The control socket, and the metrics if there are to be some.

    What they need is imported only when they open: the interfaces are attached first.
    """

    def __init__(
        self, agent: Agent, company: Alone, fail: Callable[[Exception | None], None]
    ) -> None:
        """`fail`: ends the agent if the part that answers for other namespaces ends."""
        self._agent = agent
        self._company = company
        self._control = company.control(agent, fail)
        self._metrics: MetricsServer | None = None

    async def open(self, settings: Settings) -> None:
        """ControlError or StartError if one of them cannot be opened."""
        await self._control.start(settings.socket, settings.group)
        if settings.metrics is not None:
            self._metrics = await self._served(settings, settings.metrics)

    async def _served(self, settings: Settings, address: Address) -> MetricsServer:
        from mcastd.service.exposition import MetricsServer  # noqa: PLC0415

        renderings = self._company.renderings(self._agent)
        metrics = MetricsServer(self._agent, renderings, web_config_of(settings))
        try:
            await metrics.start(address)
        except OSError as error:
            raise StartError(
                f"metrics on {shown(address)}: {error.strerror or error}; "
                "choose another with --metrics or metrics.listen"
            ) from None
        return metrics

    async def close(self) -> None:
        """Answers nobody any more."""
        await self._control.stop()
        if self._metrics is not None:
            await self._metrics.stop()
        await self._company.close()


def web_config_of(settings: Settings) -> WebConfig | None:
    """StartError if its file is no good."""
    if settings.web_config is None:
        return None
    from mcastd.service.web_config import WebConfig, WebConfigError  # noqa: PLC0415 (rare)

    try:
        return WebConfig(Path(settings.web_config))
    except WebConfigError as error:
        raise StartError(f"metrics.web_config: {error}") from None


def shown(address: Address) -> str:
    """An address as the settings have it."""
    if address.is_path:
        return f"unix:{address.host}"
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{host}:{address.port}"
