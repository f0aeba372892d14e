"""The table of channels that stand out: worst first, absent where there are none."""

from __future__ import annotations

from paredown._report.outliers import table
from paredown.measurement import StepRecord


def record(where: str, **data: object) -> StepRecord:
    return StepRecord("w8a8", where, "quantized", "computed in integers", data)


def test_worst_first_with_the_steps_left() -> None:
    log = (
        record("a", outlier=5.0, handled="left float"),
        record("<b>", outlier=40.0, handled="range of least error", typical_steps=6.4),
        record("c"),
    )
    page = str(table(log))
    assert page.index("40.0") < page.index("5.0")
    assert "6 of 256" in page
    assert "&lt;b&gt;" in page
    assert "<code>c</code>" not in page


def test_no_table_without_them() -> None:
    assert table((record("a"),)) is None
