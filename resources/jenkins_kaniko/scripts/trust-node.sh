# Runs once on each node, in a pod that sees nothing of the node but the folders of one container runtime: makes that
# runtime find a registry of the cluster by the Service's address and trust its certificate, or takes that back.
# trust-node.sh containerd|k3s|rke2|cri-o trust|remove [restart]
# Its last line is a word and what there is to say: ready, written, unset, refused, removed; default, where it depends on
# containerd's version.
# Every file and every block that is ours carries the mark; nothing without it is changed.

set -e
umask 022
form=$1
mode=$2
restart=$3
root=$ROOT       # the node's /, or what we see of it
mark=$MARK       # a comment that no other registry's files have
server=$SERVER   # address:port of the Service
hosts=$HOSTS     # what names of images begin with
title=$TITLE     # of this registry, as a file name
ca=$CA_FILE
changed=

say() {
    echo "$*" | tee "$STATUS_FILE"
    exit 0
}

# ours FILE: whether we may write it
ours() {
    [ ! -e "$1" ] || grep -qxF "$mark" "$1"
}

# put FILE: write what comes on stdin below the mark, if that changes anything
put() {
    ours "$1" || say "refused ${1#"$root"} is not ours; remove it, or trust the registry there by hand"
    mkdir -p "$(dirname "$1")"
    { echo "$mark"; cat; } >"$1.new"
    replace "$1"
}

# replace FILE: by FILE.new, in one step
replace() {
    if cmp -s "$1.new" "$1"; then rm "$1.new"; else mv "$1.new" "$1"; changed=yes; fi
}

# drop FOLDER HOST...: remove our files in folders that are not those of these hosts
drop() {
    folder=$1
    shift
    for file in $(grep -rlxF "$mark" "$folder" 2>/dev/null); do
        host=$(basename "$(dirname "$file")")
        case " $* " in *" $host "*) continue ;; esac
        rm "$file"
        changed=yes
        rmdir "$(dirname "$file")" 2>/dev/null || true # a folder with files of others stays
    done
}

# restarted SERVICE...: by systemd, outside the container
restarted() {
    for service in "$@"; do
        nsenter --target 1 --mount -- systemctl restart "$service" 2>/dev/null && return
    done
    say "unset $1 could not be restarted by systemctl; restart it by hand"
}

# --- containerd: https://github.com/containerd/containerd/blob/main/docs/hosts.md -----------------------------------

containerd_trust() {
    certs=$root/etc/containerd/certs.d
    for host in $hosts; do
        put "$certs/$host/ca.crt" <"$ca"
        put "$certs/$host/hosts.toml" <<END
server = "https://$server"

[host."https://$server"]
  capabilities = ["pull", "resolve"]
  ca = "/etc/containerd/certs.d/$host/ca.crt"
END
    done
    drop "$certs" $hosts
    config=$root/etc/containerd/config.toml
    [ -e "$config" ] || say "default containerd has no /etc/containerd/config.toml"
    path=$(config_path "$config" "$root"/etc/containerd/conf.d/*.toml)
    case ":$path:" in
    *:/etc/containerd/certs.d:*) say "ready" ;;
    ::) ;;
    :absent:) if grep -q '^version *= *3' "$config"; then say "ready"; fi ;;
    *) say "unset config_path of containerd is $path; add :/etc/containerd/certs.d to it in /etc/containerd/config.toml and restart containerd" ;;
    esac
    section='[plugins."io.containerd.grpc.v1.cri".registry]'
    if grep -q '^version *= *3' "$config"; then section="[plugins.'io.containerd.cri.v1.images'.registry]"; fi
    line='config_path = "/etc/containerd/certs.d"'
    if grep -q '^[ \t]*\[plugins.*cri.*\.registry\.\(mirrors\|configs\)' "$config"; then
        say "unset containerd reads no certs.d: its config.toml has registry.mirrors or registry.configs, which it refuses beside config_path; move them to certs.d, write $section $line, restart containerd"
    fi
    [ "$restart" ] ||
        say "unset containerd reads no certs.d: write $section $line into /etc/containerd/config.toml and restart containerd, or give --restart-runtime"
    with_config_path "$section" "$line" <"$config" >"$config.new"
    replace "$config"
    restarted containerd
    say "ready containerd was restarted: it reads certs.d now"
}

# config_path FILE...: what containerd's registry section says; absent where it does not say
config_path() {
    cat "$@" 2>/dev/null | awk '
        /^[ \t]*\[/ { section = $0 }
        /^[ \t]*config_path[ \t]*=/ && section ~ /cri[^]]*\.registry\]/ {
            said = 1; value = $0
            sub(/^[^=]*=[ \t]*["\047]/, "", value); sub(/["\047].*$/, "", value)
        }
        END { print said ? value : "absent" }'
}

# with_config_path SECTION LINE: the file on stdin with that line in that section
with_config_path() {
    awk -v section="$1" -v line="$2" '
        { text = $0; sub(/^[ \t]+/, "", text) }
        text ~ /^\[/ { inside = text ~ /cri[^]]*\.registry\]/ }
        inside && text ~ /^config_path[ \t]*=/ { next }
        { print }
        inside && text ~ /^\[/ { print line; done = 1 }
        END { if (!done) { print section; print line } }'
}

containerd_remove() {
    drop "$root/etc/containerd/certs.d"
    say removed
}

# --- k3s and RKE2: https://docs.k3s.io/installation/private-registry ------------------------------------------------

added="# added by jenkins-kaniko registry trust"

rancher_trust() {
    folder=$root/etc/rancher/$form
    file=$folder/registries.yaml
    own_ca=$folder/$title.crt
    mkdir -p "$folder"
    without_block "$file" >"$file.new"
    for host in $hosts; do
        if grep -q "^[ \t][ \t]*[\"']\{0,1\}$host[\"']\{0,1\} *:" "$file.new"; then
            rm "$file.new"
            say "refused ${file#"$root"} has an entry of its own for $host; remove it, or trust the registry there by hand"
        fi
    done
    for key in mirrors configs; do
        if grep "^[\"']\{0,1\}$key" "$file.new" | grep -qv "^$key:[ \t]*\(#.*\)\{0,1\}\$"; then
            rm "$file.new"
            say "refused $key: in ${file#"$root"} is not written with a key per line; write it so, or trust the registry there by hand"
        fi
        "$key" | inserted "$key" "$file.new" >"$file.then"
        mv "$file.then" "$file.new"
    done
    put "$own_ca" <"$ca"
    replace "$file"
    if [ "$restart" ] && [ "$changed" ]; then
        restarted "$form" "$form-agent" "$form-server"
        say "ready $form was restarted: it reads registries.yaml when it starts"
    fi
    say "written $form reads registries.yaml when it starts; systemctl restart $form, if it did not start since"
}

mirrors() {
    for host in $hosts; do
        printf '"%s":\n  endpoint:\n  - "https://%s"\n' "$host" "$server"
    done
}

configs() {
    for host in $hosts; do
        printf '"%s":\n  tls:\n    ca_file: %s\n' "$host" "${own_ca#"$root"}"
    done
}

# without_block FILE: its text without what is ours; a key that we added stays as long as there is something below it
without_block() {
    [ ! -e "$1" ] || awk -v mark="$mark" -v added="$added" '
        { text = $0; sub(/^[ \t]+/, "", text) }
        text == mark { ours = !ours; next }
        ours { next }
        key != "" && /^[ \t]/ { print key }
        { key = "" }
        index($0, added) { key = $0; next }
        { print }' "$1"
}

# inserted KEY FILE: its text with the block on stdin, indented like its neighbours, below KEY
inserted() {
    awk -v key="$1" -v mark="$mark" -v added="$added" '
        NR == FNR { block[++lines] = $0; next }
        { text[++count] = $0 }
        $0 ~ "^" key ":" { at = count }
        END {
            if (!at) { at = ++count; text[at] = key ": " added }
            indent = "  "
            for (i = at + 1; i <= count; i++) if (text[i] !~ /^[ \t]*(#|$)/) {
                if (match(text[i], /^ +/)) indent = substr(text[i], 1, RLENGTH)
                break
            }
            for (i = 1; i <= count; i++) {
                print text[i]
                if (i != at) continue
                print indent mark
                for (j = 1; j <= lines; j++) print indent block[j]
                print indent mark
            }
        }' - "$2"
}

rancher_remove() {
    folder=$root/etc/rancher/$form
    file=$folder/registries.yaml
    own_ca=$folder/$title.crt
    if [ -e "$own_ca" ] && ours "$own_ca"; then rm "$own_ca"; fi
    if [ -e "$file" ]; then
        without_block "$file" >"$file.new"
        replace "$file"
        [ -s "$file" ] || rm "$file"
    fi
    if [ "$restart" ] && [ "$changed" ]; then restarted "$form" "$form-agent" "$form-server"; fi
    say removed
}

# --- CRI-O: containers-registries.conf(5) and containers-certs.d(5) -------------------------------------------------

crio_trust() {
    folder=$root/etc/containers
    conf=$folder/registries.conf.d/$title.conf
    for host in $hosts; do
        other=$(grep -rlF "\"$host\"" "$folder/registries.conf.d" 2>/dev/null | grep -vxF "$conf" | head -n 1)
        [ -z "$other" ] ||
            say "refused ${other#"$root"} has an entry of its own for $host; remove it, or trust the registry there by hand"
        put "$folder/certs.d/$host/ca.crt" <"$ca"
    done
    drop "$folder/certs.d" $hosts
    put "$conf" <<END
$(for host in $hosts; do printf '[[registry]]\nprefix = "%s"\nlocation = "%s"\n' "$host" "$server"; done)
END
    if [ "$restart" ] && [ "$changed" ]; then
        restarted crio
        say "ready crio was restarted: it reads registries.conf.d when it starts"
    fi
    say "written crio reads registries.conf.d when it is reloaded; systemctl reload crio, if it was not since"
}

crio_remove() {
    drop "$root/etc/containers/certs.d"
    drop "$root/etc/containers/registries.conf.d"
    if [ "$restart" ] && [ "$changed" ]; then restarted crio; fi
    say removed
}

case $form-$mode in
containerd-*) "containerd_$mode" ;;
k3s-* | rke2-*) "rancher_$mode" ;;
cri-o-*) "crio_$mode" ;;
esac
