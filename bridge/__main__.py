"""Lets `python -m bridge` stand for the `productiv-bridge` command."""

from bridge.cli import main

main()
