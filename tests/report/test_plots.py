"""Pictures: names of users are drawn whole, whatever the font has."""

from __future__ import annotations

import io
import warnings

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nas.report.plots import written_out


def test_characters_that_the_font_lacks_are_written_out_in_titles_and_at_places() -> None:
    figure = Figure()
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_title("ü 世\n€")
    axes.set_yticks([0.0, 1.0], ["界", "owl"], color="#123456")
    axes.set_xticks([])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of what it cannot draw
        written_out(figure).savefig(io.BytesIO(), format="png")
    assert axes.get_title() == "ü \\u4e16\n€"
    labels = axes.get_yticklabels()
    assert [label.get_text() for label in labels] == ["\\u754c", "owl"]
    assert {label.get_color() for label in labels} == {"#123456"}
    assert axes.get_xticklabels() == []
