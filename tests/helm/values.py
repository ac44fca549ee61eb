"""Values of the chart: the least that there must be, and something more."""

from typing import Any

LEAST: dict[str, Any] = {
    "config": {"kafka": {"bootstrap_servers": "kafka:9092"}},
    "secrets": {"productiv": {"existingSecret": "api"}},
}


def least(**more: Any) -> dict[str, Any]:
    """The least values with more laid over them."""
    return over(LEAST, more)


def over(values: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Values laid over others, as Helm does it."""
    return values | {
        key: over(values[key], value)
        if isinstance(value, dict) and isinstance(values.get(key), dict)
        else value
        for key, value in more.items()
    }
