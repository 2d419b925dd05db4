#!/usr/bin/env bash
# Ranks on two hosts, which are namespaces of this machine with a network and a name each, joined by a bridge. They train
# as ranks on one host do. When a link is cut, the job ends on both hosts, and the run goes on afterwards.
#   FADE=build/fade bash tests/shell/ranks_hosts_test.sh      as root; skipped where namespaces cannot be made
if [ -z "${FADE_HOSTS_TEST:-}" ]; then
  for tool in ip bridge unshare nsenter pgrep; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
  namespaces=(unshare --mount --net --pid --fork --kill-child --mount-proc)
  "${namespaces[@]}" ip link add name bridge type bridge || { echo "skipped: no right to make namespaces"; exit 77; }
  FADE_HOSTS_TEST=1 exec "${namespaces[@]}" bash "$0"
fi
. tests/shell/cli_support.sh

# Hosts a and b: a process each, which holds its namespaces. A file with the host's name has the process's number.
ip link add name bridge type bridge
ip link set dev bridge up
ip link set dev lo up
. "$tests/shell/ranks_support.sh"
export TMPDIR=$dir
number=0
for host in a b; do
  unshare --net --uts sh -c "hostname $host && exec sleep infinity" &
  echo $! >$host
  comes grep -qx sleep /proc/$!/comm
  ip link add name to_$host type veth peer name eth0 netns $!
  ip link set dev to_$host master bridge up
  nsenter --net --target $! ip addr add 10.0.0.$((++number))/24 dev eth0
  nsenter --net --target $! ip link set dev eth0 up
  nsenter --net --target $! ip link set dev lo up
done

# on HOST COMMAND..: in the place of ssh
cat >on <<'SH'
#!/bin/sh
cd "$(dirname "$0")" || exit
host=$1
shift
exec nsenter --net --uts --target "$(cat "$host")" sh -c "exec $*"
SH
chmod +x on

# two_hosts ARGUMENTS..: mpirun on host a, with two ranks on each host
two_hosts() {
  ./on a mpirun --mca plm_rsh_agent "$dir/on" --mca btl tcp,self --bind-to none \
    --mca oob_tcp_keepalive_time 1 --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 3 "$@"
}
# trains_on_two_hosts ARGUMENTS..: the call of fade train, by four ranks
trains_on_two_hosts() { two_hosts -np 4 -host a:2,b:2 "$fade" train "$@"; }

ranks_run_files
works "one process trains" train c.yaml --out one
trains_on_two_hosts c.yaml --out hosts >out 2>err || failed "two hosts train: exit code $?"
holds "two hosts train to the same figures" same_figures one hosts 1e-10
ranks_work "four ranks on one host train" 4 train c.yaml --out host
holds "to the same bits" same_checkpoint hosts/step-100 host/step-100

two_hosts -np 2 -host a:2 "$fade" train c.yaml --out other : \
  -np 2 -host b:2 "$fade" train c.yaml --set seed=2 --out other >out 2>err && failed "unequal seeds train"
holds "an error names the hosts" grep -q "^fade: seed: 1 on rank 0 on a, 2 on rank 2 on b " err

# A run without an end, until its link is cut.
trains_on_two_hosts c.yaml "${endless[@]}" --out cut >out 2>err &
comes test -e cut/latest || fatal "the run to be cut does not begin"
ip link set dev to_b down
wait $! && failed "a run whose link is cut ends with exit code 0"
holds "a cut link ends the job, with the names of the hosts" grep -q "Remote daemon: .* on node b" err
no_rank_left() { ! pgrep -x "$(basename "$fade")" >no_rank; }
comes no_rank_left || fatal "ranks are left after the link was cut"
ip link set dev to_b up
link_is_up() {
  nsenter --net --target "$(cat b)" ip link show dev eth0 | grep -q "state UP" &&
    bridge link show dev to_b | grep -q "state forwarding"
}
comes link_is_up || fatal "the link does not come back"
# The first packets after it may still be lost. No program listens there: a refusal is an answer.
hosts_meet() {
  for pair in "a 10.0.0.2" "b 10.0.0.1"; do
    # shellcheck disable=SC2086
    set -- $pair
    nsenter --net --target "$(cat "$1")" python3 -c '
import errno, socket, sys
with socket.socket() as s:
    s.settimeout(1)
    sys.exit(s.connect_ex((sys.argv[1], 9)) != errno.ECONNREFUSED)' "$2" || return
  done
}
comes hosts_meet || fatal "the hosts do not reach each other again"
step=$(($(sed 's/step-//' cut/latest) + 10))
trains_on_two_hosts --resume cut --set train.steps=$step >out 2>err || failed "a cut run is not resumed"
ranks_work "four ranks on one host train as long" 4 train c.yaml "${endless[@]}" --set train.steps=$step --out whole
holds "a cut run goes on as if nothing had been" same_checkpoint cut/step-$step whole/step-$step
finish
