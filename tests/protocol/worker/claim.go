package main

import (
	"fmt"
	"math/rand"
	"time"
)

// patience says how long an answer of a kind may last.
type patience struct {
	kind  string
	since time.Time
}

// over tells whether a kind of answer has lasted for too long.
func (p *patience) over(kind string, bearable time.Duration) bool {
	if p.kind != kind {
		p.kind, p.since = kind, time.Now()
	}
	return time.Since(p.since) >= bearable
}

// backOff is how long to wait after so many failures.
func backOff(failures int, longest time.Duration) time.Duration {
	long := longest
	if failures < 10 {
		long = min(long, 250*time.Millisecond<<failures)
	}
	return jitter(long)
}

func jitter(long time.Duration) time.Duration {
	return time.Duration(float64(long) * (0.85 + 0.3*rand.Float64()))
}

func gone(said answer, me identity, stop *stop) *ending {
	missing := said.status == 404 && said.notFound == me.name
	if !missing && !(said.ok() && said.task.Metadata.UID != me.uid) {
		return nil
	}
	if stop.requested() {
		return &ending{exitSaved, "deleted", "the task was deleted"}
	}
	return &ending{exitNeverRetry, "deleted", "the task was deleted"}
}

// claim makes the task ours, as soon as that is allowed.
func claim(door *door, me identity, stop *stop) (checkpoint, *ending) {
	var sent *checkpoint
	var bearable patience
	for failures := 0; !stop.requested(); failures++ {
		said := door.get(10 * time.Second)
		if end := gone(said, me, stop); end != nil {
			return checkpoint{}, end
		}
		if said.ok() {
			if sent != nil && said.has(*sent) { // it was carried out, though we never heard of it
				return *sent, nil
			}
			if found := said.task.Status.Checkpoint; found != nil && found.Cause == "Done" && found.Attempt == me.attempt {
				return checkpoint{}, &ending{exitDone, "done", "everything was done already"}
			}
			if obstacle := obstacle(said.task, me); obstacle != "" {
				said = answer{status: 403, words: "no claim is allowed: " + obstacle}
			} else {
				sent = next(said.task.Status.Checkpoint, me, sent)
				said = door.patch(*sent, nil, 10*time.Second)
				if said.has(*sent) {
					return *sent, nil
				}
			}
		}
		if bearable.over(kindOf(said), patienceOf(said, 10*time.Minute)) {
			return checkpoint{}, failed("%s", said.words)
		}
		fmt.Println("waiting to claim:", said.words)
		stop.wait(max(said.retryAfter, backOff(failures, time.Second)))
	}
	return checkpoint{}, &ending{exitSaved, "interrupted", "asked to stop before the task was claimed"}
}

func obstacle(task longTask, me identity) string {
	switch {
	case task.Status.State == "Complete" || task.Status.State == "Terminated":
		return "the task is " + task.Status.State
	case task.Spec.DesiredState != "Run":
		return "the task is to " + task.Spec.DesiredState
	case task.Metadata.DeletionTimestamp != "":
		return "the task is being deleted"
	case task.Status.Attempt != me.attempt:
		return fmt.Sprintf("attempt %d has begun", task.Status.Attempt)
	}
	return ""
}

// next is the claim that may follow what was found. After an unknown outcome it is the same one again.
func next(found *checkpoint, me identity, sent *checkpoint) *checkpoint {
	base := checkpoint{}
	if found != nil {
		base = *found
	}
	claim := checkpoint{base.Epoch + 1, me.podUID, me.attempt, base.Sequence, "Claim", now(), base.Data}
	if sent != nil {
		again := claim
		again.Time = sent.Time
		if again == *sent {
			return sent
		}
	}
	return &claim
}

func kindOf(said answer) string {
	switch {
	case said.unknown():
		return "away"
	case said.status == 401:
		return "token"
	}
	return "refused"
}

// patienceOf is how long such an answer is bearable. away: the same for no answer at all.
func patienceOf(said answer, away time.Duration) time.Duration {
	return map[string]time.Duration{"away": away, "token": 2 * time.Minute, "refused": 30 * time.Second}[kindOf(said)]
}

func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000000Z") }
