"""The few chart forms of the page, in Altair. Widths follow the page; a row's name stands above its marks.

Names above marks cost no width, so the same chart is read on a phone, on a desk and on paper.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from scripts.report.kit.palette import SERIES, css

# A row is its name, its setup and its marks.
ROW_STEP = 56
# A row of a chart with bands has a slot for each line of its name and for each mark.
SLOT_HEIGHT = 16
_NAME, _WHERE = "name", "where"
_SHAPES = ["circle", "square", "triangle-up"]
SIDES = ("deep", "wide")
Spec = Mapping[str, object]
Layer = Any


def series_color(names: Sequence[str] = SERIES) -> alt.Color:
    """Deep and wide always in their colours; `names` are those of the legend."""
    return alt.Color(
        "series:N",
        scale=alt.Scale(domain=list(names), range=[css(name) for name in names]),
        legend=alt.Legend(title=None, orient="top"),
    )


def series_shape(names: Sequence[str] = SERIES) -> alt.Shape:
    """The same by form, for those who do not see the colours."""
    return alt.Shape(
        "series:N",
        scale=alt.Scale(domain=list(names), range=[_SHAPES[SERIES.index(name)] for name in names]),
        legend=alt.Legend(title=None, orient="top"),
    )


def tooltip(*fields: tuple[str, str]) -> list[alt.Tooltip]:
    """Exact values on hover; the table under the chart has them too."""
    return [alt.Tooltip(field, title=title, format=".4~g" if field.endswith(":Q") else "") for field, title in fields]


def rows_of(field: str = "row") -> alt.Y:
    """A band for each row, in the order of the data, no axis."""
    return alt.Y(f"{field}:N", sort=None, axis=None, scale=alt.Scale(paddingInner=0.1, paddingOuter=0.4))


def row_names(data: str, first: str = "name", second: str = "where") -> list[Layer]:
    """Above each row's marks its name and, in soft ink, its setup; a rim of paper keeps rules and grids out of them."""
    lines = ((first, -23, "ink", 11.5), (second, -10, "soft", 10.5))
    return [
        named(data)
        .transform_aggregate(count="count()", groupby=["row", first, second])
        .mark_text(
            align="left",
            baseline="bottom",
            dy=dy,
            fontSize=size,
            color=css(color),
            limit=1000,
            stroke=css("paper") if rim else "transparent",
            strokeWidth=4 if rim else 0,
        )
        .encode(x=alt.value(2), y=rows_of(), text=alt.Text(f"{field}:N"))
        for field, dy, color, size in lines
        for rim in (True, False)
    ]


def in_band() -> alt.Y:
    """A band for each setup and pair, divided into slots: two for names, then one for each value of `slot`."""
    return alt.Y("band:N", sort=None, axis=None, scale=alt.Scale(type="band", paddingInner=0.06, paddingOuter=0.06))


def slot(field: str, values: Sequence[str]) -> alt.YOffset:
    """The slot of a mark in its row's band."""
    return alt.YOffset(f"{field}:N", sort=None, scale=_slots(values))


def band_names(data: str, values: Sequence[str], first: str = "pair", second: str = "where") -> list[Layer]:
    """In each band's first two slots its name and, in soft ink, its setup; a rim of paper keeps rules out of them."""
    lines = ((first, _NAME, "ink", 11.5), (second, _WHERE, "soft", 10.5))
    return [
        named(data)
        .transform_aggregate(count="count()", groupby=["band", first, second])
        .mark_text(
            align="left",
            baseline="middle",
            fontSize=size,
            color=css(color),
            limit=1000,
            stroke=css("paper") if rim else "transparent",
            strokeWidth=4 if rim else 0,
        )
        .encode(
            x=alt.value(2),
            y=in_band(),
            yOffset=alt.YOffsetDatum(place, scale=_slots(values)),
            text=alt.Text(f"{field}:N"),
        )
        for field, place, color, size in lines
        for rim in (True, False)
    ]


def finish_bands(layers: Sequence[Layer], slots: int) -> Spec:
    """As `finish`, for bands of so many slots besides their names."""
    size = {"step": SLOT_HEIGHT * (slots + 2) + 6, "for": "position"}
    return _with_theme(alt.layer(*layers).properties(width="container", height=size).to_dict(validate=True))


def _slots(values: Sequence[str]) -> alt.Scale:
    return alt.Scale(domain=[_NAME, _WHERE, *values])


def named(data: str) -> alt.Chart:
    """A chart over one of the page's data sets."""
    return alt.Chart(alt.NamedData(data))


def finish(layers: Sequence[Layer], height: int | None = None) -> Spec:
    """The specification of the layered chart, without a schema address; a height for each row where none is given."""
    size = height if height else {"step": ROW_STEP}
    return _with_theme(alt.layer(*layers).properties(width="container", height=size).to_dict(validate=True))


def _with_theme(spec: dict[str, object]) -> Spec:
    spec.pop("$schema", None)
    stepped = isinstance(spec.get("height"), dict)
    # Charts with a vertical axis have its title between legend and plot.
    legend = {**THEME["legend"], "offset": 4 if stepped else 22}
    spec["config"] = {**THEME, "legend": legend}
    spec["autosize"] = {"type": "fit-x" if stepped else "fit", "contains": "padding"}
    return spec


_SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
THEME: Mapping[str, Any] = {
    "background": None,
    # The element around a chart says what it shows; thousands of marks read one by one help nobody.
    "aria": False,
    "font": _SANS,
    "padding": 2,
    "view": {"stroke": None},
    "axis": {
        "labelColor": css("soft"),
        "titleColor": css("soft"),
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "domainColor": css("rule"),
        "tickColor": css("rule"),
        "gridColor": css("rule"),
        "gridOpacity": 0.6,
        "labelOverlap": True,
        "titleAnchor": "start",
        "tickCount": 6,
    },
    "axisY": {"titleAngle": 0, "titleAlign": "left", "titleY": -8, "titleX": 0, "domain": False, "ticks": False},
    "legend": {
        "labelColor": css("ink"),
        "titleColor": css("soft"),
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "offset": 4,
        # Marks may be translucent; what names their colour is not.
        "symbolOpacity": 1,
    },
}
