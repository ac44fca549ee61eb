"""The app portfolio: each app with its use, contracts and spend. A compacted topic; null says gone."""

from pydantic import BaseModel, Field

from bridge.core.listing import Details, Listing
from bridge.core.polling import SourceStream
from bridge.core.shape import NUMBER, TEXT, WHOLE, ListOf, Object
from bridge.core.stream import Operation
from bridge.streams.fields import MaxVanishedShare

# Dates are days without a zone, and stay text.
_APP = Object(
    {
        "applicationId": TEXT,
        "appName": TEXT,
        "appStatus": TEXT,
        "vendorName": TEXT,
        "appCategory": TEXT,
        "instances": ListOf(Object({"instanceId": TEXT, "instanceName": TEXT})),
        "activity": Object({"totalUsers": WHOLE, "activeUsers": WHOLE, "lastActivityDate": TEXT}),
        "contracts": ListOf(
            Object({"contractId": TEXT, "startDate": TEXT, "endDate": TEXT, "totalValue": NUMBER})
        ),
        "fiscalSpend": Object({"totalSpend": NUMBER, "currency": TEXT}),
        "compliance": Object({"standards": ListOf(TEXT)}),
        "ssoProtocols": ListOf(TEXT),
    }
)
_APPS = Listing(
    "apps", Operation.GET_APP_SUMMARIES, "applicationId", _APP, Details(Operation.GET_APP_DETAILS, "app")
)


class AppsOptions(BaseModel):
    """Settings of this stream alone."""

    max_vanished_share: MaxVanishedShare = 0.5
    details_interval_hours: float = Field(
        default=24,
        gt=0,
        le=8760,
        description="Longest time after which the details of an app are asked for again, in hours; those of "
        "new apps and of apps that changed in the list are asked for at once.",
    )


APPS = SourceStream(
    name="apps",
    operation=Operation.GET_APP_SUMMARIES,
    outputs={"apps": _APP},
    options=AppsOptions,
    poll=_APPS.poll,
    interval_seconds=3600.0,
)
