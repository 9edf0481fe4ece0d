"""One HTML file: scripts, styles, data and charts are inside, and its policy forbids the network."""

import base64
import hashlib
import json
from functools import cache
from pathlib import Path

import altair as alt
import vl_convert as vlc
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from scripts.report.kit.blocks import kind_of
from scripts.report.kit.palette import DARK, LIGHT
from scripts.report.page import Page

_ASSETS = Path(__file__).parent / "assets"


def render_page(page: Page, records: str = "") -> str:
    """The page as HTML; `records` is the element that carries them, or empty.

    Everything that comes out of records goes through Jinja2's escaping, or into a JSON block in which `<` is escaped.
    """
    environment = Environment(
        loader=PackageLoader("scripts.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (_ASSETS / "page.js").read_text(encoding="utf-8")
    details = [{"setup": each.setup, "pair": each.pair} for each in page.details]
    charts = {
        figure.name: {
            "spec": figure.spec,
            "one": figure.one_setup,
            "pair": figure.one_pair,
            "all": figure.all_contexts,
        }
        for figure in page.figures
    }
    return environment.get_template("page.html.j2").render(
        page=page,
        records=Markup(records),
        kind_of=kind_of,
        policy=_policy(vega_bundle(), script),
        style=Markup(_style()),
        vega=Markup(vega_bundle()),
        script=Markup(script),
        blob=_json_block({"data": columnar(page), "charts": charts, "details": details}),
    )


@cache
def vega_bundle() -> str:
    """Vega, Vega-Lite of Altair's version and Vega-Embed in one script."""
    version = alt.SCHEMA_VERSION.removeprefix("v").split(".")
    bundle = vlc.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=f"{version[0]}.{version[1]}")
    if "</script" in bundle.lower():
        raise AssertionError("the bundle cannot be put into a script element")
    return bundle


def columnar(page: Page) -> dict[str, dict[str, object]]:
    """Each data set as columns; texts that repeat are numbers into a list. Rows of one set have the same keys."""
    return {
        name: {key: _column([row[key] for row in rows]) for key in rows[0]} if rows else {}
        for name, rows in page.data.items()
    }


def _column(values: list[str | float | int | bool | None]) -> object:
    if not all(isinstance(value, str) for value in values):
        return values
    texts = list(dict.fromkeys(values))
    places = {text: place for place, text in enumerate(texts)}
    return {"texts": texts, "at": [places[value] for value in values]}


def _json_block(value: object) -> Markup:
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    # Inside a script element only these can end the block or open a comment; as escapes they are the same JSON.
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _policy(*scripts: str) -> str:
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def _style() -> str:
    light = "".join(f"--{name}:{value};" for name, value in LIGHT.items())
    dark = "".join(f"--{name}:{value};" for name, value in DARK.items())
    themes = (
        f":root{{color-scheme:light;{light}}}"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}"
        f"@media print{{:root,:root[data-theme=dark],:root:not([data-theme=light]){{color-scheme:light;{light}}}}}"
    )
    return themes + (_ASSETS / "page.css").read_text(encoding="utf-8")
