#!/bin/bash
# Does a writer touch file-system metadata while it writes? Counts journal commits (jbd2) of an ext4 of its own, on a
# loop device, so that nobody else's writes count. Needs root, losetup and mkfs.ext4; exits 77 (skipped) without.
#
#   commit_probe.sh                                     shows that the counter counts: appending writes commit, overwriting
#                                                       written blocks does not
#   commit_probe.sh [options] -- command [argument...]  the same, then runs the command, lets it warm up, counts its
#                                                       commits and writes for a while, and ends it with SIGTERM
#     --warm-up SECONDS   before counting (10)      --ready COMMAND   instead: counting starts when this succeeds
#     --measure SECONDS   of counting (10)          --allow N         commits that still pass (0)
#     --size MEGABYTES    of the file system (2048)
#
# In the command and in --ready, "{}" stands for the mounted folder, which $COMMIT_PROBE_FOLDER names, too. The file system
# commits by itself only every ten minutes, so that times of change written lazily do not count. The last line says
# "commits=N writes=M seconds=S"; the exit code is 1 if there were more commits than allowed, or no writes at all.
set -euo pipefail
export PATH=$PATH:/sbin:/usr/sbin

warm_up=10 measure=10 allow=0 size=2048 ready=
while [ $# -gt 0 ]; do
  case $1 in
    --warm-up) warm_up=$2; shift 2 ;;
    --measure) measure=$2; shift 2 ;;
    --allow) allow=$2; shift 2 ;;
    --size) size=$2; shift 2 ;;
    --ready) ready=$2; shift 2 ;;
    --) shift; break ;;
    *) echo "commit_probe: unknown option $1" >&2; exit 2 ;;
  esac
done

skip() { echo "commit_probe: skipped: $1" >&2; exit 77; }
[ "$(id -u)" = 0 ] || skip "not root"
command -v losetup > /dev/null || skip "no losetup"
command -v mkfs.ext4 > /dev/null || skip "no mkfs.ext4"

work=$(mktemp -d)
folder=$work/mounted
device= child=
clean_up() {
  if [ -n "$child" ]; then
    kill -KILL -- "-$child" 2> /dev/null || true
    wait "$child" 2> /dev/null || true
  fi
  if mountpoint -q "$folder"; then umount "$folder" || umount -l "$folder"; fi
  if [ -n "$device" ]; then losetup -d "$device" || true; fi
  rm -rf "$work"
}
trap clean_up EXIT

mkdir "$folder"
truncate -s "${size}M" "$work/image"
mkfs.ext4 -q -F -J size=64 -m 0 -E lazy_itable_init=0,lazy_journal_init=0 "$work/image"
device=$(losetup --find --show "$work/image") || skip "no loop device"
name=${device#/dev/}
mount -o commit=600 "$device" "$folder" || skip "cannot mount"
info=/proc/fs/jbd2/$name-8/info
[ -r "$info" ] || skip "the kernel does not count jbd2 commits"

commits() { awk 'NR == 1 { print $1 }' "$info"; }
writes() { awk '{ print $5 }' "/sys/block/$name/stat"; }

# Runs a command and prints how many commits it caused.
commits_of() {
  local before
  before=$(commits)
  "$@" > "$work/output" 2>&1 || { cat "$work/output" >&2; exit 1; }
  echo $(($(commits) - before))
}
dsync_writes() { dd if=/dev/zero of="$folder/demonstration" bs=4096 count=200 oflag=direct,dsync "$@"; }

appending=$(commits_of dsync_writes)
sync -f "$folder"
overwriting=$(commits_of dsync_writes conv=notrunc)
rm "$folder/demonstration"
sync -f "$folder"
echo "200 writes that append: $appending commits; 200 that overwrite written blocks: $overwriting commits"
if [ "$appending" -lt 200 ] || [ "$overwriting" -ne 0 ]; then
  echo "commit_probe: the counter does not count as it should here" >&2
  exit 1
fi
[ $# -gt 0 ] || exit 0

export COMMIT_PROBE_FOLDER=$folder
arguments=()
for argument in "$@"; do arguments+=("${argument//\{\}/$folder}"); done
set -m  # the command is the head of a process group of its own, so that its children end with it
"${arguments[@]}" > "$work/output" 2>&1 &
child=$!
set +m
if [ -n "$ready" ]; then
  for _ in $(seq 600); do
    if bash -c "${ready//\{\}/$folder}" > /dev/null 2>&1; then break; fi
    kill -0 "$child" 2> /dev/null || break
    sleep 0.1
  done
else
  sleep "$warm_up"
fi
if ! kill -0 "$child" 2> /dev/null; then
  echo "commit_probe: the command ended before it was measured:" >&2
  tail -20 "$work/output" >&2
  exit 1
fi
commits_before=$(commits) writes_before=$(writes)
sleep "$measure"
counted=$(($(commits) - commits_before)) written=$(($(writes) - writes_before))
kill -TERM -- "-$child" 2> /dev/null || true
for _ in $(seq 300); do kill -0 "$child" 2> /dev/null || break; sleep 0.1; done

echo "commits=$counted writes=$written seconds=$measure"
if [ "$written" -eq 0 ]; then echo "commit_probe: nothing was written" >&2; exit 1; fi
[ "$counted" -le "$allow" ]
