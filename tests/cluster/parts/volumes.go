//go:build !clients

package main

import (
	"fmt"
	"os"

	"github.com/fsnotify/fsnotify"
)

const volumes = "/tmp/hostpath_pv"

// withOpenVolumes lets everybody write to the volumes that the controller manager makes, as those of kind and of real
// provisioners can be written to by pods that are not root. Its own are folders of the host with mode 0750, and the
// fsGroup of a pod does nothing to a folder of the host.
func withOpenVolumes(program func()) func() {
	return func() {
		watcher, err := fsnotify.NewWatcher()
		if err == nil {
			err = os.MkdirAll(volumes, 0o755)
		}
		if err == nil {
			err = watcher.Add(volumes)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "watching", volumes+":", err)
			os.Exit(1)
		}
		go open(watcher)
		program()
	}
}

func open(watcher *fsnotify.Watcher) {
	for event := range watcher.Events {
		if event.Has(fsnotify.Create) {
			if err := os.Chmod(event.Name, 0o777); err != nil {
				fmt.Fprintln(os.Stderr, "opening a volume:", err)
			}
		}
	}
}
