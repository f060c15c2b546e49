# What the tests of deploy/ that need containers share: reporting, a PostgreSQL, buildah.  Sourced, with $subject set: what is not
# tested when a test is skipped.
#
# $work is the folder of the test, $image the image that deploy/docker/build makes; both are there after build_image.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export STORAGE_DRIVER=${STORAGE_DRIVER:-vfs} BUILDAH_ISOLATION=chroot
image=localhost/sluice-test
pg=/usr/lib/postgresql/15/bin
work='' failures=0 containers=()

skip() {
    echo "SKIPPED: $subject: $*"
    exit 77
}
ok() { echo "[       OK ] $1"; }
failed() {
    echo "[  FAILED  ] $1: $2"
    failures=$((failures + 1))
}
check() { # name, command...
    local name=$1 out
    shift
    if out=$("$@" 2>&1); then ok "$name"; else failed "$name" "${out:0:2000}"; fi
}
wait_for() { # seconds, command...
    local i n=$(($1 * 10))
    shift
    for ((i = 0; i < n; i++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    return 1
}

# ---- containers ----------------------------------------------------------------------------------

new_container() { # image; sets $container
    container=$(buildah from --pull-never "$1") || return 1
    containers+=("$container")
}
# A container made, stored and run: where mounts are not allowed one of these fails.
probe() {
    local container
    container=$(buildah from scratch) || return 1
    buildah copy -q "$container" /bin/busybox /busybox && buildah commit -q "$container" localhost/sluice-probe &&
        buildah run "$container" -- /busybox true
    local status=$?
    buildah rm "$container"
    buildah rmi localhost/sluice-probe
    return $status
} >/dev/null
# Makes $work, $image, $image-build with the packages, and localhost/sluice-base-bookworm; or skips.
build_image() { # name of the test
    local program said
    [ "$(id -u)" -eq 0 ] || skip "root is needed"
    for program in buildah debootstrap; do
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
    said=$(probe 2>&1) || skip "buildah does not work here: ${said:0:300}"
    work=$(mktemp -d "/tmp/sluice-$1.XXXXXX")
    chmod 755 "$work"
    trap finish EXIT
    trap 'exit 1' INT TERM
    "$here/deploy/docker/build" "$image" >"$work/build.log" 2>&1 && return
    # what is ours to get right stops with one of these; the rest is the mirror, or mounts
    if ! grep -qE 'ninja: build stopped|CMake Error|CPack Error|deploy/docker/rootfs: ' "$work/build.log"; then
        skip "the build needs a Debian mirror and mounts: $(tail -n 3 "$work/build.log" | tr '\n' ' ')"
    fi
    tail -n 60 "$work/build.log"
    failed image_builds "see above"
    exit 1
}
packages_into() { # root of a container
    local built
    new_container "$image-build"
    built=$(buildah mount "$container")/build
    mkdir -p "$1/debs"
    cp "$built"/*.deb "$1/debs/"
}

# ---- a database ----------------------------------------------------------------------------------

as_pg() { (cd / && setpriv --reuid=postgres --regid=postgres --init-groups "$@"); }
# Its socket is in $work/socket.
start_database() { # names of databases
    local name
    mkdir "$work/pg" "$work/socket"
    chown postgres: "$work/pg" "$work/socket"
    as_pg "$pg/initdb" -D "$work/pg" -U sluice -A trust -E UTF8 --locale=C.UTF-8 >"$work/initdb.log" || exit 1
    printf "listen_addresses = ''\nunix_socket_directories = '%s/socket'\nunix_socket_permissions = 0777\nfsync = off\n" "$work" >>"$work/pg/postgresql.auto.conf"
    as_pg "$pg/pg_ctl" -D "$work/pg" -s -w -l "$work/pg/server.log" start || exit 1
    for name; do
        as_pg "$pg/createdb" -h "$work/socket" -U sluice "$name"
    done
}

# ---- the end -------------------------------------------------------------------------------------

# What a test's finish ends with.
clean_up() {
    local container
    [ -f "$work/pg/postmaster.pid" ] && as_pg "$pg/pg_ctl" -D "$work/pg" -m immediate -s stop
    for container in "${containers[@]}"; do
        buildah rm "$container" >/dev/null 2>&1
    done
    rm -rf "$work"
}
# The last line of a test: its status, and the logs when it failed.
report() {
    local log
    [ "$failures" -eq 0 ] && exit 0
    for log in "$work"/*.log; do
        echo "---- $log"
        tail -n 20 "$log"
    done
    exit 1
}
