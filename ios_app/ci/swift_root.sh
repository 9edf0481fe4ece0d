#!/usr/bin/env bash
# A Debian 13 root with Swift, for machines whose own system has none. Made once, kept under build/.
#   swift_root.sh make          makes the root if it is not there (about 2 minutes, 2 GB; needs root and debootstrap)
#   swift_root.sh path          prints where it is; code 1 if it is not made
#   swift_root.sh run CMD...    runs a command in it, the repository at its own path; mounts end with the command
set -euo pipefail
repository="$(cd "$(dirname "$0")/../.." && pwd)"
root="${DEEPNARROW_SWIFT_ROOT:-$repository/build/swift-root}"
packages="swiftlang libc6-dev libstdc++-14-dev binutils libonnxruntime-dev git ca-certificates"

complete() { [ -e "$root/.deepnarrow-complete" ] && [ "$(cat "$root/.deepnarrow-complete")" = "$packages" ]; }

# The mirror that this machine's apt reads its own Debian packages from.
mirror() {
  apt-get indextargets --format '$(CREATED_BY) $(REPO_URI)' | awk '$1 == "Packages" && $2 ~ /\/debian\/?$/ { print $2; exit }'
}

make_root() {
  complete && return 0
  [ "$(id -u)" = 0 ] || { echo "swift_root.sh: making the root needs the user root" >&2; return 1; }
  command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
  local source
  source="$(mirror)"
  [ -n "$source" ] || { echo "swift_root.sh: apt on this machine names no Debian mirror" >&2; return 1; }
  rm -rf "$root"
  mkdir -p "$root"
  debootstrap --variant=minbase trixie "$root" "$source" >"$root.log" 2>&1
  in_root apt-get install -y -qq --no-install-recommends $packages >>"$root.log" 2>&1
  in_root apt-get clean
  echo "$packages" >"$root/.deepnarrow-complete"
}

# Mounts live in a namespace of their own, so that removing build/ can never reach through them.
in_root() {
  REPOSITORY="$repository" ROOT="$root" unshare --mount bash -c '
    set -e
    mount --make-rprivate /
    mount -t proc proc "$ROOT/proc"
    mount --rbind /dev "$ROOT/dev"
    cp -L /etc/resolv.conf "$ROOT/etc/resolv.conf" 2>/dev/null || true
    mkdir -p "$ROOT$REPOSITORY"
    mount --rbind "$REPOSITORY" "$ROOT$REPOSITORY"
    exec chroot "$ROOT" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
      bash -c "cd \"\$0\" && exec \"\$@\"" "$REPOSITORY" "$@"' in_root "$@"
}

case "${1:-}" in
  make) make_root || { tail -5 "$root.log" >&2 2>/dev/null; exit 1; } ;;
  path) complete && echo "$root" ;;
  run) shift; complete || { echo "swift_root.sh: no root at $root; make it first" >&2; exit 2; }; in_root "$@" ;;
  *) echo "usage: swift_root.sh make | path | run CMD..." >&2; exit 2 ;;
esac
