#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# In the virtual machine: edgerun on a host with systemd and cgroup v2, by its own commands. One line for each property,
# and the sum at the end.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
edgerun=/mnt/edgerun
passed=0 failed=0

check() { # NAME COMMAND...
  name=$1
  shift
  if output=$("$@" 2>&1); then
    passed=$((passed + 1))
    echo "ok $name"
  else
    failed=$((failed + 1))
    echo "not ok $name"
    echo "$output" | sed 's/^/# /'
  fi
}
equal() { [ "$1" = "$2" ] || { echo "expected \"$2\", found \"$1\""; return 1; }; }
denied() { case $("$@" 2>&1) in *"Operation not permitted"*) ;; *) return 1 ;; esac; }

# bundle ID [SED_EXPRESSION]: the default bundle, without a terminal, that sleeps.
bundle() {
  mkdir -p "/tmp/$1/rootfs/bin" "/tmp/$1/rootfs/proc" "/tmp/$1/rootfs/dev" "/tmp/$1/rootfs/sys"
  cp /bin/busybox "/tmp/$1/rootfs/bin/"
  for applet in sh cat sleep mkdir head grep mknod ls; do ln -s busybox "/tmp/$1/rootfs/bin/$applet"; done
  $edgerun spec --bundle "/tmp/$1"
  sed -i -e 's/"terminal": true/"terminal": false/' -e 's/^\t\t\t"sh"$/\t\t\t"sleep", "1000"/' -e "${2:-}" "/tmp/$1/config.json"
}
# Into a file: a pipe would be held open by the container.
start() { bundle "$1" "${2:-}" && $edgerun run --detach --bundle "/tmp/$1" "$1" >"/tmp/$1.log" 2>&1 </dev/null || { cat "/tmp/$1.log"; false; }; }
status() { $edgerun state "$1" | grep -o '"status": *"[a-z]*"' | grep -o '[a-z]*"$' | tr -d '"'; }
inside() { id=$1; shift; $edgerun exec "$id" sh -c "$*"; }
resources() { printf 's/"resources": {/"resources": {%s,/' "$1"; }
wait_for() { for _ in 1 2 3 4 5 6 7 8 9 10; do eval "$1" && return; sleep 0.5; done; return 1; }

echo "# $(uname -r), $(systemctl --version | head -n 1), $(stat -f -c %T /sys/fs/cgroup)"
echo "# own cgroup: $(cat /proc/self/cgroup)"

bundle once 's/"sleep", "1000"/"sh", "-c", "exit 7"/'
$edgerun run --bundle /tmp/once once
check "the exit code of a foreground run" equal $? 7

check "run of the default bundle" start first
check "it is running" equal "$(status first)" running
dir=/sys/fs/cgroup/system.slice/first
check "its cgroup is beside the service's" equal "$(cut -d: -f3 "/proc/$(cat $dir/cgroup.procs)/cgroup")" /system.slice/first
check "exec is in the same cgroup" equal "$(inside first cat /proc/self/cgroup)" 0::/system.slice/first
check "the controllers are enabled" grep -q 'cpuset cpu io memory.* pids' $dir/cgroup.controllers
check "pause" $edgerun pause first
check "it is paused" equal "$(status first)" paused
check "the kernel has frozen it" grep -q '^frozen 1' $dir/cgroup.events
check "resume" $edgerun resume first
check "it runs on" equal "$(status first)" running
check "the mount inside is the container's own cgroup" equal "$(inside first head -n 1 /sys/fs/cgroup/cgroup.procs)" 1
check "and read-only" eval '! inside first mkdir /sys/fs/cgroup/x'
check "kill" $edgerun kill first KILL
check "it stops" wait_for '[ "$(status first)" = stopped ]'
check "delete" $edgerun delete first
check "its cgroup is gone" [ ! -e $dir ]

limits='"memory": {"limit": 67108864, "swap": 67108864, "reservation": 33554432}, "cpu": {"shares": 512, "quota": 20000, "period": 50000, "cpus": "0"}, "pids": {"limit": 20}, "blockIO": {"throttleReadBpsDevice": [{"major": 254, "minor": 0, "rate": 1048576}]}, "unified": {"memory.oom.group": "1"}'
check "run with limits" start second "$(resources "$limits")"
dir=/sys/fs/cgroup/system.slice/second
while read -r file value; do
  check "$file" equal "$(cat $dir/"$file")" "$value"
done <<'LIMITS'
memory.max 67108864
memory.swap.max 0
memory.low 33554432
memory.oom.group 1
cpu.weight 59
cpu.max 20000 50000
cpuset.cpus 0
pids.max 20
io.max 254:0 rbps=1048576 wbps=max riops=max wiops=max
LIMITS
check "too many processes are refused" eval 'inside second "for i in \$(seq 30); do sleep 9 & done" 2>&1 | grep -q "fork"'
check "delete --force" $edgerun delete --force second

bundle third 's/"sleep", "1000"/"sh", "-c", "head -c 100000000 \/dev\/zero | sleep 1; x=$(head -c 50000000 \/dev\/zero | busybox tr \\\\\\\\0 x); echo $?"/'
sed -i "$(resources '"memory": {"limit": 16777216, "swap": 16777216}, "unified": {"memory.oom.group": "1"}')" /tmp/third/config.json
$edgerun run --bundle /tmp/third third
check "a program that needs more memory than its limit is killed" equal $? 137

node='s/"linux": {/"linux": {"devices": [{"path": "\/dev\/odd", "type": "c", "major": 1, "minor": 200, "fileMode": 438}],/'
check "run with a device that is not allowed" start fourth "$node"
check "it is denied" denied inside fourth ': < /dev/odd'
check "the default devices are not" inside fourth 'echo x > /dev/null; head -c 4 /dev/zero > /dev/null'
check "run with a device that is allowed" start fifth "$node; s/\"access\": \"rwm\"/&}, {\"allow\": true, \"type\": \"c\", \"major\": 1, \"minor\": 200, \"access\": \"r\"/"
check "it is not denied" eval '! denied inside fifth ": < /dev/odd"'
check "for what the rule does not say, it is" denied inside fifth ': > /dev/odd'
check "delete both" eval '$edgerun delete --force fourth && $edgerun delete --force fifth'

check "run with a cgroup namespace and an absolute cgroupsPath" start sixth 's/"linux": {/"linux": {"cgroupsPath": "\/meters\/sixth",/; s/"namespaces": \[/&{"type": "cgroup"},/'
check "its cgroup is below the mount" [ -d /sys/fs/cgroup/meters/sixth ]
check "it sees itself at the root" equal "$(inside sixth cat /proc/self/cgroup)" 0::/
check "the mount inside, too" equal "$(inside sixth head -n 1 /sys/fs/cgroup/cgroup.procs)" 1
check "the options of the host's mount are as before" eval 'findmnt -n -o OPTIONS /sys/fs/cgroup | grep -q nsdelegate'
check "kill --all" $edgerun kill --all sixth KILL
check "delete --force after it" $edgerun delete --force sixth
check "nothing is left" equal "$(find /sys/fs/cgroup/meters /sys/fs/cgroup/system.slice -mindepth 1 -name '[a-z]*th' -o -mindepth 1 -name second)$($edgerun list -q)" ""
check "a limit without its controller names it" eval 'mkdir /sys/fs/cgroup/busy && sh -c "echo 0 > /sys/fs/cgroup/busy/cgroup.procs; exec sleep 1000" & sleep 1; bundle seventh "s/\"linux\": {/\"linux\": {\"cgroupsPath\": \"\/busy\/seventh\",/; $(resources "\"memory\": {\"limit\": 67108864}")"; $edgerun run --bundle /tmp/seventh seventh 2>&1 | grep -q "no cgroup controller \"memory\""'

echo "$passed passed, $failed failed, 0 skipped"
