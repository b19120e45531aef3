#!/bin/busybox sh
# shellcheck shell=dash
# The first process of the emulated machine: mounts the host's root for reading, puts a file system in memory over
# it for writing, and hands over to the script that the kernel's command line names.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs devtmpfs /dev
for module in $($b cat /modules/order); do $b insmod "/modules/$module"; done
$b mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose root /host || $b poweroff -f
$b mount -t tmpfs tmpfs /memory
$b mkdir /memory/upper /memory/work
$b mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /new || $b poweroff -f
$b mount -t proc proc /new/proc
$b mount -t sysfs sysfs /new/sys
$b mount -t devtmpfs devtmpfs /new/dev
for folder in dev/shm dev/pts run tmp; do
	$b mkdir -p "/new/$folder"
	$b mount -t tmpfs tmpfs "/new/$folder"
done
script=$($b sed -n 's/.*script=\([^ ]*\).*/\1/p' /proc/cmdline)
exec $b switch_root /new /bin/sh "$script"
