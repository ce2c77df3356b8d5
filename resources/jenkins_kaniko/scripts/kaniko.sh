# Runs in the builder container: takes it for one build, runs the engine there, leaves it as it was found.
# No build may see files of the one before, also when that one failed: the engine's own clean-up runs after success
# only, so a failed build is followed by an empty one, and a container that cannot be cleaned is marked and refused.
# The last line of what is sent calls one of: look, build, release.

set +ex
umask 022
engine_path=$PATH
PATH=/busybox:$PATH # the image that is built may bring programs of the same names in /usr/local/bin
engine=/kaniko/executor
state=/busybox/.jenkins-kaniko # a volume of the container's own: no clean-up touches it

# look: print what the template tells the builder
look() {
    env | grep -E '^JENKINS_KANIKO_(TEMPLATE|DISTRIBUTION|VERSION|CACHE_REPO|CACHE_TTL)='
    echo builder=here
}

# build JOB SCRATCH COMMAND...: what came of it goes to SCRATCH/outcome, KEY=VALUE lines and the end of the log
build() {
    job=$1
    scratch=$2
    shift 2
    cd "$scratch" || exit 1
    if ! take; then
        rm -rf docker # with the credentials
        exit 75
    fi
    # The engine's exit code survives the pipe; what a RUN left running would keep the pipe open; colours go, because
    # a build log shows them as garbage.
    { PATH=$engine_path "$@" 2>&1; echo $? >status; stop; } |
        awk '{ gsub(/\033\[[0-9;]*m/, ""); print; fflush() }' | tee log
    code=$(cat status)
    outcome >outcome
    if [ "$code" = 0 ] && cleans_all "$@"; then tidy; else clean; fi
    give_back
    exit "$code"
}

# release SCRATCH: after a build that was stopped from outside
release() {
    scratch=$1
    rm -rf "$scratch/docker"
    [ "$(cat "$state/busy/scratch" 2>/dev/null)" = "$scratch" ] || exit 0
    clean
    give_back
}

# Whether the engine's clean-up after this command leaves nothing.
cleans_all() {
    for word; do
        case $word in --ignore-path=*) return 1 ;; esac
    done
}

take() {
    mkdir -p "$state"
    [ -e "$state/kaniko" ] || remember
    if [ ! -e "$state/dirty" ] && { mkdir "$state/busy" 2>/dev/null || left_behind; }; then
        echo "$job" >"$state/busy/job"
        echo "$scratch" >"$state/busy/scratch"
        return 0
    fi
    if [ -e "$state/dirty" ]; then echo state=dirty; else echo state=busy; fi >outcome
    return 1
}

# An agent serves one build of Jenkins at a time: what another one took was left when it was killed.
left_behind() {
    [ "$(cat "$state/busy/job")" != "$job" ] && clean
}

outcome() {
    echo "digest=$(cat digest 2>/dev/null)"
    echo "cacheHits=$(grep -c 'Using caching version of cmd' log)"
    echo "cacheMisses=$(grep -c 'No cached layer found for cmd' log)"
    echo "firstMiss=$(sed -n 's/^.*No cached layer found for cmd //p' log | head -n 1)"
    echo
    tail -c 20000 log
}

give_back() {
    mkdir -p /etc /root /tmp /workspace
    chmod 1777 /tmp
    for file in "$state"/etc/*; do
        [ -e "/etc/${file##*/}" ] || cp "$file" /etc/ 2>/dev/null
    done
    rm -rf "$scratch/docker" "$state/busy"
}

# What is there before the first build: the engine's own files, and what its clean-up takes away.
remember() {
    mkdir -p "$state/etc"
    cp /etc/passwd /etc/group /etc/nsswitch.conf "$state/etc/" 2>/dev/null
    ls -A /kaniko >"$state/kaniko"
}

# The engine deletes all files once it has built an empty image; where that fails nobody may build here any more.
clean() {
    stop
    mkdir -p "$state/empty"
    printf 'FROM scratch\nLABEL empty=yes\n' >"$state/empty/Dockerfile"
    set -- --context="dir://$state/empty" --dockerfile="$state/empty/Dockerfile" --no-push --cleanup
    if ! PATH=$engine_path "$engine" "$@" >"$state/clean.log" 2>&1; then
        touch "$state/dirty"
        return 1
    fi
    tidy
}

# What the engine's clean-up leaves: programs of the image that still run, what it ignores, its own folder.
tidy() {
    stop
    for folder in /tmp /var/run /dev/shm; do
        [ $folder != /dev/shm ] && grep -q " $folder " /proc/mounts && continue # a volume of the pod
        find $folder -xdev ! -type d -exec rm -f {} + 2>/dev/null
        find $folder -xdev -depth -mindepth 1 -type d -exec rmdir {} + 2>/dev/null
    done
    for path in /kaniko/* /kaniko/.[!.]*; do
        grep -qxF -e "${path##*/}" "$state/kaniko" || rm -rf "$path"
    done
}

# Ends what runs in this container, but for our own programs. Containers of a pod may share process ids: their control
# groups differ. Of another user's process we may not read which program it is; that user is nobody but the image's.
stop() {
    own=$(cat /proc/self/cgroup)
    for process in /proc/[0-9]*; do
        [ "$(cat "$process/cgroup" 2>/dev/null)" = "$own" ] || continue
        case $(readlink "$process/exe") in
            /busybox/*) continue ;;
            '') grep -q '^Uid:[[:space:]]0[[:space:]]' "$process/status" 2>/dev/null && continue ;;
        esac
        kill -9 "${process##*/}" 2>/dev/null
    done
}
