"""From a matplotlib figure to SVG that takes its colours and font from the page.

matplotlib draws with stand-ins: a colour of `COLOURS` for a colour that the
page's style sheet chooses (light, dark, print), and ASCII tokens for texts
under test, which matplotlib would read as formulas (``$``) and for which its
own font may have no glyphs. Both are exchanged here.

What is left needs no ``style`` attribute, which the page's security policy
would refuse.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any
from unicodedata import east_asian_width
from xml.etree import ElementTree as ET

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fixtures.contracts.files import printable

__all__ = ["COLOURS", "canvas", "display_width", "plain_style", "shortened", "to_svg"]

COLOURS = {
    name: f"#0000{number:02x}"
    for number, name in enumerate(("ink", "muted", "line", "accent", "wash", "pass", "fail", "unscored"), start=1)
}
_ROLES = {colour: name for name, colour in COLOURS.items()}
_PIXELS_PER_INCH = 72
_KEPT = {
    "font-size",
    "font-weight",
    "opacity",
    "stroke-dasharray",
    "stroke-linecap",
    "stroke-linejoin",
    "stroke-width",
    "text-anchor",
}


def plain_style() -> AbstractContextManager[None]:
    """Draw within this: no frame, no ticks, texts as texts, the same bytes every time."""
    # Upon matplotlib's defaults, whatever a matplotlibrc says; choosing a backend would load its windows.
    style: dict[Any, Any] = {key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"}
    style |= {
        "svg.fonttype": "none",
        "svg.hashsalt": "report",
        "path.simplify": False,
        "font.size": 12.5,
        "text.parse_math": False,
        "text.color": COLOURS["ink"],
        "axes.edgecolor": COLOURS["line"],
        "xtick.color": COLOURS["line"],
        "xtick.labelcolor": COLOURS["muted"],
        "ytick.color": COLOURS["line"],
        "ytick.labelcolor": COLOURS["ink"],
    }
    return matplotlib.rc_context(style)


def canvas(width: int, height: int, *, left: int, right: int, top: int, bottom: int) -> tuple[Figure, Axes]:
    """A figure of ``width`` x ``height`` CSS pixels and its only axes, within these margins."""
    figure = Figure(figsize=(width / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH))
    figure.patch.set_visible(False)
    box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    axes = figure.add_axes(box)
    axes.patch.set_visible(False)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.tick_params(left=False, bottom=False)
    axes.set_axisbelow(True)
    return figure, axes


def to_svg(figure: Figure, *, name: str, label: str, texts: Mapping[str, tuple[str, str]] | None = None) -> Markup:
    """The figure as an ``<svg>`` element; ``label`` says in words what it shows.

    ``name``, one or more classes, must be unique on the page. ``texts`` maps
    stand-ins to what is shown instead, and to the whole of it.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    drawn = ET.fromstring(buffer.getvalue())
    _, _, width, height = drawn.attrib["viewBox"].split()
    svg = ET.Element(
        "svg",
        {
            "class": f"chart {name}",
            "role": "img",
            "aria-label": printable(label),
            "viewBox": drawn.attrib["viewBox"],
            "width": width,
            "height": height,
        },
    )
    # No id holds a blank.
    _copy(drawn, svg, name.replace(" ", "-"), texts or {})
    return Markup(ET.tostring(svg, encoding="unicode", short_empty_elements=False))


def _copy(source: ET.Element, target: ET.Element, name: str, texts: Mapping[str, tuple[str, str]]) -> None:
    """Append the shapes of ``source``; groups carry nothing but ids, and nothing is clipped."""
    for element in source:
        tag = element.tag.rpartition("}")[2]
        if tag == "g":
            _copy(element, target, name, texts)
        elif tag == "defs":
            shapes = ET.Element("defs")
            _copy(element, shapes, name, texts)
            if len(shapes):
                target.append(shapes)
        elif tag in ("path", "use", "text"):
            shape = ET.SubElement(target, tag, _attributes(element, name))
            _write(shape, element.text or "", texts)


def _attributes(element: ET.Element, name: str) -> dict[str, str]:
    kept, classes = {}, []
    for key, value in element.attrib.items():
        key = key.rpartition("}")[2]
        if key == "style":
            for declaration in value.split(";"):
                what, _, how = (part.strip() for part in declaration.partition(":"))
                if what in ("fill", "stroke") and how != "none":
                    classes.append(f"{what}-{_ROLES[how]}")
                elif what in _KEPT or how == "none":
                    kept[what] = how
        elif key == "href":
            kept[key] = f"#{name}-{value.removeprefix('#')}"
        elif key == "id":
            kept[key] = f"{name}-{value}"
        elif key in ("d", "x", "y"):
            kept[key] = _rounded(value)
    return kept | ({"class": " ".join(dict.fromkeys(classes))} if classes else {})


def _write(shape: ET.Element, text: str, texts: Mapping[str, tuple[str, str]]) -> None:
    shown, whole = texts.get(text, (text, text))
    shape.text = printable(shown)
    if shown != whole:
        # SVG's tool tip.
        title = ET.SubElement(shape, "title")
        title.text = printable(whole)


def _rounded(numbers: str) -> str:
    return re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), " ".join(numbers.split()))


def display_width(text: str) -> int:
    """Columns that ``text`` takes: two for a Chinese or Japanese character."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def shortened(text: str, columns: int) -> str:
    """``text`` on one line, cut to ``columns`` with an ellipsis."""
    text = " ".join(printable(text).split())
    if display_width(text) <= columns:
        return text
    while text and display_width(text) > columns - 1:
        text = text[:-1]
    return f"{text}…"
