package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// checkpoint has exactly the fields of the protocol; field by field is how == compares two.
type checkpoint struct {
	Epoch    int64  `json:"epoch"`
	Holder   string `json:"holder"`
	Attempt  int64  `json:"attempt"`
	Sequence int64  `json:"sequence"`
	Cause    string `json:"cause"`
	Time     string `json:"time"`
	Data     string `json:"data"`
}

// longTask is what a worker needs of one.
type longTask struct {
	Metadata struct {
		UID               string `json:"uid"`
		DeletionTimestamp string `json:"deletionTimestamp"`
	} `json:"metadata"`
	Spec struct {
		DesiredState string `json:"desiredState"`
	} `json:"spec"`
	Status struct {
		State      string      `json:"state"`
		Attempt    int64       `json:"attempt"`
		Checkpoint *checkpoint `json:"checkpoint"`
	} `json:"status"`
}

// answer is what the API server said; status 0 if it said nothing.
type answer struct {
	status     int
	task       longTask
	words      string
	notFound   string // the name that a Status object says is not there
	retryAfter time.Duration
}

func (a answer) ok() bool { return a.status == 200 }

// unknown tells whether the request may have been carried out, or not.
func (a answer) unknown() bool {
	switch a.status {
	case 0, 408, 409, 429:
		return true
	}
	return a.status >= 500
}

func (a answer) has(sent checkpoint) bool {
	return a.ok() && a.task.Status.Checkpoint != nil && *a.task.Status.Checkpoint == sent
}

// identity is what the operator tells this pod.
type identity struct {
	name, uid, podUID, url, folder string
	attempt                        int64
}

func whoAmI() (identity, error) {
	me := identity{
		name:   os.Getenv("LONGTASK_NAME"),
		uid:    os.Getenv("LONGTASK_UID"),
		podUID: os.Getenv("LONGTASK_POD_UID"),
		folder: "/var/run/secrets/longtask.dev",
	}
	var err error
	me.attempt, err = strconv.ParseInt(os.Getenv("LONGTASK_ATTEMPT"), 10, 64)
	namespace := os.Getenv("LONGTASK_NAMESPACE")
	if err != nil || me.name == "" || me.uid == "" || me.podUID == "" || namespace == "" {
		return me, errors.New("this program runs in a pod of a LongTask only: a LONGTASK_… variable is missing")
	}
	address := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	me.url = "https://" + address
	if url := os.Getenv("LONGTASK_API_SERVER"); url != "" { // of tests
		me.url, me.folder = url, os.Getenv("LONGTASK_CREDENTIALS")
	}
	me.url += "/apis/longtask.dev/v1alpha1/namespaces/" + namespace + "/longtasks/" + me.name
	return me, nil
}

// door makes requests to the API server, from one goroutine at a time.
type door struct {
	me     identity
	client *http.Client
}

func newDoor(me identity) *door {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	transport := &http.Transport{DialContext: dialer.DialContext} // no proxy
	transport.DialTLS = func(network, address string) (net.Conn, error) {
		pem, err := os.ReadFile(me.folder + "/ca.crt") // may be renewed: read for every connection
		if err != nil {
			return nil, err
		}
		authorities := x509.NewCertPool()
		authorities.AppendCertsFromPEM(pem)
		return tls.DialWithDialer(dialer, network, address, &tls.Config{RootCAs: authorities})
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &door{me, &http.Client{Transport: transport, CheckRedirect: stay}}
}

func (d *door) get(long time.Duration) answer { return d.ask("GET", d.me.url, nil, long) }

func (d *door) patch(sent checkpoint, seen *progress, long time.Duration) answer {
	operations := []map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": d.me.uid},
		{"op": "add", "path": "/status/checkpoint", "value": sent},
	}
	if seen != nil {
		operations = append(operations, map[string]any{"op": "add", "path": "/status/progress", "value": seen})
	}
	body, err := json.Marshal(operations)
	if err != nil {
		panic(err) // strings and integers
	}
	return d.ask("PATCH", d.me.url+"/status", body, long)
}

func (d *door) ask(method, url string, body []byte, long time.Duration) answer {
	token, err := os.ReadFile(d.me.folder + "/token") // renewed while we run: read for every request
	if err != nil {
		return answer{words: err.Error()}
	}
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return answer{words: err.Error()}
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "primes-in-go/1")
	if body != nil {
		request.Header.Set("Content-Type", "application/json-patch+json")
	}
	d.client.Timeout = long
	response, err := d.client.Do(request)
	if err != nil {
		return answer{words: err.Error()}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{words: err.Error()}
	}
	return understand(response, text)
}

func understand(response *http.Response, text []byte) answer {
	said := answer{status: response.StatusCode, words: fmt.Sprintf("%s: %.300s", response.Status, text)}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		said.retryAfter = time.Duration(seconds) * time.Second
	}
	if said.ok() {
		if err := json.Unmarshal(text, &said.task); err != nil || said.task.Metadata.UID == "" {
			return answer{words: "the answer is no object: " + said.words}
		}
		return said
	}
	var refusal struct {
		Message string `json:"message"`
		Details struct {
			Name string `json:"name"`
		} `json:"details"`
	}
	if json.Unmarshal(text, &refusal) == nil && refusal.Message != "" {
		said.words, said.notFound = response.Status+": "+refusal.Message, refusal.Details.Name
	}
	return said
}
