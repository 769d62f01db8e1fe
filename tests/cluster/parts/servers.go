//go:build !clients

package main

import (
	"context"
	"os"
	_ "time/tzdata" // CronJobs name time zones

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // metrics of the clients inside
	_ "k8s.io/component-base/metrics/prometheus/version"  // the version as a metric
)

func init() {
	programs["etcd"] = func() { etcdmain.Main(os.Args) }
	programs["kube-apiserver"] = command(apiserver.NewAPIServerCommand)
	programs["kube-controller-manager"] = withOpenVolumes(command(controllers.NewControllerManagerCommand))
	programs["kube-proxy"] = command(proxy.NewProxyCommand)
	programs["kube-scheduler"] = command(func() *cobra.Command { return scheduler.NewSchedulerCommand() })
	programs["kubelet"] = command(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) })
}

// command makes a program of a constructor, so that only the chosen one registers its flags.
func command(create func() *cobra.Command) func() {
	return func() { os.Exit(cli.Run(create())) }
}
