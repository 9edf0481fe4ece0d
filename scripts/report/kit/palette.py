"""Colours. Charts name them as CSS variables, so that the page's theme recolours them; pictures get the light ones.

Deep and wide are blue and orange, which stay apart in all common forms of colour blindness, and differ in shape too.
"""

LIGHT = {
    "ink": "#1c1c1a",
    "soft": "#5b5b55",
    "rule": "#d8d6ce",
    "paper": "#fdfcf9",
    "deep": "#0b5f9e",
    "wide": "#b4520a",
    "sweep": "#6a6a64",
    "ceiling": "#7a1f4b",
}
DARK = {
    "ink": "#e9e7e1",
    "soft": "#aeaca4",
    "rule": "#3c3b37",
    "paper": "#171715",
    "deep": "#74b6ee",
    "wide": "#f0a15c",
    "sweep": "#a3a199",
    "ceiling": "#e58ab5",
}
SERIES = ("deep", "wide", "sweep")


def css(name: str) -> str:
    """The variable that holds the colour."""
    if name not in LIGHT:
        raise KeyError(name)
    return f"var(--{name})"


def resolved(spec_json: str) -> str:
    """A Vega-Lite specification as JSON with the light colours in place of the variables."""
    for name, value in LIGHT.items():
        spec_json = spec_json.replace(css(name), value)
    return spec_json
