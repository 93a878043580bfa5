# How the scripts speak: their own lines stand out from those of the tools that they call.

say() {
    printf '\n── %s\n' "$*"
}

die() {
    printf '\ndocker/local: %s\n' "$*" >&2
    exit 1
}

# step NAME COMMAND...: runs it, says how many seconds it took, and passes its status on.
step() {
    local name=$1 began=$SECONDS status=0
    shift
    say "$name"
    "$@" || status=$?
    if [[ $status -eq 0 ]]; then
        say "$name: $((SECONDS - began)) s"
    else
        say "$name: failed with status $status after $((SECONDS - began)) s"
    fi
    return "$status"
}
