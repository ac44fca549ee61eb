"""The API as the community's OpenAPI 3.1 document describes it ("Productiv Developer API", version v1).

The document says of its push calls only that a 200 has no body and that 400 and 401 exist. The vendor's
developer pages differ from it (for usage events in the last part of the path); a contract written from those
can stand beside this one.
"""

from collections.abc import Mapping

from bridge.core.stream import Operation
from bridge.productiv.contracts.contract import NOTHING, Call, Contract, Question

# Scopes are named by address; the host in them is a name and not where the API answers. The document names
# these two without saying which calls need which. By the vendor's pages all push calls need the first, and so
# does reading back what was pushed.
WRITE = frozenset({"https://api.productiv.com/connector.write"})
READ = frozenset({"https://api.productiv.com/report.read"})

_COMPANY = "/services/push/v1/customer"
_APP = _COMPANY + "/apps/{app}"


def _same(*names: str) -> dict[str, str]:
    """Fields that we call as the API does."""
    return {name: name for name in names}


def _export(
    path: str,
    envelope: str | None,
    fields: Mapping[str, str],
    *required: str,
    parameters: Mapping[str, str] = NOTHING,
    paging: str | None = None,
) -> Question:
    """A call of the export API, of whose rows nothing is left out."""
    return Question(
        method="GET",
        path=f"/services/export/v1/customer/{path}",
        scopes=READ,
        envelope=envelope,
        fields=fields,
        required=frozenset(required),
        parameters=parameters,
        paging=paging,
        keep_unknown=True,
        export=True,
    )


_SUMMARY = {
    "applicationId": "ApplicationId",
    "appName": "AppName",
    "appStatus": "AppStatus",
    "vendorName": "VendorName",
    "appCategory": "AppCategory",
}
_USER = _same("email", "firstName", "lastName", "role")

CALLS = {
    # publishUsageEvents: "A maximum of 1000 events can be pushed per request", and an event is identified
    # by timestamp (milliseconds since 1970), email and eventName.
    Operation.PUBLISH_USAGE_EVENTS: Call(
        method="POST",
        path=f"{_APP}/usage-events",
        envelope="events",
        max_records=1000,
        scopes=WRITE,
        fields=_same("timestamp", "email", "eventName"),
    ),
    # publishProvisionedUsers and deleteProvisionedUsers. The document has no limit, the vendor's pages have.
    # They also say that a POST adds and updates, so that leavers have to be deleted.
    Operation.PUBLISH_USERS: Call(
        method="POST",
        path=f"{_APP}/users",
        envelope="users",
        max_records=1000,
        scopes=WRITE,
        fields=_USER,
    ),
    Operation.DELETE_USERS: Call(
        method="DELETE",
        path=f"{_APP}/users",
        envelope="users",
        max_records=1000,
        scopes=WRITE,
        fields=_same("email"),
    ),
    # publishSpendData. There is no limit in either description: ours is that of its neighbours.
    Operation.PUBLISH_SPEND: Call(
        method="POST",
        path=f"{_APP}/spend",
        envelope="spendData",
        max_records=1000,
        scopes=WRITE,
        fields=_same("amount", "currency", "date", "description"),
    ),
    # publishOrgChart: "no more than 1000 users per request", and one chart for the company.
    Operation.PUBLISH_ORG_CHART: Call(
        method="PUT",
        path=f"{_COMPANY}/org-chart",
        envelope="users",
        max_records=1000,
        scopes=WRITE,
        fields=_same("email", "firstName", "lastName", "managerEmail", "department", "title"),
        beside={"custom_fields": "customFieldsConfig"},  # a list of {name, type}
    ),
}

QUESTIONS = {
    # getProvisionedUsers: all of them in one answer.
    Operation.GET_USERS: Question(
        method="GET",
        path=f"{_APP}/users",
        scopes=WRITE,
        envelope="users",
        fields=_USER,
        required=frozenset({"email"}),
    ),
    # setupApplication: nothing says what becomes of a name that is there already.
    Operation.REGISTER_APP: Question(
        method="POST",
        path=f"{_COMPANY}/apps",
        scopes=WRITE,
        envelope=None,
        fields={"app_id": "appId", "name": "appName"},
        required=frozenset({"app_id"}),
        sent={
            "name": "appName",
            "description": "appDescription",
            "category": "appCategory",
            "url": "appUrl",
        },
    ),
    # All export calls share a limit: the document says "20 requests per second" of three of the six, and not
    # whether each has its own.
    # getAppSummaries: "the entire list of apps that are part of your company's portfolio".
    Operation.GET_APP_SUMMARIES: _export("app-summaries", "apps", _SUMMARY, "applicationId"),
    # getAppDetails: what the summaries have, and more.
    Operation.GET_APP_DETAILS: _export(
        "app-details/{app}",
        None,
        {
            **_SUMMARY,
            "instances": "Instances",
            "activity": "Activity",
            "contracts": "Contracts",
            "fiscalSpend": "FiscalSpend",
            "compliance": "Compliance",
            "ssoProtocols": "SSOProtocols",
        },
        "applicationId",
    ),
    # listProvisioningWorkflows: "the entire list".
    Operation.LIST_WORKFLOWS: _export(
        "provisioning-workflows",
        "workflows",
        _same("workflowId", "workflowName", "applicationId", "status"),
        "workflowId",
    ),
    # listProvisioningExecutionSummaries: "within a time range", without saying of which of the two times.
    Operation.LIST_EXECUTIONS: _export(
        "provisioning-workflows/{workflow}/executions",
        "executions",
        _same("executionId", "workflowId", "status", "startTime", "endTime"),
        "executionId",
        parameters=_same("startTime", "endTime"),
    ),
    # getProvisioningWorkflowExecution: "suggested or actioned outcomes for matched users", and no times.
    Operation.GET_EXECUTION: _export(
        "provisioning-workflows/{workflow}/executions/{execution}",
        None,
        _same("executionId", "workflowId", "status", "users"),
        "executionId",
    ),
    # getAuditEvents: "a maximum of 500 events" a page. The vendor's pages add what `audit_events` calls its
    # facts: ranges of 30 days at most, beginning at most 180 days ago, half-open.
    Operation.GET_AUDIT_EVENTS: _export(
        "audit-events",
        "events",
        _same("eventId", "eventType", "timestamp", "userEmail", "details"),
        parameters=_same("startTime", "endTime") | {"page": "nextPageToken"},
        paging="nextPageToken",
    ),
    # getBatchUploadUrls: one signed address for each file name.
    Operation.GET_UPLOAD_URLS: Question(
        method="GET",
        path=f"{_APP}/upload",
        scopes=WRITE,
        envelope="uploadUrls",
        fields={"filename": "filename", "url": "uploadUrl"},
        required=frozenset({"filename", "url"}),
        parameters={"filenames": "filenames"},
    ),
}

OPENAPI = Contract(
    api_url="https://public-api.productiv.com",
    token_url="https://login.api.productiv.com/oauth2/token",  # noqa: S106  (an address, no password)
    calls=CALLS,
    questions=QUESTIONS,
)
