// A worker in Go, written from docs/worker-protocol.md alone: it shows that anybody can. It counts primes, some
// numbers a batch, and uses nothing but Go's standard library. It must not know anything that is not on that page.
//
// LIMIT: count the primes below it. BATCH: so many numbers a batch. PACE: milliseconds that a batch takes at least.
// STEPS: if set, every batch waits for a line on stdin, so that a test decides what happens when.
// SAVE_EVERY: milliseconds between two saves.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	exitDone       = 0
	exitFailed     = 1
	exitSaved      = 75
	exitNeverRetry = 78
)

// An ending is how and why a worker leaves.
type ending struct {
	code   int
	reason string // what the clean-up is told
	words  string
}

func (e *ending) Error() string { return e.words }

func failed(format string, values ...any) *ending {
	return &ending{exitFailed, "failed", "failed: " + fmt.Sprintf(format, values...)}
}

// A stop is the mark that SIGTERM sets.
type stop struct {
	asked   chan struct{} // closed when asked
	until   atomic.Int64  // when saving must be over, in nanoseconds; 0 before
	seconds float64       // of the grace period that saving may use
}

func (s *stop) requested() bool {
	select {
	case <-s.asked:
		return true
	default:
		return false
	}
}

// left is how long saving may still take; an hour while nobody has asked to stop.
func (s *stop) left() time.Duration {
	if !s.requested() {
		return time.Hour
	}
	return time.Until(time.Unix(0, s.until.Load()))
}

// wait waits so long, or until asked to stop.
func (s *stop) wait(long time.Duration) {
	select {
	case <-time.After(long):
	case <-s.asked:
	}
}

func watchSigterm() *stop {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	grace := number("LONGTASK_GRACE_PERIOD_SECONDS", 30)
	reserve := min(30, max(1, grace/10))
	s := &stop{asked: make(chan struct{}), seconds: max(2, grace-reserve)}
	go func() {
		<-signals
		s.until.Store(time.Now().Add(time.Duration(s.seconds * float64(time.Second))).UnixNano())
		close(s.asked)
		fmt.Println("asked to stop: after this batch")
	}()
	return s
}

func main() {
	stop := watchSigterm() // before anything else
	end, primes := live(stop)
	fmt.Println(end.words)
	leaveMessage(end.words)
	if primes != nil {
		fmt.Println("cleanup", end.reason)
	}
	os.Exit(end.code)
}

// live is the whole life of a worker. The work is nil if it was never begun.
func live(stop *stop) (*ending, *work) {
	me, err := whoAmI()
	if err != nil {
		return &ending{exitNeverRetry, "failed", err.Error()}, nil
	}
	door := newDoor(me)
	claimed, end := claim(door, me, stop)
	if end != nil {
		return end, nil
	}
	primes, err := goOn(claimed.Data)
	if err != nil { // not ours: never overwrite it
		if stop.requested() {
			return failed("%v", err), nil
		}
		return &ending{exitNeverRetry, "failed", err.Error()}, nil
	}
	fmt.Println("setup at", primes.Next, "epoch", claimed.Epoch)
	return labour(primes, newSaver(door, me, stop, claimed), stop), primes
}

// labour does batch after batch, until there are none or SIGTERM comes.
func labour(primes *work, saver *saver, stop *stop) *ending {
	due := time.Now().Add(saver.interval())
	for !primes.done() && !stop.requested() {
		primes.batch()
		if end := saver.ended(); end != nil {
			return end
		}
		if time.Now().After(due) && !stop.requested() {
			saver.offer(primes.snapshot("Interval"))
			due = time.Now().Add(saver.interval())
		}
	}
	last := primes.snapshot("Stop")
	if primes.done() {
		last.cause = "Done"
	}
	task, end := saver.finish(last)
	switch {
	case end != nil:
		return end
	case last.cause == "Done":
		return &ending{exitDone, "done", fmt.Sprint("done: ", primes.Found, " primes")}
	default:
		return &ending{exitSaved, wanted(task), fmt.Sprint("saved at ", primes.Next)}
	}
}

func wanted(task longTask) string {
	switch {
	case task.Metadata.DeletionTimestamp != "":
		return "deleted"
	case task.Spec.DesiredState == "Terminate":
		return "terminated"
	case task.Spec.DesiredState == "Suspend":
		return "suspended"
	default:
		return "interrupted"
	}
}

func leaveMessage(words string) {
	path := os.Getenv("LONGTASK_TERMINATION_LOG") // of tests
	if path == "" {
		path = "/dev/termination-log"
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return
	}
	defer file.Close()
	if len(words) > 4000 {
		words = words[:4000]
	}
	fmt.Fprint(file, words)
}
