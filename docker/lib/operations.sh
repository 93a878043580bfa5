# `docker/local test operations`: what operators are given, by its own tools: the manifests by the schemas of Kubernetes, the
# unit by systemd-analyze, metrics, alerts and the dashboard by promtool and a Prometheus that scrapes nodes under load. The
# schemas, Prometheus's own reader of metrics and the schema of traces come from PyPI, into a folder of the build's own.

operations_packages=(python3-venv systemd prometheus)
operations=.build/operation-tests
operations_needs=(kubernetes-validate==1.37.0 prometheus-client==0.26.0 opentelemetry-proto==1.45.2)

operation_tests() {
    need_operations || return
    MARTLET=$martlet timeout --kill-after=10 300 \
        "$operations/bin/python" -B -m unittest discover --start-directory Tests/OperationTests --pattern '*_test.py'
}

need_operations() {
    local wanted="${operations_needs[*]}"
    [[ ! -e $operations/version || $(<"$operations/version") != "$wanted" ]] || return 0
    say "Installing $wanted from PyPI, into $operations"
    rm -rf "$operations"
    python3 -m venv "$operations" || return
    "$operations/bin/pip" install --quiet --disable-pip-version-check "${operations_needs[@]}" || return
    printf '%s\n' "$wanted" >"$operations/version"
}
