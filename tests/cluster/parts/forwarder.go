//go:build !clients

package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
)

func init() { programs["forwarder"] = forwarder }

// forwarder carries every connection of a listening socket that it inherited to an address. Its arguments are the
// address and the number of the socket's file descriptor. The socket was opened in the host's network namespace and
// listens on loopback, the forwarder runs in the cluster's: so the API server is reached from the host without an
// interface or a rule on the host.
func forwarder() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "forwarder ADDRESS FILE-DESCRIPTOR")
		os.Exit(64)
	}
	number, _ := strconv.Atoi(os.Args[2])
	listener, err := net.FileListener(os.NewFile(uintptr(number), "listener"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "listening socket:", err)
		os.Exit(64)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "accept:", err)
			os.Exit(1)
		}
		go forward(client.(*net.TCPConn), os.Args[1])
	}
}

func forward(client *net.TCPConn, address string) {
	defer client.Close()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, "dial:", err)
		return // the client sees a closed connection, as when the server is away
	}
	server := connection.(*net.TCPConn)
	defer server.Close()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		io.Copy(client, server) //nolint:errcheck // the peer that is gone needs no message
		client.CloseWrite()     //nolint:errcheck
	}()
	io.Copy(server, client) //nolint:errcheck
	server.CloseWrite()     //nolint:errcheck
	<-answered
}
