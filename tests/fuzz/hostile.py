"""Input as an enemy, a bug or a far newer version writes it: any JSON, and sound objects with something broken in them.

Damage is where defects are found: an object of pure noise is refused at its first field, one with a single wrong part
gets everywhere. It must not know who reads it.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = Any
Path = tuple[str | int, ...]

_ABSENT: Final = object()

ODD_TEXTS: Final = st.sampled_from(
    [
        *("", " ", "0", "-1", "²", "٣", "1e9", "9" * 400, "9" * 5000, "True", "null", "\x00", "\ud800", "a\nb"),
        *("0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "292277026596-12-04T15:30:07Z"),
        *("2026-02-30T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T24:00:00Z", "yesterday"),
    ]
)
TEXTS: Final = ODD_TEXTS | st.text(max_size=20)
NUMBERS: Final = (
    st.sampled_from([0, -1, 2**31, 2**53, 2**63, -(2**63), 10**400, 0.5, 1e308, float("nan"), float("inf")])
    | st.integers()
    | st.floats()
)
LEAVES: Final = st.none() | st.booleans() | NUMBERS | TEXTS
ANY_JSON: Final[st.SearchStrategy[Json]] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


def nested(levels: int, *, inside: Json = None) -> Json:
    """Lists in lists, so many."""
    for _ in range(levels):
        inside = [inside]
    return inside


def places(body: Json, path: Path = ()) -> Iterator[Path]:
    """The path of every part of a JSON value but itself."""
    parts = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from places(part, (*path, key))


@st.composite
def damaged(
    draw: st.DrawFn,
    body: Json,
    *,
    most: int = 3,
    spare: Callable[[Path], bool] = lambda _: False,
    with_what: st.SearchStrategy[Json] = ANY_JSON,
) -> Json:
    """The body with one to `most` parts replaced by anything or taken away. Parts that `spare` names stay."""
    made = copy.deepcopy(body)
    for _ in range(draw(st.integers(1, most))):
        paths = [path for path in places(made) if not spare(path)]
        if not paths:
            break
        *parents, last = draw(st.sampled_from(paths))
        target = made
        for key in parents:
            target = target[key]
        value = draw(st.just(_ABSENT) | with_what)
        if value is _ABSENT:
            del target[last]
        else:
            target[last] = value
    return made
