#!/usr/bin/env bash
# Installs Debian packages without starting their services. Run as root by packages.sh; names of packages as arguments.
set -euo pipefail

policy=/usr/sbin/policy-rc.d
made_policy=no

# Two at once would take each other's policy away.
mkdir -p /run/lock
exec 9>/run/lock/martlet-install.lock
flock 9

clean_up() {
    [[ $made_policy = no ]] || rm -f "$policy"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The maintainer scripts ask policy-rc.d before they start a service: 101 forbids it. One that is already here is the
# machine's own rule and stays as it is.
if [[ ! -e $policy && ! -L $policy ]]; then
    made_policy=yes
    printf '#!/bin/sh\n# While docker/local of Martlet installs packages.\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null
}

# A fresh machine has no package lists, an old one stale lists: fetch them where the first try shows the need.
if ! install "$@" 2>/dev/null; then
    apt-get update -q -o DPkg::Lock::Timeout=300 </dev/null
    install "$@"
fi

# Nor at the next boot: what is enabled here is what this very installation enabled.
if command -v systemctl >/dev/null; then
    for package in "$@"; do
        case $package in
            redis-server | nginx | haproxy | caddy | prometheus | postgresql) systemctl --quiet disable "$package.service" || true ;;
        esac
    done
fi
