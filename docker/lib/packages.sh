# Debian packages: which are missing, and installing just those.

build_packages=(git ca-certificates libhiredis-dev zlib1g-dev libsqlite3-dev libpq-dev libmariadb-dev)
# What the tests start; libfaketime gives nodes a wrong clock, databases are the archive's, python3-redis runs the worker of the
# pages, and nodes stand behind each load balancer.
test_packages=(redis-server libfaketime openssl python3-redis postgresql mariadb-server-core nginx haproxy caddy)

# Whether what we need of a package is here, wherever it came from.
have_package() {
    case $1 in
        git) command -v git >/dev/null ;;
        ca-certificates) [[ -e /etc/ssl/certs/ca-certificates.crt ]] ;;
        libhiredis-dev) have_header hiredis/hiredis.h ;;
        zlib1g-dev) have_header zlib.h ;;
        libsqlite3-dev) have_header sqlite3.h ;;
        libpq-dev) have_header postgresql/libpq-fe.h || have_header libpq-fe.h ;;
        libmariadb-dev) have_header mariadb/mysql.h ;;
        postgresql) compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ;;
        mariadb-server-core) command -v mariadbd >/dev/null ;;
        redis-server) command -v redis-server >/dev/null && command -v redis-cli >/dev/null ;;
        libfaketime) compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null ;;
        nginx | haproxy | caddy) command -v "$1" >/dev/null ;;
        libnginx-mod-nchan) [[ -e /usr/lib/nginx/modules/ngx_nchan_module.so ]] ;;
        chromium) command -v chromium >/dev/null ;;
        python3-redis) /usr/bin/python3 -c 'import redis' 2>/dev/null ;;
        esbuild) command -v esbuild >/dev/null ;;
        nodejs) command -v node >/dev/null ;;
        node-typescript) command -v tsc >/dev/null ;;
        node-react) [[ -e /usr/share/nodejs/react/package.json ]] ;;
        node-react-dom) [[ -e /usr/share/nodejs/react-dom/package.json ]] ;;
        openssl) command -v openssl >/dev/null ;;
        php-cli) command -v php >/dev/null ;;
        php-illuminate-broadcasting) [[ -e /usr/share/php/Illuminate/Broadcasting/autoload.php ]] ;;
        php-illuminate-http) [[ -e /usr/share/php/Illuminate/Http/autoload.php ]] ;;
        prometheus) command -v prometheus >/dev/null && command -v promtool >/dev/null ;;
        systemd) command -v systemd-analyze >/dev/null ;;
        python3-venv) python3 -c 'import ensurepip' 2>/dev/null ;;
        *) die "no way is known to tell whether \"$1\" is here" ;;
    esac
}

have_header() {
    [[ -e /usr/include/$1 || -e /usr/local/include/$1 ]]
}

# need_packages NAME...: installs those that are missing, having said which. Swift itself is the one thing that must be here.
need_packages() {
    command -v swift >/dev/null \
        || die "no swift here: install Swift 6.3 or later, see https://www.swift.org/install/linux/"
    local missing=() package
    for package in "$@"; do
        have_package "$package" || missing+=("$package")
    done
    if [[ ${#missing[@]} -gt 0 ]]; then
        install_packages "${missing[@]}"
    fi
}

install_packages() {
    command -v apt-get >/dev/null \
        || die "these are missing, and there is no apt-get here to install them: $*"
    local as_root=()
    if [[ $(id -u) -ne 0 ]]; then
        command -v sudo >/dev/null \
            || die "these are missing: $*. Neither root nor sudo here; have root run: apt-get install $*"
        as_root=(sudo)
        # Asking for a password needs somebody to type it.
        [[ -t 0 ]] || sudo -n true 2>/dev/null \
            || die "these are missing: $*. sudo wants a password and nobody is here to type it: sudo apt-get install $*"
    fi
    say "Installing what is missing here, by apt: $* (no system service is started)"
    "${as_root[@]}" bash docker/lib/install-as-root.sh "$@" || die "apt could not install: $*"
}
