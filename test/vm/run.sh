#!/usr/bin/env bash
# Runs inside.ts in a virtual machine with cgroup v2, without acceleration: Debian's kernel, and what is on this machine in its
# memory. Needs dist/. The runtimes are runc, crun and those of RUNCS; those that are missing are left out.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
node=$(npm exec -- node --print process.execPath)

mkdir -p "$root"/{app,bin,dev,etc/ssl,new,proc,run,sbin,sys,tmp,usr/bin,var} "$work/deb"
ln -s /run "$root/var/run"
(
  cd "$work/deb"
  apt-get download "$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p')"
  dpkg-deb -x ./*.deb .
) >/dev/null
# The modules of the kernel for the redirect's rules and for the networks of pods.
for file in $(cd "$work/deb" && find lib/modules -name '*.ko' | grep -E '/(net/(netfilter|ipv[46])|drivers/net/veth|lib|crypto)'); do
  install -D "$work/deb/$file" "$root/$file"
done
busybox depmod -b "$root" "$(ls "$root/lib/modules")" 2>/dev/null

# install_program FILE [NAME]: copies a program with its libraries.
install_program() {
  cp -L "$1" "$root/bin/${2:-$(basename "$1")}"
  for library in $(ldd "$1" 2>/dev/null | grep -oE '/[^ )]+'); do
    [ -e "$root$library" ] || install -D "$(readlink -f "$library")" "$root$library"
  done
}
install_program "$(command -v busybox)"
for name in ip nft; do install_program "$(command -v $name)"; done
install_program "$node"
runtimes=
for program in $(command -v runc crun || true) ${RUNCS:-}; do
  name=$(basename "$program")-$(wc -w <<<"$runtimes")
  install_program "$program" "$name"
  runtimes+=" $name"
done
npm exec -- node --input-type=module --eval "import { compileNative } from './test/fixtures/native.ts'
  compileNative('wimds-node', '$root/bin/wimds-helper')"
gcc -O1 -o "$root/bin/attacks" test/node/agent/attacks.c
cp -r dist "$root/app/dist"
npm exec -- esbuild test/vm/inside.ts --bundle --platform=node --format=esm --outfile="$root/app/test/vm/inside.mjs" --log-level=warning \
  --banner:js='import{createRequire}from"node:module";const require=createRequire(import.meta.url);'
cp test/vm/container.sh "$root/bin/in-container"
sed -n 's/.*add: \[\(.*\)\]/\1/p' charts/wimds/templates/node-agent.yaml | sed 's/[A-Z_]*/"CAP_&"/g; s/"CAP_"//g' >"$root/app/capabilities"
echo 'root:x:0:0::/:' >"$root/etc/passwd"

# A container cannot pivot from the first file system, so this one is copied.
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t tmpfs -o size=90% none /new
cp -a /app /bin /etc /lib* /run /sbin /tmp /usr /var /new && mkdir /new/dev /new/proc /new/sys
ln -s /bin/modprobe /new/sbin/modprobe
cat >/new/start <<'START'
#!/bin/sh
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs none /run
for name in nf_tables nft_chain_nat nft_nat nft_redir nft_ct nft_reject_inet veth; do modprobe $name; done
ip link set lo up
cd /app
WITHIN_MS=300000 COMPILED_HELPER=/bin/wimds-helper RUNTIMES=@RUNTIMES@ node test/vm/inside.mjs
poweroff -f
START
chmod 755 /new/start
exec switch_root /new /start
INIT
sed -i "s/@RUNTIMES@/'$runtimes'/" "$root/init"
chmod 755 "$root/init" "$root/bin/in-container"
(cd "$root" && find . | cpio --create --format=newc --quiet) >"$work/root.cpio"

timeout "${VM_SECONDS:-1500}" qemu-system-x86_64 -accel tcg -machine q35 -cpu max -smp 2 -m 3072 -display none -serial stdio -no-reboot \
  -nic none -kernel "$work"/deb/boot/vmlinuz-* -initrd "$work/root.cpio" \
  -append 'console=ttyS0 quiet panic=-1 mitigations=off PATH=/bin:/sbin' </dev/null | sed -u 's/\r//' | tee "$work/log"
grep -q '^[0-9]* passed, 0 failed' "$work/log"
