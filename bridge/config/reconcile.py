"""The scheduled job that makes the API hold what the compacted topics say."""

from pydantic import Field

from bridge.config.fields import Section, Text


class Reconcile(Section):
    """The scheduled job that deletes leavers, and adds and changes what is missing at the API."""

    enabled: bool = Field(
        default=False,
        description="Whether the running bridge reconciles on its own; `productiv-bridge users reconcile` "
        "does it by hand.",
    )
    interval_hours: float = Field(
        default=24,
        gt=0,
        le=8760,
        description="Time between two runs, in hours. Runs are by the clock: 24 = at midnight UTC, 6 = also "
        "at 6, 12 and 18.",
    )
    max_deletions_share: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Share of what the API holds of an app, from 0 to 1. If more would be deleted, "
        "nothing is changed.",
    )
    apps: Text = Field(
        default="all",
        description="Apps to reconcile, divided by commas: names of apps.names or Productiv app ids. all = "
        "each app that is on the topic.",
    )

    def chosen(self) -> list[str] | None:
        """The apps by name or id; None for all."""
        return None if self.apps == "all" else [app.strip() for app in self.apps.split(",") if app.strip()]
