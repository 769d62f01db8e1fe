package main

import (
	"fmt"
	"math"
	"os"
	"sync"
	"time"
)

const forEver = time.Duration(math.MaxInt64)

// saver sends the newest snapshot, beside the work, until it is acknowledged.
type saver struct {
	door  *door
	me    identity
	stop  *stop
	claim checkpoint
	wake  chan struct{}

	lock         sync.Mutex
	waiting      *snapshot // handed over, not yet taken
	last         bool      // the last one was handed over
	acknowledged bool      // and acknowledged
	answered     longTask  // with this
	end          *ending   // what has ended saving
	changed      *sync.Cond
}

func newSaver(door *door, me identity, stop *stop, claim checkpoint) *saver {
	s := &saver{door: door, me: me, stop: stop, claim: claim, wake: make(chan struct{}, 1)}
	s.changed = sync.NewCond(&s.lock)
	go s.run()
	return s
}

func (s *saver) interval() time.Duration {
	return jitter(time.Duration(number("SAVE_EVERY", 10_000)) * time.Millisecond)
}

// offer hands a snapshot over and returns at once; it takes the place of one that still waits.
func (s *saver) offer(newest snapshot) {
	s.lock.Lock()
	s.waiting = &newest
	s.last = s.last || newest.cause != "Interval"
	s.lock.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// ended is what has ended saving, if anything has.
func (s *saver) ended() *ending {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.end
}

// finish saves the last snapshot and returns when it is acknowledged, or when the time to stop is up.
func (s *saver) finish(last snapshot) (longTask, *ending) {
	s.offer(last)
	go func() {
		<-s.stop.asked
		time.Sleep(max(s.stop.left(), 2*time.Second)) // a batch that used up all the time is worth one try
		s.fail(failed("the time to stop is up, and the last save is not acknowledged"))
	}()
	s.lock.Lock()
	defer s.lock.Unlock()
	for !s.acknowledged && s.end == nil {
		s.changed.Wait()
	}
	if s.acknowledged {
		return s.answered, nil
	}
	return longTask{}, s.end
}

func (s *saver) fail(end *ending) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.end == nil && !s.acknowledged {
		s.end = end
	}
	s.changed.Broadcast()
}

func (s *saver) run() {
	sequence := s.claim.Sequence
	for range s.wake {
		for newest := s.take(); newest != nil; newest = s.take() {
			sequence++
			if !s.send(newest, &sequence) {
				return
			}
		}
	}
}

func (s *saver) take() *snapshot {
	s.lock.Lock()
	defer s.lock.Unlock()
	taken := s.waiting
	s.waiting = nil
	return taken
}

// send tries until acknowledged, and tells whether saving may go on.
func (s *saver) send(newest *snapshot, sequence *int64) bool {
	var bearable patience
	at := now()
	for failures := 0; ; failures++ {
		sent := checkpoint{s.claim.Epoch, s.me.podUID, s.me.attempt, *sequence, newest.cause, at, newest.data}
		said, end := s.try(sent, newest.progress)
		switch {
		case end != nil:
			s.fail(end)
			return false
		case said.has(sent):
			fmt.Println("saved", *sequence)
			s.acknowledge(newest, said.task)
			return true
		case bearable.over(kindOf(said), patienceOf(said, forEver)):
			s.fail(failed("%s", said.words))
			return false
		}
		s.pause(failures, said)
		if newer := s.take(); newer != nil { // another body needs another sequence: the first may have been carried out
			newest, at = newer, now()
			*sequence++
		}
	}
}

// pause waits before the next try. The last snapshot ends it early, unless the server has asked to wait: then it ends
// in time for one more try.
func (s *saver) pause(failures int, said answer) {
	begun, long := time.Now(), backOff(failures, 30*time.Second)
	for {
		wait := max(long, said.retryAfter)
		if said.retryAfter == 0 && s.hurried() {
			wait = min(long, 3*time.Second)
		}
		inTime := max(250*time.Millisecond-time.Since(begun), s.stop.left()-2*time.Second)
		left := min(wait-time.Since(begun), inTime)
		if left <= 0 {
			return
		}
		select {
		case <-time.After(left):
			return
		case <-s.wake:
			if said.retryAfter == 0 && s.hurried() {
				return
			}
		}
	}
}

// hurried tells whether somebody waits for the last snapshot.
func (s *saver) hurried() bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.last
}

func (s *saver) acknowledge(saved *snapshot, task longTask) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if saved.cause != "Interval" {
		s.acknowledged, s.answered = true, task
	}
	s.changed.Broadcast()
}

// try sends once. An answer that does not say it all is followed by a look at the task.
func (s *saver) try(sent checkpoint, seen progress) (answer, *ending) {
	long := 10 * time.Second
	if s.stop.requested() {
		long = min(long, max(time.Second, s.stop.left()/3))
	}
	said := s.door.patch(sent, &seen, long)
	if said.has(sent) || said.unknown() || said.status == 401 {
		return said, nil
	}
	found := s.door.get(long)
	if end := gone(found, s.me, s.stop); end != nil {
		return found, end
	}
	if !found.ok() || found.has(sent) {
		return found, nil
	}
	held := found.task.Status.Checkpoint
	if held == nil || held.Epoch != sent.Epoch || held.Holder != sent.Holder || found.task.Status.Attempt != sent.Attempt {
		fenced()
	}
	if state := found.task.Status.State; state == "Complete" || state == "Terminated" {
		return found, &ending{exitFailed, "terminated", "the task is " + state}
	}
	if said.status == 403 || said.status == 404 {
		return said, nil
	}
	return said, failed("the save is refused: %s", said.words)
}

// fenced ends the process: everything belongs to another worker now.
func fenced() {
	const words = "fenced: another worker has the task"
	fmt.Println(words)
	leaveMessage(words)
	os.Exit(exitFailed)
}
