"""Lists of conditions: times that move only with the status, and nothing said that need not be."""

from __future__ import annotations

from longtask.api.names import ConditionType, Reason
from longtask.core.conditions import MESSAGE_LIMIT, Claim, is_true, merge, reason_of
from tests.unit.core.builders import NOW, a_condition, ago

READY, STALLED = ConditionType.READY, ConditionType.STALLED


def merged(*present: object, **claim: object) -> list[tuple[str, str, str]]:
    """Type, status and reason after a claim on top of the present conditions."""
    found = merge(tuple(present), (Claim(**claim),), generation=2, now=NOW)  # type: ignore[arg-type]
    return [(c.type, c.status, c.reason) for c in found]


def test_what_is_true_is_said() -> None:
    assert merged(type=STALLED, status=True, reason="No") == [("Stalled", "True", "No")]


def test_what_is_false_and_was_never_said_is_left_out() -> None:
    assert merged(type=STALLED, status=False, reason="Fine") == []


def test_what_is_false_but_was_true_is_said() -> None:
    assert merged(a_condition(STALLED, "No"), type=STALLED, status=False, reason="Fine") == [
        ("Stalled", "False", "Fine")
    ]


def test_what_must_always_be_there_is_said_even_if_it_is_false() -> None:
    assert merged(type=READY, status=False, reason="Fine", always=True) == [("Ready", "False", "Fine")]


def test_what_nobody_speaks_of_stays() -> None:
    assert merged(a_condition(STALLED, "No"), type=READY, status=True, reason="Fine") == [
        ("Stalled", "True", "No"),
        ("Ready", "True", "Fine"),
    ]


def test_the_time_of_transition_moves_with_the_status_only() -> None:
    (same,) = merge(
        (a_condition(READY, "Old"),), (Claim(type=READY, status=True, reason="New"),), generation=2, now=NOW
    )
    (other,) = merge(
        (a_condition(READY, "Old"),), (Claim(type=READY, status=False, reason="New"),), generation=2, now=NOW
    )
    assert (same.last_transition_time, same.reason) == (ago(minutes=5), "New")
    assert other.last_transition_time == NOW


def test_a_message_that_alternates_is_kept_while_reason_and_status_are_the_same() -> None:
    old = a_condition(STALLED, Reason.IMAGE_PULL, message="ErrImagePull")
    same = Claim(type=STALLED, status=True, reason=Reason.IMAGE_PULL, message="ImagePullBackOff")
    assert merge((old,), (same,), generation=2, now=NOW)[0].message == "ErrImagePull"
    ended = Claim(type=STALLED, status=False, reason=Reason.IMAGE_PULL, message="pulled")
    assert merge((old,), (ended,), generation=2, now=NOW)[0].message == "pulled"
    other = Claim(type=STALLED, status=True, reason=Reason.QUOTA_EXCEEDED, message="full")
    assert merge((old,), (other,), generation=2, now=NOW)[0].message == "full"


def test_every_other_message_is_always_the_latest() -> None:
    old = a_condition(STALLED, Reason.QUOTA_EXCEEDED, message="9 of 10")
    claim = Claim(type=STALLED, status=True, reason=Reason.QUOTA_EXCEEDED, message="10 of 10")
    assert merge((old,), (claim,), generation=2, now=NOW)[0].message == "10 of 10"


def test_a_long_message_is_cut() -> None:
    claim = Claim(type=READY, status=True, reason="R", message="x" * 10_000)
    assert len(merge((), (claim,), generation=1, now=NOW)[0].message) == MESSAGE_LIMIT


def test_a_condition_can_be_asked_for() -> None:
    conditions = (a_condition(READY, "Fine"), a_condition(STALLED, "No", status=False))
    assert (is_true(conditions, READY), is_true(conditions, STALLED), is_true((), READY)) == (True, False, False)
    assert (reason_of(conditions, STALLED), reason_of(conditions, ConditionType.FAILED)) == ("No", None)
