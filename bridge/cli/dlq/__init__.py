"""`productiv-bridge dlq`: looks at dead letters, and decides what becomes of them."""

import typer

from bridge.cli.dlq.decide import discard, replay
from bridge.cli.dlq.look import list_, show

app = typer.Typer(
    no_args_is_help=True,
    help="Dead letters, the records that could not be delivered: list, show, replay, discard.",
    pretty_exceptions_show_locals=False,
)
app.command("list")(list_)
app.command()(show)
app.command()(replay)
app.command()(discard)
