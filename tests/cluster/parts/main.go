// The programs of a Kubernetes cluster in one binary; the name it is started by says which one it is.
//
// Compiling them together, with everything they share, takes minutes and makes one file, where a binary each would
// take several times as long and as much room. With the build tag "clients" only kubectl is inside: enough where
// kind brings the cluster.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"

	_ "k8s.io/client-go/plugin/pkg/client/auth" // a person's kubeconfig may use any of them
)

// programs holds what this binary can be: the name it is started by, and the function that never comes back.
var programs = map[string]func(){"kubectl": kubectl}

func main() {
	name := filepath.Base(os.Args[0])
	if program, known := programs[name]; known {
		program()
		return
	}
	names := make([]string, 0, len(programs))
	for known := range programs {
		names = append(names, known)
	}
	slices.Sort(names)
	fmt.Fprintf(os.Stderr, "%s: start this binary by one of the names %s\n", name, strings.Join(names, ", "))
	os.Exit(64)
}

func kubectl() {
	logs.GlogSetter(cmd.GetLogVerbosity(os.Args)) // nolint:errcheck // kubectl reads its flags again
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
