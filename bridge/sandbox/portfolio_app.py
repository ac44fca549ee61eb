"""What an app of the portfolio looks like, made up from its id."""

from typing import Any

from bridge.sandbox.chance import chances, pick

SUMMARY = ("ApplicationId", "AppName", "AppStatus", "VendorName", "AppCategory")
DETAILS = (
    "ApplicationId",
    "AppName",
    "AppStatus",
    "VendorName",
    "Instances",
    "Activity",
    "Contracts",
    "FiscalSpend",
    "Compliance",
    "SSOProtocols",
)
FIELDS = tuple(dict.fromkeys(SUMMARY + DETAILS))

_VENDORS = ("Northwind", "Contoso", "Fabrikam", "Initech", "Umbra", "Tailspin", "Wingtip", "Lakeshore")
_CATEGORIES = ("Design", "Collaboration", "Finance", "Security", "Engineering", "Sales", "Human Resources")
_STATUSES = ("Approved", "In Review", "Deprecated", "Unmanaged")
_STANDARDS = ((), ("SOC 2",), ("SOC 2", "ISO 27001"), ("SOC 2", "ISO 27001", "GDPR"))
_PROTOCOLS = ((), ("SAML 2.0",), ("OIDC",), ("SAML 2.0", "OIDC"))
_CURRENCIES = ("USD", "EUR", "GBP")


def described(seed: int, app: str, revision: int) -> dict[str, Any]:
    """All fields of an app. Each revision changes its details, and each second one its summary too."""
    drawn = chances(seed, "app", app)
    vendor, category = pick(_VENDORS, drawn[0]), pick(_CATEGORIES, drawn[1])
    users, cost = 10 + int(drawn[2] * 500), round(1000 + drawn[3] * 99_000, 2)
    contracts = 1 + int(drawn[4] * 2)
    return {
        "ApplicationId": app,
        "AppName": f"{vendor} {category}",
        "AppStatus": _STATUSES[(revision // 2) % len(_STATUSES)],
        "VendorName": vendor,
        "AppCategory": category,
        "Instances": [
            {"instanceId": f"{app}-{name.lower()}", "instanceName": name}
            for name in ("Production", "Test")[: 1 + int(drawn[5] * 2)]
        ],
        "Activity": {
            "totalUsers": users + revision,
            "activeUsers": int(users * drawn[6]),
            "lastActivityDate": f"2026-01-{1 + int(drawn[7] * 28):02d}",
        },
        "Contracts": [
            {
                "contractId": f"{app}-contract-{number}",
                "startDate": f"{2024 + number}-02-01",
                "endDate": f"{2025 + number}-01-31",
                "totalValue": cost,
            }
            for number in range(1, contracts + 1)
        ],
        "FiscalSpend": {"totalSpend": round(cost * contracts, 2), "currency": pick(_CURRENCIES, drawn[5])},
        "Compliance": {"standards": pick(_STANDARDS, drawn[6])},
        "SSOProtocols": pick(_PROTOCOLS, drawn[7]),
    }
