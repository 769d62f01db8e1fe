#!/bin/sh
# Stands in for kind, kubectl, and the engine that kind's nodes are containers of: `standin.sh STATE PROGRAM WORDS...`.
# It keeps in the folder STATE what they would keep, and adds every call to STATE/calls. A file STATE/refuse/PROGRAM-WORD
# makes calls with that first word (options aside) fail with the file's text. It knows nothing of the code under test.
set -eu
state=$1 program=$2
shift 2
printf '%s\t%s\t%s\t%s\t%s\n' "$program" "$PWD" "${KUBECONFIG:-}" "${KIND_EXPERIMENTAL_PROVIDER:-}" "$*" >>"$state/calls"
verb=
for word; do
	case $word in -*) ;; *) verb=$word && break ;; esac
done
if test -e "$state/refuse/$program-$verb"; then
	cat "$state/refuse/$program-$verb" >&2
	exit 1
fi

kind() {
	name=
	for word; do
		case $word in --name=*) name=${word#--name=} ;; esac
	done
	case "$1 $2" in
	"get clusters")
		for node in "$state"/nodes/*-control-plane; do
			test ! -d "$node" || basename "$node" -control-plane
		done
		;;
	"create cluster")
		for node in "$name-control-plane" "$name-worker"; do
			mkdir -p "$state/nodes/$node/kubernetes/manifests" "$state/nodes/$node/services" "$state/nodes/$node/frozen"
			touch "$state/nodes/$node/services/kubelet" "$state/nodes/$node/services/containerd"
		done
		for pod in etcd kube-apiserver kube-controller-manager kube-scheduler; do
			touch "$state/nodes/$name-control-plane/kubernetes/manifests/$pod.yaml"
		done
		;;
	"delete cluster") rm -rf "$state/nodes/$name-control-plane" "$state/nodes/$name-worker" ;;
	"get kubeconfig") echo "kubeconfig of $name" ;;
	"load image-archive")
		for node in "$state"/nodes/"$name"-*; do
			echo docker.io/library/longtask:dev >"$node/images"
		done
		;;
	esac
}

inside() { # a command in a node, whose files are in the folder $node
	case "$*" in
	"sh -c ps -C "*)
		set -- $3
		frozen=$node/frozen/$(printf %.15s "$3")
		test -e "$node/kubernetes/manifests/$3.yaml" || test -e "$node/services/$3" || return 0
		if test -e "$frozen"; then echo Tsl; else echo Ssl; fi
		;;
	"sh -c "*) sh -c "$(printf %s "$3" | sed "s|/etc/kubernetes|$node/kubernetes|g")" ;;
	"systemctl start "*) touch "$node/services/$3" ;;
	"systemctl stop "*) rm -f "$node/services/$3" ;;
	"pkill --signal=STOP --exact "*) touch "$node/frozen/$4" ;;
	"pkill --signal=CONT --exact "*) rm -f "$node/frozen/$4" ;;
	"journalctl "*) echo "a line of the journal" ;;
	"ctr "*" images list --quiet") test ! -e "$node/images" || cat "$node/images" ;;
	esac
}

case "$program $verb" in
kind*) kind "$@" ;;
*" exec")
	node=$state/nodes/$2
	shift 2
	inside "$@"
	;;
esac
