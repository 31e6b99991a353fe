#!/bin/bash
# What a host has that an installation could leave behind: files with their sizes and times, interfaces, rules, mounts,
# processes, units. Not what every boot and every login changes, and what packages make for themselves (haproxy).
set -euo pipefail
prune=()
for path in /proc /sys /run /tmp /dev /var/log /var/cache /var/lib/systemd /var/lib/private /root/.ansible /etc/machine-id /var/lib/haproxy; do
  prune+=(-path "$path" -o)
done
prune+=(-false)
find / -xdev \( "${prune[@]}" \) -prune -o -type f -printf 'file %p %s %m %T@\n' | sort
find / -xdev \( "${prune[@]}" \) -prune -o -type d -printf 'folder %p\n' | sort
for folder in /var/lib/kubelet /var/lib/etcd /var/lib/containerd; do find "$folder" | sort; done
ip -br link | awk '{print "link", $1}' | cut -d@ -f1 | sort
ip -4 route | sed 's/^/route /'
nft list ruleset
cut -d' ' -f2 /proc/mounts | grep -v '^/run/user\|^/run/credentials\|^/tmp' | sed 's/^/mount /' | sort
ps -eo comm= | grep -v 'sshd\|ps\|sh\|systemd\|sd-pam\|sftp\|find\|sort\|grep\|awk\|cut\|sed\|agetty\|python' | sed 's/^/process /' | sort
for name in net.ipv4.ip_forward net.ipv4.ip_local_port_range net.core.somaxconn; do
  echo "sysctl $name $(sysctl -n "$name")"
done
systemctl list-unit-files --no-legend --state=enabled | awk '{print "enabled", $1}'
