"""The small worlds that are searched: what each holds, and how much may go wrong in it.

Together they cover every kind of edit, fault and harm; none of them all at once, or a search would never end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.model.objects import Program
from tests.model.world import Edit, Fault, Harm, Setting

TOGGLES: Final = (Edit.RUN, Edit.SUSPEND)
WISHES: Final = (*TOGGLES, Edit.TERMINATE)
CHANGES: Final = (Edit.SUSPEND, Edit.RUN, Edit.TEMPLATE, Edit.LIMIT, Edit.DELETE, Edit.DELETE_FOREGROUND, Edit.RECREATE)

PROMPT: Final = Setting(operator_lags=False, controller_lags=False)
"""Everybody hears of everything at once. Requests and workers still take their time."""

SMALL_WORLDS: Final = {
    "a user who can't decide": replace(PROMPT, edits=WISHES, most_edits=3),
    "an operator that is behind": Setting(edits=WISHES, most_edits=1, controller_lags=False),
    "a Job controller that is behind": Setting(edits=WISHES, most_edits=2, operator_lags=False),
    "everybody is behind": Setting(edits=TOGGLES, most_edits=2),
    "one write at a time": replace(PROMPT, edits=WISHES, most_edits=2, step_by_step=True),
    "requests that go astray": replace(PROMPT, edits=WISHES, most_edits=2, faults=tuple(Fault), most_faults=1),
    "bad luck": replace(PROMPT, edits=WISHES, most_edits=1, harms=tuple(Harm), most_harms=1),
    "bad luck twice": replace(PROMPT, edits=(Edit.SUSPEND,), most_edits=1, harms=tuple(Harm), most_harms=2),
    "changes of every kind": replace(PROMPT, edits=CHANGES, most_edits=2),
    "a program that knows no protocol": replace(
        PROMPT, program=Program.PLAIN, edits=TOGGLES, most_edits=3, exits_on_term=(143, 0, 78)
    ),
    "a program that is disturbed": replace(
        PROMPT,
        program=Program.PLAIN,
        edits=TOGGLES,
        most_edits=1,
        exits_on_term=(143, 0, 78),
        harms=(Harm.EVICT, Harm.DELETE_POD, Harm.DELETE_JOB, Harm.CRASH),
        most_harms=1,
    ),
    "a program whose file is saved for it": replace(
        PROMPT, program=Program.FILED, edits=TOGGLES, most_edits=3, exits_on_term=(143, 0, 78)
    ),
    "a program whose file is saved, disturbed": replace(
        PROMPT,
        program=Program.FILED,
        edits=TOGGLES,
        most_edits=1,
        exits_on_term=(143, 0),
        harms=(Harm.EVICT, Harm.DELETE_POD, Harm.DELETE_JOB, Harm.CRASH, Harm.KILL, Harm.DEAF, Harm.LOSE_NODE),
        most_harms=1,
    ),
    "a program whose file is saved, and an operator that is behind": Setting(
        program=Program.FILED,
        edits=(Edit.SUSPEND,),
        most_edits=1,
        harms=(Harm.EVICT, Harm.DELETE_POD),
        most_harms=1,
        controller_lags=False,
    ),
    "a worker that is asked before it is stopped": replace(PROMPT, waits=True, work=2, edits=WISHES, most_edits=3),
    "a worker that is asked, disturbed": replace(
        PROMPT,
        waits=True,
        edits=TOGGLES,
        most_edits=2,
        harms=(Harm.EVICT, Harm.DELETE_POD, Harm.CRASH, Harm.LOSE_NODE, Harm.DELETE_JOB),
        most_harms=1,
    ),
    "a task that is deleted when it has ended": replace(
        PROMPT, ttl=0, edits=(*WISHES, Edit.RECREATE), most_edits=2, harms=(Harm.NEVER,), most_harms=1
    ),
    "a task that is started over": replace(
        PROMPT, work=2, edits=(*TOGGLES, Edit.RESTART), most_edits=2, harms=(Harm.CRASH, Harm.DELETE_JOB), most_harms=1
    ),
    "a task that is started over, disturbed": replace(
        PROMPT, edits=(Edit.RESTART,), most_edits=2, faults=tuple(Fault), most_faults=1
    ),
    "a task whose time is limited": replace(
        PROMPT, deadline=60, edits=WISHES, most_edits=2, harms=(Harm.TIME, Harm.CRASH), most_harms=2
    ),
    "a worker that makes no progress": replace(
        PROMPT,
        progress_deadline=60,
        edits=TOGGLES,
        most_edits=1,
        harms=(Harm.TIME, Harm.CRASH, Harm.DEAF),
        most_harms=2,
    ),
    "a task that is cleaned up": replace(
        PROMPT,
        cleanup=True,
        edits=(*WISHES, Edit.DELETE, Edit.DELETE_FOREGROUND, Edit.NO_CLEANUP),
        most_edits=2,
        harms=(Harm.CRASH,),
        most_harms=1,
    ),
    "a task that is cleaned up, with requests that go astray": replace(
        PROMPT,
        cleanup=True,
        edits=(Edit.TERMINATE, Edit.DELETE),
        most_edits=2,
        faults=tuple(Fault),
        most_faults=1,
    ),
    "two operators": replace(PROMPT, operators=2, edits=WISHES, most_edits=2),
    "two operators that are behind": Setting(operators=2, edits=TOGGLES, most_edits=1, controller_lags=False),
}
