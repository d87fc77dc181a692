#!/bin/sh
# in-container COMMAND...: runs it in a container of $RUNTIME as the DaemonSet does, with the files of this machine.
bundle=/run/bundle
mkdir -p $bundle/rootfs
list() { sed 's/.*/"&"/' | paste -s -d ,; }
arguments=$(for each in "$@"; do echo "$each"; done | list)
variables=$(env | grep -E '^(PATH|AZURE_|KUBERNETES_|NODE_|WIMDS_)' | list)
capabilities=$(cat /app/capabilities)
mounts=$(for path in /app /bin /etc /lib /lib64 /run /tmp /usr /var; do
  echo "{\"destination\":\"$path\",\"source\":\"$path\",\"type\":\"none\",\"options\":[\"rbind\",\"rslave\"]},"
done)
cat >$bundle/config.json <<CONFIG
{"ociVersion":"1.0.2","hostname":"node","root":{"path":"rootfs"},
"process":{"user":{"uid":0,"gid":0},"cwd":"/","args":[$arguments],"env":[$variables],"noNewPrivileges":false,
"capabilities":{"bounding":[$capabilities],"effective":[$capabilities],"permitted":[$capabilities]}},
"mounts":[$mounts
{"destination":"/proc","type":"proc","source":"proc"},
{"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","mode=755"]},
{"destination":"/dev/shm","type":"tmpfs","source":"shm","options":["nosuid","noexec","nodev","mode=1777"]},
{"destination":"/sys","type":"sysfs","source":"sysfs","options":["nosuid","noexec","nodev","ro"]},
{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["nosuid","noexec","nodev","ro"]}],
"linux":{"cgroupsPath":"/pods/agent","resources":{"memory":{"limit":469762048},"unified":{"memory.oom.group":"1"}},
"namespaces":[{"type":"pid"},{"type":"ipc"},{"type":"uts"},{"type":"mount"},{"type":"cgroup"}]}}
CONFIG
echo '+memory +pids +cpu' >/sys/fs/cgroup/cgroup.subtree_control
exec "$RUNTIME" run --bundle $bundle agent
