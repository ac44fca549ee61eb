"""A bar is for terminals only."""

from io import StringIO

import pytest
from rich.console import Console

from bridge.cli.progress import counted


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_is_shown_on_a_terminal_and_nowhere_else(terminal: bool) -> None:
    written = StringIO()
    with counted(
        Console(file=written, force_terminal=terminal, width=120), "reading", "offsets"
    ) as on_progress:
        on_progress(5, 10)
    assert ("reading" in written.getvalue()) is terminal
    assert ("5/10" in written.getvalue()) is terminal
