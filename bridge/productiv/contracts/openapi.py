"""The API as the community's OpenAPI 3.1 document describes it ("Productiv Developer API", version v1).

The document says of its calls only that a 200 has no body and that 400 and 401 exist. The vendor's developer
pages differ from it (for usage events in the last part of the path); a contract written from those can stand
beside this one.
"""

from bridge.core.stream import Operation
from bridge.productiv.contracts.contract import Call, Contract

# Scopes are named by address; the host in them is a name and not where the API answers. The document names
# this one without saying which calls need it; the vendor's page on publishing usage events does.
WRITE = frozenset({"https://api.productiv.com/connector.write"})

OPENAPI = Contract(
    api_url="https://public-api.productiv.com",
    token_url="https://login.api.productiv.com/oauth2/token",  # noqa: S106  (an address, no password)
    calls={
        # publishUsageEvents: "A maximum of 1000 events can be pushed per request", and an event is identified
        # by timestamp (milliseconds since 1970), email and eventName.
        Operation.PUBLISH_USAGE_EVENTS: Call(
            method="POST",
            path="/services/push/v1/customer/apps/{app}/usage-events",
            envelope="events",
            max_records=1000,
            scopes=WRITE,
            fields={"timestamp": "timestamp", "email": "email", "eventName": "eventName"},
        ),
    },
)
