#!/bin/sh
# Runs test files inside the emulated machine, each to its end: `MARK run FILE`, its output, `MARK ended STATUS FILE`.
exec </dev/null 2>&1
folder=$(dirname "$0")
parameter() { sed -n "s/.* $1=\([^ ]*\).*/\1/p" /proc/cmdline; }

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/tmp CI=true RESTEER_EMULATED=1
RESTEER_EXECUTABLE=$(parameter executable)
RESTEER_SLOWNESS=$(parameter slowness)
export RESTEER_EXECUTABLE RESTEER_SLOWNESS
mkdir -p /run/netns /lib/modules
ln -sfn "$(parameter modules)" "/lib/modules/$(uname -r)"
ln -sfn "$(command -v busybox)" /run/modprobe
modprobe() { /run/modprobe "$@"; }
echo /run/modprobe >/proc/sys/kernel/modprobe
# for its settings; what else is needed the kernel loads as it is asked for
modprobe nf_conntrack_netlink
ip link set lo up
for file in "$folder"/*.test.mjs; do
	echo "@@ run $(basename "$file")"
	"$(parameter node)" "$file"
	echo "@@ ended $? $(basename "$file")"
done
busybox poweroff -f
