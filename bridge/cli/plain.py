"""Lines for a terminal, as they are."""

from rich.console import Console


def plain(text: str) -> str:
    """The text without characters that a terminal might act on."""
    return "".join(char if char.isprintable() else "�" for char in text)


def say(console: Console, text: str) -> None:
    """Writes a line, above a bar if there is one."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
