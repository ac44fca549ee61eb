"""What the export side of a sandbox is to hold; none of it is there unless it is asked for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """An audit trail of `per_second` events a second, made up when somebody asks, so that it takes no memory.

    It begins at `begin`, seconds since the epoch; None puts `history_events` of it before the start of the
    sandbox. It ends after `total` events, None goes on for ever. `late_share` of the events can be seen only
    up to `late_seconds` after they occurred.

    Raises:
        ValueError: `per_second` is not positive.
    """

    per_second: float
    begin: float | None = None
    history_events: int = 0
    total: int | None = None
    late_share: float = 0.05
    late_seconds: float = 600.0

    def __post_init__(self) -> None:
        if self.per_second <= 0:
            raise ValueError("per_second must be greater than 0")


@dataclass(frozen=True, slots=True)
class WorkflowPlan:
    """Workflows, and `executions` of them in all, which take turns among the workflows.

    One starts every 1 / `per_second` seconds; None has all of them start in the last minute before the start
    of the sandbox. Each goes through 3 to 5 changes and has between `users[0]` and `users[1]` users. The
    changes come every `seconds_per_state` seconds, give or take half; None leaves them to
    `POST /_sandbox/executions/step`. One execution in ten takes long to end.

    Raises:
        ValueError: there are executions and no workflow.
    """

    workflows: int
    executions: int
    per_second: float | None = None
    users: tuple[int, int] = (0, 8)
    seconds_per_state: float | None = None

    def __post_init__(self) -> None:
        if self.executions and not self.workflows:
            raise ValueError("executions need a workflow")


@dataclass(frozen=True, slots=True)
class PortfolioPlan:
    """`apps` to begin with; every `churn_seconds` one of them changes, one goes, or a new one comes."""

    apps: int
    churn_seconds: float | None = None
