"""Finds the files that travel with the package: Avro schemas and topic descriptions."""

from pathlib import Path

_INSTALLED = Path(__file__).parent / "_files"
_CHECKOUT = Path(__file__).parent.parent


def folder(name: str) -> Path:
    """The folder `schemas` or `topics`: inside an installed wheel, else at the top of the checkout.

    Raises:
        FileNotFoundError: neither place has it, so the installation is damaged.
    """
    for root in (_INSTALLED, _CHECKOUT):
        if (root / name).is_dir():
            return root / name
    raise FileNotFoundError(f"the installation lacks its {name!r} folder; install productiv-bridge again")
