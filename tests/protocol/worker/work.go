package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"
)

// work is the position: whatever else is needed follows from it.
type work struct {
	Next  int `json:"next"`  // every number below it is done
	Found int `json:"found"` // so many of them are primes
}

// progress is what people see of it.
type progress struct {
	Done    int `json:"done"`
	Total   int `json:"total"`
	Percent int `json:"percent"`
}

// snapshot is a position on its way to the API server.
type snapshot struct {
	cause    string
	data     string
	progress progress
}

var (
	limit  = int(number("LIMIT", 1000))
	size   = int(number("BATCH", 100))
	pace   = time.Duration(number("PACE", 0)) * time.Millisecond
	inputs = bufio.NewReader(os.Stdin)
)

// goOn begins where the data says, or at zero when there is none yet.
func goOn(data string) (*work, error) {
	position := &work{}
	if data == "" {
		return position, nil
	}
	decoder := json.NewDecoder(bytes.NewBufferString(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(position); err != nil || position.Next < 0 || position.Next > limit {
		return nil, fmt.Errorf("the saved data was not written by this program: %.40q", data)
	}
	return position, nil
}

func (w *work) done() bool { return w.Next >= limit }

// batch does the next numbers. SIGTERM does not end it.
func (w *work) batch() {
	first := w.Next
	fmt.Println("begin", first)
	begun := time.Now()
	if os.Getenv("STEPS") != "" {
		inputs.ReadString('\n')
	}
	end := min(first+size, limit)
	for candidate := first; candidate < end; candidate++ {
		if isPrime(candidate) {
			w.Found++
		}
	}
	w.Next = end
	time.Sleep(pace - time.Since(begun))
	fmt.Println("end", first)
}

func (w *work) snapshot(cause string) snapshot {
	data, err := json.Marshal(w)
	if err != nil {
		panic(err) // two integers
	}
	return snapshot{cause, string(data), progress{w.Next, limit, w.Next * 100 / max(1, limit)}}
}

func isPrime(candidate int) bool {
	for divisor := 2; divisor*divisor <= candidate; divisor++ {
		if candidate%divisor == 0 {
			return false
		}
	}
	return candidate > 1
}

func number(name string, otherwise float64) float64 {
	if value, err := strconv.ParseFloat(os.Getenv(name), 64); err == nil {
		return value
	}
	return otherwise
}
