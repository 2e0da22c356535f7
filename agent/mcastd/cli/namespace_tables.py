"""Shows interfaces with the names of their namespaces, and what is wrong with a namespace."""

from __future__ import annotations

from typing import Any


def qualified(each: dict[str, Any], key: str = "interface") -> str:
    """An interface with its namespace, if that has a name: "blue/eth0", or "blue" for all of it."""
    namespace, name = each.get("namespace"), each.get(key)
    if namespace is None:
        return name or ""
    return f"{namespace}/{name}" if name else str(namespace)


def namespace_remarks(each: dict[str, Any]) -> list[str]:
    """Of a namespace that is not served, or not as it should be."""
    name, state, problem = each["name"], each["state"], each["problem"]
    if problem:
        again = "; it is tried again" if state == "ended" else ""
        return [f"namespace {name}: {problem}{again}"]
    if state == "waiting":
        return [f"namespace {name}: there is no such namespace now"]
    return [] if state == "running" else [f"namespace {name}: {state}"]
