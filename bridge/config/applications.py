"""The applications that the bridge registers at Productiv, where nobody did so by hand."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from bridge.config.fields import Rule, Section, ServiceUrl, Text, refuse_broken

MAX_NAME_CHARACTERS = 256


class Application(Section):
    """What Productiv is told of an application when it is registered; later changes are not sent."""

    description: Text | None = Field(
        default=None, description="What the application is for, in a sentence. null = not told."
    )
    category: Text | None = Field(
        default=None, description="Its category at Productiv, for example Design. null = not told."
    )
    url: ServiceUrl | None = Field(default=None, description="Address where people use it. null = not told.")

    def told(self) -> dict[str, str]:
        """What there is to tell, by name."""
        return {key: value for key, value in self.model_dump().items() if value is not None}


def _can_be_names(applications: dict[str, Application]) -> dict[str, Application]:
    refuse_broken(
        Rule(
            bool(name.strip())
            and name.isprintable()
            and len(name) <= MAX_NAME_CHARACTERS
            and not re.fullmatch(r"\.{1,2}", name),
            (name,),
            f"this is no name for an application; use up to {MAX_NAME_CHARACTERS} printable characters",
        )
        for name in applications
    )
    return applications


Applications = Annotated[dict[str, Application], AfterValidator(_can_be_names)]
