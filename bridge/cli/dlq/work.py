"""One decision about many dead letters: a reading to show what it comes to, and another to carry it out."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import typer
from rich.console import Console

from bridge.cli.plain import plain, say
from bridge.cli.progress import counted
from bridge.kafka.choice import Choice
from bridge.kafka.decisions import Status
from bridge.kafka.fix_up import Mended
from bridge.kafka.letters import Letter
from bridge.kafka.replay import Chosen, Returns, prepared
from bridge.wiring import DeadLetterDesk

EXAMPLES = 3
SHOWN_LEFT = 20


class Work:
    """What is decided about the letters of a choice; `returns` makes the records that go back, if they do.

    Raises:
        BridgeError: the dead-letter topic does not exist, or Kafka does not answer.
    """

    def __init__(self, desk: DeadLetterDesk, choice: Choice, status: Status, returns: Returns | None) -> None:
        self._desk = desk
        self._choice = choice
        self._status = status
        self._returns = returns
        self._console = Console(stderr=True)
        # What comes meanwhile is not decided about: nobody was shown it.
        self._ranges = choice.ranges(desk.box)
        self.ready = 0
        """Letters that were meant and wait, and can go back if they should."""
        self._decided: Counter[Status] = Counter()
        self.left = 0
        """Letters that were meant and cannot go back."""

    def say(self, text: str) -> None:
        """Tells the operator something."""
        say(self._console, text)

    def preview(self) -> None:
        """Counts the letters, and shows a few of those that are mended.

        Raises:
            BridgeError: Kafka or the schema registry does not answer.
        """

        def note(letter: Letter) -> None:
            self._decided[letter.status] += 1

        examples = 0
        with counted(self._console, "reading", "offsets") as on_progress:
            for chosen in self._chosen(on_progress, note, self._leave):
                self.ready += 1
                if chosen.mended is not None and examples < EXAMPLES:
                    examples += self._show(chosen.letter, chosen.mended)

    def carry_out(
        self, where: str, *, yes: bool, dry_run: bool, rate: int | None = None, why: str = ""
    ) -> None:
        """Tells what is to be done, asks, and does it, at most `rate` letters a second.

        Raises:
            BridgeError: Kafka does not do its part, or another command has begun to decide.
            typer.Abort: the operator does not want it.
        """
        stream, topic = self._desk.topic.stream, self._desk.topic.dead_letters.topic
        for status, count in self._decided.items():
            self.say(f"already {status}: {count:,}")
        if self.left:
            self.say(f"cannot go back, and left: {self.left:,}")
        self.say(f"to be {self._status} {where}: {self.ready:,} records of {stream} from {topic}")
        if dry_run or not self.ready:
            return
        if not yes:
            typer.confirm("Do it?", abort=True, err=True)
        typer.echo(f"{self._status} {where}: {self._do(rate, why):,} records of {stream}")

    def _do(self, rate: int | None, why: str) -> int:
        decider = self._desk.decider()
        decider.open()
        done = 0

        def one_more(letters: int) -> None:
            nonlocal done
            done += letters
            on_progress(done, self.ready)

        with counted(self._console, str(self._status), "records") as on_progress:
            chosen = self._chosen(lambda done, total: None, lambda letter: None, lambda letter, detail: None)
            return decider.decide(chosen, self._status, why, rate, one_more, self._leave)

    def _chosen(
        self,
        on_progress: Callable[[int, int], None],
        on_decided: Callable[[Letter], None],
        on_left: Callable[[Letter, str], None],
    ) -> Iterator[Chosen]:
        desk = self._desk
        letters = self._choice.letters(desk.box, desk.contents, self._ranges, on_progress)
        return prepared(letters, self._returns, on_decided, on_left)

    def _leave(self, letter: Letter, detail: str) -> None:
        self.left += 1
        if self.left <= SHOWN_LEFT:
            self.say(f"left, {letter.place}: {detail}")
        elif self.left == SHOWN_LEFT + 1:
            self.say("left, and not named here: more of them")

    def _show(self, letter: Letter, mended: Mended) -> bool:
        """The fields that differ, one a line, as a diff; False if none does."""
        before, after = (
            {name: _json(name, value) for name, value in side.items()}
            for side in (mended.before, mended.after)
        )
        if before == after:
            return False
        typer.echo(f"@ {letter.place} ({letter.reason})", err=True)
        for name in {**before, **after}:
            for sign, colour, side, other in (("-", "red", before, after), ("+", "green", after, before)):
                if name in side and side[name] != other.get(name):
                    typer.secho(f"{sign} {side[name]}", fg=colour, err=True)
        return True


def _json(name: str, value: Any) -> str:
    return plain(json.dumps({name: value}, default=str, ensure_ascii=False))
