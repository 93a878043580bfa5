#!/usr/bin/env bash
# What the image of a node holds: the program without its symbols, the libraries that it loads, authorities and time zones, and
# nothing that could run anything else, no shell either. The Dockerfile copies it into an empty image.
#   docker/lib/image_root.sh PROGRAM FOLDER SYMBOLS
# SYMBOLS is where the symbols go: a debugger finds them beside a program of the same build.
set -euo pipefail
program=$1 root=$2 symbols=$3

mkdir -p "$root"/{etc/ssl/certs,tmp,usr/local/bin,usr/share}
chmod 1777 "$root/tmp"
objcopy --only-keep-debug "$program" "$symbols"
strip --strip-all -o "$root/usr/local/bin/martlet" "$program"
(cd "$(dirname "$symbols")" && objcopy --add-gnu-debuglink="$(basename "$symbols")" "$root/usr/local/bin/martlet")

# MariaDB's library loads its ways to log in by itself.
plugins=(/usr/lib/*-linux-gnu/libmariadb3/plugin/{caching_sha2_password,client_ed25519,sha256_password,mysql_clear_password}.so)
for plugin in "${plugins[@]}"; do
    [[ ! -e $plugin ]] || install -D -m 0644 "$plugin" "$root$plugin"
done
ldd "$program" $(compgen -G '/usr/lib/*-linux-gnu/libmariadb3/plugin/*.so' || true) \
    | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(/ { print $1 }' | sort -u \
    | while IFS= read -r library; do install -D -m 0755 "$library" "$root$library"; done

cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cp -r /usr/share/zoneinfo "$root/usr/share/"
printf 'root:x:0:0::/:/none\nmartlet:x:10001:10001::/:/none\n' >"$root/etc/passwd"
printf 'root:x:0:\nmartlet:x:10001:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
