"""Computed names, and the limits that make them fit."""

from __future__ import annotations

from longtask.api.names import MAX_ATTEMPT, MAX_TASK_NAME, Reason, job_name

UID = "1c6b0f5e-7d1a-4e0c-9a55-3f6f0f1f2a3b"


def test_a_job_is_named_after_task_uid_and_attempt() -> None:
    assert job_name("nightly-import", UID, 12) == "nightly-import-1c6b0f5e-12"


def test_a_task_that_is_created_again_has_jobs_of_other_names() -> None:
    assert job_name("a", UID, 1) != job_name("a", "2" + UID[1:], 1)


def test_the_longest_name_leaves_room_for_a_pods_index_and_suffix() -> None:
    """A pod is named <job>-<index>-xxxxx; its name is its host name as well, which has at most 63 characters."""
    longest = job_name("x" * MAX_TASK_NAME, UID, MAX_ATTEMPT)
    assert len(f"{longest}-99999-abcde") <= 63


def test_every_reason_is_one_camel_case_word_and_means_one_thing() -> None:
    assert all(reason.isalpha() and reason[0].isupper() for reason in Reason)
    assert len({reason.value for reason in Reason}) == len(Reason.__members__)
