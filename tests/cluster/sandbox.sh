#!/bin/sh
# The world that the components of a local cluster live in: a network and mounts of their own. Run by
# `unshare --mount --net`; stays, because the namespaces go away with the last process that is in them.
# Arguments: the cluster's folder, the addresses of its nodes.
set -eu
home=$1
shift

# The folder under a short name. /run, /tmp and /var/log are written by components to paths that can't be configured.
mount --bind "$home" /mnt
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/longtask /run/lock
mount --move /mnt /run/longtask
mount --bind /run/longtask/tmp /tmp
mount --bind /run/longtask/var-log /var/log

# The kubelet sets these for the whole kernel. It finds what it wants in files that lie over them, so the host keeps its own.
while read -r setting value; do
	test -e "/proc/sys/$setting" || continue
	file=/run/sysctl-$(echo "$setting" | tr / -)
	echo "$value" >"$file"
	mount --bind "$file" "/proc/sys/$setting"
done <<-END
	vm/overcommit_memory 1
	vm/panic_on_oom 0
	kernel/panic 10
	kernel/panic_on_oops 1
	kernel/keys/root_maxkeys 1000000
	kernel/keys/root_maxbytes 25000000
END
mount --make-rshared /

# Loopback carries the nodes' addresses. Nothing else is routed, so a pod's packet to the world is refused at once.
ip link set lo up
for address; do ip address add "$address/32" dev lo; done
ip route add "$SERVICE_NETWORK" dev lo
echo 1 >/proc/sys/net/ipv4/ip_forward

touch /run/longtask/run/sandbox.ready
exec sleep infinity
