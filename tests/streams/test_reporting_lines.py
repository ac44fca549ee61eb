from hypothesis import given
from hypothesis import strategies as st

from bridge.core.gate import Finding
from bridge.core.record import Doc
from bridge.streams.reporting_lines import doubtful_managers

NAMES = st.integers(0, 12).map(str)


def people_of(managers: dict[str, str | None]) -> dict[str, Doc]:
    return {
        name: {"email": name} if manager is None else {"email": name, "managerEmail": manager}
        for name, manager in managers.items()
    }


@given(st.dictionaries(NAMES, st.none() | NAMES))
def test_unknown_managers_and_cycles_are_counted(managers: dict[str, str | None]) -> None:
    def reports_to_themselves(start: str) -> bool:
        above = managers[start]
        for _ in managers:
            if above == start:
                return True
            above = managers.get(above) if above is not None else None
        return False

    unknown = sum(manager is not None and manager not in managers for manager in managers.values())
    cycle = sum(map(reports_to_themselves, managers))
    expected = [("unknown", unknown), ("cycle", cycle)]
    assert doubtful_managers(people_of(managers)) == [
        Finding("managerEmail", problem, count) for problem, count in expected if count
    ]


def test_a_line_as_long_as_the_company_is_no_trouble() -> None:
    managers: dict[str, str | None] = {str(n): str(n + 1) for n in range(100_000)}
    assert doubtful_managers(people_of(managers)) == [Finding("managerEmail", "unknown", 1)]
    managers["99999"] = "0"
    assert doubtful_managers(people_of(managers)) == [Finding("managerEmail", "cycle", 100_000)]
