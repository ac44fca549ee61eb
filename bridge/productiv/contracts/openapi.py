"""The API as the community's OpenAPI 3.1 document describes it ("Productiv Developer API", version v1).

The document says of its push calls only that a 200 has no body and that 400 and 401 exist. The vendor's
developer pages differ from it (for usage events in the last part of the path); a contract written from those
can stand beside this one.
"""

from bridge.core.stream import Operation
from bridge.productiv.contracts.contract import Call, Contract, Question

# Scopes are named by address; the host in them is a name and not where the API answers. The document names
# these two without saying which calls need which. By the vendor's pages all push calls need the first, and so
# does reading back what was pushed.
WRITE = frozenset({"https://api.productiv.com/connector.write"})
READ = frozenset({"https://api.productiv.com/report.read"})

_COMPANY = "/services/push/v1/customer"
_APP = _COMPANY + "/apps/{app}"
_EXPORT = "/services/export/v1/customer"
_WORKFLOWS = _EXPORT + "/provisioning-workflows"


def _same(*names: str) -> dict[str, str]:
    """Fields that we call as the API does."""
    return {name: name for name in names}


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
    Operation.GET_APP_SUMMARIES: Question(
        method="GET",
        path=f"{_EXPORT}/app-summaries",
        scopes=READ,
        envelope="apps",
        fields={
            "applicationId": "ApplicationId",
            "appName": "AppName",
            "appStatus": "AppStatus",
            "vendorName": "VendorName",
            "appCategory": "AppCategory",
        },
        required=frozenset({"applicationId"}),
        keep_unknown=True,
        export=True,
    ),
    # getAppDetails: what the summaries have, and more.
    Operation.GET_APP_DETAILS: Question(
        method="GET",
        path=f"{_EXPORT}/app-details/{{app}}",
        scopes=READ,
        envelope=None,
        fields={
            "applicationId": "ApplicationId",
            "appName": "AppName",
            "appStatus": "AppStatus",
            "vendorName": "VendorName",
            "appCategory": "AppCategory",
            "instances": "Instances",
            "activity": "Activity",
            "contracts": "Contracts",
            "fiscalSpend": "FiscalSpend",
            "compliance": "Compliance",
            "ssoProtocols": "SSOProtocols",
        },
        required=frozenset({"applicationId"}),
        keep_unknown=True,
        export=True,
    ),
    # listProvisioningWorkflows: "the entire list".
    Operation.LIST_WORKFLOWS: Question(
        method="GET",
        path=_WORKFLOWS,
        scopes=READ,
        envelope="workflows",
        fields=_same("workflowId", "workflowName", "applicationId", "status"),
        required=frozenset({"workflowId"}),
        keep_unknown=True,
        export=True,
    ),
    # listProvisioningExecutionSummaries: "within a time range", without saying of which of the two times.
    Operation.LIST_EXECUTIONS: Question(
        method="GET",
        path=f"{_WORKFLOWS}/{{workflow}}/executions",
        scopes=READ,
        envelope="executions",
        fields=_same("executionId", "workflowId", "status", "startTime", "endTime"),
        required=frozenset({"executionId"}),
        parameters=_same("startTime", "endTime"),
        keep_unknown=True,
        export=True,
    ),
    # getProvisioningWorkflowExecution: "suggested or actioned outcomes for matched users", and no times.
    Operation.GET_EXECUTION: Question(
        method="GET",
        path=f"{_WORKFLOWS}/{{workflow}}/executions/{{execution}}",
        scopes=READ,
        envelope=None,
        fields=_same("executionId", "workflowId", "status", "users"),
        required=frozenset({"executionId"}),
        keep_unknown=True,
        export=True,
    ),
    # getAuditEvents: "a maximum of 500 events" a page. The vendor's pages add what `audit_events` calls its
    # facts: ranges of 30 days at most, beginning at most 180 days ago, half-open.
    Operation.GET_AUDIT_EVENTS: Question(
        method="GET",
        path=f"{_EXPORT}/audit-events",
        scopes=READ,
        envelope="events",
        fields=_same("eventId", "eventType", "timestamp", "userEmail", "details"),
        required=frozenset(),
        parameters=_same("startTime", "endTime") | {"page": "nextPageToken"},
        paging="nextPageToken",
        keep_unknown=True,
        export=True,
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
