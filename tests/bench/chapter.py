"""What a section came to, kept in a file until the page is written: sections may run on different days."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.goals import goals

KEPT = Path("build") / "bench"
SECTIONS = ("throughput", "steps", "latency", "scale", "sources")
IMAGES = Path("images") / "benchmarks"


@dataclass(frozen=True, slots=True)
class Chapter:
    """One section: its text as Markdown, pictures by file name, all figures, and how it came about."""

    name: str
    command: str
    machine: Mapping[str, str]
    load: float
    text: str
    figures: Any
    images: Mapping[str, str] = field(default_factory=dict)

    def keep(self, folder: Path = KEPT) -> Path:
        """Writes it to its file."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        return path

    @classmethod
    def kept(cls, name: str, folder: Path = KEPT) -> "Chapter | None":
        """That of a section, or None if it never ran here."""
        path = folder / f"{name}.json"
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def all_kept(folder: Path = KEPT) -> list[Chapter]:
    """Those that there are, in the order of the page."""
    found = (Chapter.kept(name, folder) for name in SECTIONS)
    return [chapter for chapter in found if chapter is not None]


def write_page(chapters: Sequence[Chapter], path: Path) -> None:
    """`docs/benchmarks.md` and its pictures."""
    for chapter in chapters:
        for name, svg in chapter.images.items():
            (path.parent / IMAGES).mkdir(parents=True, exist_ok=True)
            (path.parent / IMAGES / name).write_text(svg, encoding="utf-8")
    path.write_text(page(chapters), encoding="utf-8")


def page(chapters: Sequence[Chapter]) -> str:
    """The document."""
    aims = [goals(chapter.figures) for chapter in chapters if chapter.name == "throughput"]
    texts = "\n\n".join(text for text in (*aims, *(chapter.text for chapter in chapters)) if text)
    told: dict[str, str] = {}
    origins = []
    for chapter in chapters:
        origins.append(_about(chapter, told))
        told |= chapter.machine
    how = "\n\n".join(origins)
    return f"""\
# Benchmarks

<!-- Written by `make bench`; change tests/bench/ instead. -->

One Apache Kafka broker, and a server that takes batches and only counts, so that the API is not what is
measured. Each process that is measured is one of its own. CPU time is that of the process with all its
threads, librdkafka's included, user and system, from the end of its start-up to its exit. All share the
machine's cores with the broker and the API, so events a second say more about the machine than CPU time and
ratios do.

{texts}

## Where and how

{how}
"""


def _about(chapter: Chapter, told: Mapping[str, str]) -> str:
    """How it came about; versions only where they are not told yet."""
    new = [f"- {name}: {value}" for name, value in chapter.machine.items() if told.get(name) != value]
    began = f"**{chapter.name}**, load average {chapter.load:.1f} when it began:"
    return "\n".join([began, "", "```sh", chapter.command, "```", *([""] if new else []), *new])
