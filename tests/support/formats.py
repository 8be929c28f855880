"""Number formats for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from nas.architecture.number_formats import FixedPoint, ScaledInteger

INTEGERS = st.builds(
    ScaledInteger, st.integers(1, 8), st.booleans(), st.sampled_from(("fixed", "learned"))
)
FIXED = st.integers(2, 24).flatmap(
    lambda total: st.builds(
        FixedPoint,
        st.just(total),
        st.integers(1, total),
        st.sampled_from(("round", "truncate")),
        st.sampled_from(("saturate", "wrap")),
    )
)
FORMATS = st.one_of(INTEGERS, FIXED)
FIXED_SCALES = FORMATS.filter(lambda found: getattr(found, "scale", "fixed") == "fixed")
