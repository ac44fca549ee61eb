"""The wire format of the API, one module per description of it; which one to speak is a setting."""

from bridge.productiv.contracts.contract import Call, Contract, Question
from bridge.productiv.contracts.openapi import OPENAPI

CONTRACTS: dict[str, Contract] = {"openapi": OPENAPI}

__all__ = ["CONTRACTS", "Call", "Contract", "Question"]
