#!/bin/sh
# The marks of ids under a mask, in shell arithmetic: an implementation beside ours to compare with.
# Reads lines 'MASK ID' and writes 'MARK DEFAULT UNREACHABLE BLACKHOLE' for each, all of them in decimal.
while read -r mask id; do
  mask=$((mask))
  places=''
  count=0
  bit=1
  while [ "$bit" -le "$mask" ]; do
    if [ $((mask & bit)) -ne 0 ]; then
      places="$places $bit"
      count=$((count + 1))
    fi
    bit=$((bit << 1))
  done
  last=$(((1 << count) - 1))
  line=''
  for each in "$id" "$last" $((last - 1)) $((last - 2)); do
    mark=0
    left=$each
    for place in $places; do
      [ $((left % 2)) -eq 1 ] && mark=$((mark + place))
      left=$((left / 2))
    done
    line="$line $mark"
  done
  echo "${line# }"
done
