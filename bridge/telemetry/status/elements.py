"""Elements of a page. Text is escaped wherever it stands, as no page is put together from strings."""

from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

Child = Element | str | None


def el(tag: str, *children: Child | Iterable[Element], **attributes: str) -> Element:
    """An element; `class_` and `aria_label` become `class` and `aria-label`. None as a child is nothing."""
    made = Element(tag, {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()})
    for child in children:
        match child:
            case None:
                pass
            case str() if len(made):
                made[-1].tail = (made[-1].tail or "") + child
            case str():
                made.text = (made.text or "") + child
            case Element():
                made.append(child)
            case _:
                made.extend(child)
    return made


def html(element: Element) -> str:
    """The element as HTML."""
    return tostring(element, encoding="unicode", method="html")
