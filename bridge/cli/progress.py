"""A bar for work whose size is known once it has begun."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def counted(console: Console, doing: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal while the block lasts; it is to be told how many units of how many are done."""
    columns = [SpinnerColumn(), TextColumn(doing), BarColumn(), MofNCompleteColumn()]
    times = [TextColumn(unit), TimeElapsedColumn(), TimeRemainingColumn()]
    hidden = not console.is_terminal
    with Progress(*columns, *times, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task(doing, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
