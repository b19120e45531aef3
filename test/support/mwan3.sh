#!/bin/sh
# shellcheck shell=dash
# What mwan3 (2.12) does to a router's kernel and to its own run-time files, step by step in its order, for tests:
# the same chains, marks, policies, sticky sets, routing rules and files, from the same configuration. IPv4 only,
# without tracking (that is what `connected` and `disconnected` are for) and without flushing connection tracking.
#
#   mwan3.sh ROOT start | stop | reload | take-over
#   mwan3.sh ROOT connected | disconnected | ifup | ifdown INTERFACE
#
# ROOT/etc/config/mwan3 is mwan3's configuration; in ROOT/etc/config/network a section 'config device INTERFACE' has the
# device and the gateway that netifd would know. take-over removes what the router had in mwan3's place. PAUSE is how many
# seconds each step of a start takes, as on a slow router.

root=$1
command=$2
target=${3:-}
here=$(dirname "$0")
run=$root/var/run/mwan3
log=$run/iptables_log

# a busybox may have an ip of its own, which knows no rules such as these
real_ip=$(which ip)
ip() { "$real_ip" "$@"; }

# every section and option as a line: TYPE NAME, or TYPE NAME KEY VALUE
read_config() {
	awk '
		{ gsub(/["\047]/, "") }
		$1 == "config" { type = $2; name = $3; print type, name }
		$1 == "option" || $1 == "list" { print type, name, $2, $3 }
	' "$root/etc/config/mwan3" "$root/etc/config/network"
}
config=$(read_config)

sections() { echo "$config" | awk -v type="$1" 'NF == 2 && $1 == type { print $2 }'; }
items() { echo "$config" | awk -v name="$1" -v key="$2" 'NF == 4 && $2 == name && $3 == key { print $4 }'; }
option() {
	local value
	value=$(items "$1" "$2")
	echo "${value:-$3}"
}

# MARK DEFAULT UNREACHABLE BLACKHOLE of an interface's id
marks_of() { echo "$mask $1" | sh "$here/mwan3Marks.sh"; }
id_of() { sections interface | awk -v name="$1" '$1 == name { print NR }'; }
mark_of() { marks_of "$(id_of "$1")" | awk '{ printf "0x%x", $1 }'; }
hex() { printf '0x%x' "$1"; }

init() {
	mkdir -p "$run/iface_state" "$log"
	[ -e "$run/mmx_mask" ] || option globals mmx_mask 0x3F00 | tr 'A-F' 'a-f' >"$run/mmx_mask"
	mask=$(cat "$run/mmx_mask")
	# the words are numbers
	# shellcheck disable=SC2046
	set -- $(marks_of 1)
	default=$(hex "$2") unreachable=$(hex "$3") blackhole=$(hex "$4")
	unmarked="-m mark --mark 0x0/$mask"
}

# writes down what is to be set, then sets it
restore() {
	cat >"$log/$1.dump"
	iptables-restore -T mangle -w 5 -n <"$log/$1.dump"
}
restore_sets() {
	cat >"$log/ipset-$1.dump"
	ipset restore <"$log/ipset-$1.dump"
}
set_state() { echo "$2" >"$run/iface_state/$1"; }
is_online() { [ "$(cat "$run/iface_state/$1" 2>/dev/null)" = online ]; }
step() { sleep "${PAUSE:-0}"; }

set_sets() {
	# a kernel without list:set
	ipset -! create mwan3_dynamic_ipv4 list:set 2>/dev/null || ipset -! create mwan3_dynamic_ipv4 hash:net
	{
		echo '-! create mwan3_connected_ipv4 hash:net'
		echo 'flush mwan3_connected_ipv4'
		{ ip -4 route | awk '{ print $1 }'; ip -4 route list table local | awk '{ print $2 }'; } |
			grep '^[0-9]' | sed 's/^/-! add mwan3_connected_ipv4 /'
		echo 'add mwan3_connected_ipv4 224.0.0.0/3'
		echo '-! create mwan3_custom_ipv4 hash:net'
		echo 'flush mwan3_custom_ipv4'
	} | restore_sets set_connected_ipv4
}

set_general() {
	local kind
	ip rule add pref 2061 fwmark "$blackhole/$mask" blackhole
	ip rule add pref 2062 fwmark "$unreachable/$mask" unreachable
	{
		echo '*mangle'
		for kind in custom connected dynamic; do
			echo ":mwan3_${kind}_ipv4 - [0:0]"
			echo "-A mwan3_${kind}_ipv4 -m set --match-set mwan3_${kind}_ipv4 dst -j MARK --set-xmark $default/$mask"
		done
		echo ':mwan3_ifaces_in - [0:0]'
		echo ':mwan3_rules - [0:0]'
		echo ':mwan3_hook - [0:0]'
		echo "-A mwan3_hook $unmarked -j CONNMARK --restore-mark --nfmask $mask --ctmask $mask"
		for kind in ifaces_in custom_ipv4 connected_ipv4 dynamic_ipv4 rules; do
			echo "-A mwan3_hook $unmarked -j mwan3_$kind"
		done
		echo "-A mwan3_hook -j CONNMARK --save-mark --nfmask $mask --ctmask $mask"
		for kind in custom connected dynamic; do
			echo "-A mwan3_hook -m mark ! --mark $default/$mask -j mwan3_${kind}_ipv4"
		done
		echo '-A PREROUTING -j mwan3_hook'
		echo '-A OUTPUT -j mwan3_hook'
		echo COMMIT
	} | restore iptables-set_general_iptables-ipv4
}

create_interface() {
	local device id kind mark pref
	device=$(option "$1" device)
	id=$(id_of "$1")
	mark=$(mark_of "$1")
	{
		echo '*mangle'
		echo ":mwan3_iface_in_$1 - [0:0]"
		for kind in custom connected dynamic; do
			echo "-A mwan3_iface_in_$1 -i $device -m set --match-set mwan3_${kind}_ipv4 src $unmarked" \
				"-m comment --comment default -j MARK --set-xmark $default/$mask"
		done
		echo "-A mwan3_iface_in_$1 -i $device $unmarked -m comment --comment $1 -j MARK --set-xmark $mark/$mask"
		iptables -t mangle -w 5 -C mwan3_ifaces_in -m mark --mark "0x0/$mask" -j "mwan3_iface_in_$1" 2>/dev/null ||
			echo "-A mwan3_ifaces_in $unmarked -j mwan3_iface_in_$1"
		echo COMMIT
	} | restore "iptables-create_iface_iptables-$1"
	delete_rules "$id"
	ip rule add pref $((id + 1000)) iif "$device" lookup "$id"
	ip rule add pref $((id + 2000)) fwmark "$mark/$mask" lookup "$id"
	ip rule add pref $((id + 3000)) fwmark "$mark/$mask" unreachable
}

delete_rules() {
	local pref
	for pref in 1000 2000 3000; do
		while ip rule del pref $((pref + $1)) 2>/dev/null; do :; done
	done
}

create_routes() {
	local id
	id=$(id_of "$1")
	ip route flush table "$id" 2>/dev/null
	# the words of a route are its arguments
	# shellcheck disable=SC2086
	ip route list table main | grep -v '^default' | while read -r route; do ip route add table "$id" $route; done
	ip route add table "$id" default via "$(option "$1" gateway)" dev "$(option "$1" device)"
}

delete_interface() {
	local id
	id=$(id_of "$1")
	delete_sticky "$1"
	delete_rules "$id"
	ip route flush table "$id" 2>/dev/null
	{
		echo '*mangle'
		echo "-D mwan3_ifaces_in $unmarked -j mwan3_iface_in_$1"
		echo "-F mwan3_iface_in_$1"
		echo "-X mwan3_iface_in_$1"
		echo COMMIT
	} | restore "iptables-delete_iface_iptables-$1"
}

delete_sticky() {
	local mark set element
	mark=$(printf '0x%08x' "$(mark_of "$1")")
	for set in $(ipset -n list | grep '^mwan3_rule_'); do
		for element in $(ipset list "$set" | grep "$mark" | cut -d ' ' -f 1); do ipset del "$set" "$element"; done
	done
}

# each policy is its last resort alone for a moment, then gets its members one after the other
set_policies() {
	local policy resort member
	for policy in $(sections policy); do
		case $(option "$policy" last_resort unreachable) in
			blackhole) resort=$blackhole ;;
			default) resort=$default ;;
			*) resort=$unreachable ;;
		esac
		{
			echo '*mangle'
			echo ":mwan3_policy_$policy - [0:0]"
			echo "-A mwan3_policy_$policy $unmarked -m comment --comment last_resort -j MARK --set-xmark $resort/$mask"
			echo COMMIT
		} | restore "iptables-create_policies_iptables-$policy"
		lowest=256 total=0
		for member in $(items "$policy" use_member); do set_member "$policy" "$member"; done
		step
	done
}

set_member() {
	local interface metric weight comment share line
	interface=$(option "$2" interface)
	metric=$(option "$2" metric 1)
	weight=$(option "$2" weight 1)
	is_online "$interface" || return 0
	[ "$metric" -le "$lowest" ] || return 0
	if [ "$metric" -lt "$lowest" ]; then
		lowest=$metric total=$weight
		line="-F mwan3_policy_$1
-A mwan3_policy_$1"
		share=
	else
		total=$((total + weight))
		line="-I mwan3_policy_$1"
		share="-m statistic --mode random --probability $(awk -v w="$weight" -v t="$total" 'BEGIN { print w / t }')"
	fi
	comment="-m comment --comment \"$interface $weight $total\""
	{
		echo '*mangle'
		echo "$line $unmarked $share $comment -j MARK --set-xmark $(mark_of "$interface")/$mask"
		echo COMMIT
	} | restore "iptables-set_policy-$2"
}

set_rules() {
	local rule policy
	for rule in $(sections rule); do
		[ "$(option "$rule" sticky 0)" = 1 ] || continue
		echo "-! create mwan3_rule_ipv4_$rule hash:ip,mark markmask $mask timeout $(option "$rule" timeout 600)" |
			restore_sets "set_sticky_ipset-$rule"
	done
	{
		echo '*mangle'
		echo ':mwan3_rules - [0:0]'
		for rule in $(sections rule); do
			case $(option "$rule" use_policy) in
				default) policy="MARK --set-xmark $default/$mask" ;;
				unreachable) policy="MARK --set-xmark $unreachable/$mask" ;;
				blackhole) policy="MARK --set-xmark $blackhole/$mask" ;;
				*) policy=mwan3_policy_$(option "$rule" use_policy) ;;
			esac
			if [ "$(option "$rule" sticky 0)" = 1 ]; then
				sticky_chain "$rule" "$policy"
				policy=mwan3_rule_$rule
			fi
			rule_line "$rule" "$policy"
		done
		echo COMMIT
	} | restore iptables-set_user_rules-ipv4
}

# a client is held to an interface of the policy as it was when the rules were set
sticky_chain() {
	local interface set mark
	set=mwan3_rule_ipv4_$1
	echo ":mwan3_rule_$1 - [0:0]"
	for interface in $(sections interface); do
		iptables -t mangle -w 5 -S "$2" | grep -q -- "--comment \"$interface " || continue
		mark=$(mark_of "$interface")
		echo "-I mwan3_rule_$1 -m mark --mark $mark/$mask -m set ! --match-set $set src,src -j MARK --set-xmark 0x0/$mask"
		echo "-I mwan3_rule_$1 $unmarked -j MARK --set-xmark $mark/$mask"
	done
	echo "-A mwan3_rule_$1 $unmarked -j $2"
	echo "-A mwan3_rule_$1 -m mark ! --mark 0xfc00/0xfc00 -j SET --del-set $set src,src"
	echo "-A mwan3_rule_$1 -m mark ! --mark 0xfc00/0xfc00 -j SET --add-set $set src,src"
}

rule_line() {
	local set proto from to sources ports
	set=$(option "$1" ipset)
	proto=$(option "$1" proto all)
	from=$(option "$1" src_ip)
	to=$(option "$1" dest_ip)
	sources=$(option "$1" src_port)
	ports=$(option "$1" dest_port)
	echo "-A mwan3_rules -p $proto ${from:+-s $from} ${to:+-d $to} ${set:+-m set --match-set $set dst}" \
		"${sources:+-m multiport --sports $sources} ${ports:+-m multiport --dports $ports} $unmarked -j $2"
}

start() {
	local interface
	init
	set_sets
	step
	set_general
	step
	for interface in $(sections interface); do
		[ "$(option "$interface" enabled 0)" = 1 ] || continue
		create_interface "$interface"
		set_state "$interface" "$(option "$interface" initial_state online)"
		create_routes "$interface"
		step
	done
	set_policies
	set_rules
}

clear_mangle() {
	{
		echo '*mangle'
		iptables -t mangle -w 5 -S | sed -n 's/^-A \(\(PREROUTING\|OUTPUT\) -j mwan3_hook\)$/-D \1/p'
		iptables -t mangle -w 5 -S | sed -n 's/^-N \(mwan3_.*\)/-F \1/p'
		iptables -t mangle -w 5 -S | sed -n 's/^-N \(mwan3_.*\)/-X \1/p'
		echo COMMIT
	} | iptables-restore -T mangle -w 5 -n
}

# flows keep their marks: where none is restored they go by the main table
stop() {
	local pref set
	clear_mangle
	for pref in $(ip rule list | sed -n 's/^\([123][0-9][0-9][0-9]\):.*/\1/p'); do ip rule del pref "$pref"; done
	for set in $(ipset -n list | grep '^mwan3_.*_ipv4'); do ipset destroy "$set"; done
	rm -rf "$run"
}

set -e
case $command in
	start) start ;;
	stop | take-over) stop ;;
	reload)
		stop
		step
		start
		;;
	connected | disconnected | ifup | ifdown)
		[ -d "$run" ] || exit 0
		init
		case $command in
			connected) set_state "$target" online ;;
			disconnected) set_state "$target" offline ;;
			ifup)
				create_interface "$target"
				set_state "$target" online
				create_routes "$target"
				;;
			ifdown)
				set_state "$target" offline
				delete_interface "$target"
				;;
		esac
		set_policies
		;;
	*)
		sed -n '3,15s/^# \{0,1\}//p' "$0" >&2
		exit 2
		;;
esac
