"""What goes wrong while a product is evaluated: a message and a place; and the text that a held product shows for it."""

from __future__ import annotations

from merx.engine.source import Span

MISSING = "`{name}` is missing"
DIVISION = "division by zero"
OVERFLOW = "a number beyond 38 digits"
STEP = "the step to round to is not above 0"


class Fault(Exception):
    """A product's value cannot be computed. message: lower case, no full stop. span: of the node that raised it."""

    def __init__(self, message: str, span: Span | None) -> None:
        super().__init__(message)
        self.message = message
        self.span = span


def reason(outcome: str, fault_message: str, span: Span | None) -> str:
    """The reason as both evaluators word it: `price: division by zero (rules/bags.merx:12)`."""
    place = "" if span is None else f" ({span.place})"
    return f"{outcome}: {fault_message}{place}"
