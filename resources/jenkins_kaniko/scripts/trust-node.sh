# Runs once on each node, in a pod that sees nothing of the node but the folders of one container runtime: makes that
# runtime find a registry of the cluster by the Service's address and trust its certificate, or takes that back.
# trust-node.sh containerd|k3s|rke2|cri-o trust|remove [restart]
# Its last line is a word and what there is to say: ready, written, unset, refused, failed, removed; default, absent and
# listed, where it depends on containerd's version.
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
    draft "$1"
    { echo "$mark"; cat; } >"$1.new"
    replace "$1"
}

# real FILE: the file that links of the node lead to, as we see it
real() {
    file=$1
    for _ in 1 2 3 4 5 6 7 8; do
        [ -L "$file" ] || break
        leads=$(readlink "$file")
        case $leads in /*) file=$root$leads ;; *) file=$(dirname "$file")/$leads ;; esac
    done
    echo "$file"
}

# draft FILE: an empty FILE.new, which has the mode and the owner of FILE before there is anything to read in it
draft() {
    rm -f "$1.new"
    [ -e "$1" ] || return 0
    cp -p "$1" "$1.new" 2>/dev/null || true # the mode it could not keep is told below
    if [ "$(stat -c '%u:%g %a' "$1")" != "$(stat -c '%u:%g %a' "$1.new")" ]; then
        rm -f "$1.new"
        say "refused ${1#"$root"} has an owner that cannot be kept; give it to root, or trust the registry there by hand"
    fi
    : >"$1.new"
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

# starts SERVICE: whether systemd, outside the container, could restart it
starts() {
    nsenter --target 1 --mount -- systemctl restart "$1" 2>/dev/null
}

# restarted SERVICE...: the first of them that the node has
restarted() {
    for service in "$@"; do
        if starts "$service"; then return; fi
    done
    say "unset $1 could not be restarted by systemctl; restart it by hand"
}

# --- containerd: https://github.com/containerd/containerd/blob/main/docs/hosts.md -----------------------------------

containerd_trust() {
    certs=$root/etc/containerd/certs.d
    for host in $hosts; do
        put "$certs/$host/ca.crt" <"$ca"
        # containerd asks the server itself once more for what the host does not have: without the ca it would say that
        # the certificate is unknown, not that there is no such image
        put "$certs/$host/hosts.toml" <<END
server = "https://$server"
ca = "/etc/containerd/certs.d/$host/ca.crt"

[host."https://$server"]
  capabilities = ["pull", "resolve"]
  ca = "/etc/containerd/certs.d/$host/ca.crt"
END
    done
    drop "$certs" $hosts
    containerd_told
}

# containerd_told: say whether containerd reads certs.d; where that is allowed, make it read them
containerd_told() {
    config=$(real "$root/etc/containerd/config.toml")
    [ -e "$config" ] || say "default there is no ${config#"$root"} to be seen"
    version=$(sed -n '/^[[:blank:]]*\[/q; s/^[[:blank:]]*version[[:blank:]]*=[[:blank:]]*\([0-9]*\).*/\1/p' "$config")
    path=$(found path)
    case ":$path:" in
    :/etc/containerd/certs.d:) say "ready" ;;
    *:/etc/containerd/certs.d:*)
        [ "$(found local)" ] && say "ready"
        say "listed config_path of containerd is $path"
        ;;
    :: | :absent:) ;;
    *) say "unset config_path of containerd is $path; move what is there to /etc/containerd/certs.d, name that in /etc/containerd/config.toml and restart containerd" ;;
    esac
    # which name containerd reads depends on the file's version; a file that does not say has the first
    case ${version:-1} in
    1) section='[plugins.cri.registry]' ;;
    2) section='[plugins."io.containerd.grpc.v1.cri".registry]' ;;
    *) section="[plugins.'io.containerd.cri.v1.images'.registry]" ;;
    esac
    line='config_path = "/etc/containerd/certs.d"'
    beside=$(found beside)
    if [ "$beside" ]; then
        say "unset containerd reads no certs.d: its config.toml has $beside, which it refuses beside config_path; move them to certs.d, write $section $line, restart containerd"
    fi
    write="write $section $line into /etc/containerd/config.toml and restart containerd"
    if [ -z "$restart" ]; then
        if [ "$path" ]; then say "absent $write, or give --restart-runtime"; fi
        say "unset containerd reads no certs.d: $write, or give --restart-runtime"
    fi
    containerd_edit
}

# containerd_edit: write the line into config.toml and restart containerd, or leave both as they were
containerd_edit() {
    backup=$config.before-registry-trust
    cp -p "$config" "$backup"
    draft "$config"
    with_config_path "$section" "$line" <"$config" >"$config.new"
    replace "$config"
    if starts containerd; then say "ready containerd was restarted: it reads certs.d now"; fi
    draft "$config"
    cat "$backup" >"$config.new"
    replace "$config"
    if starts containerd; then
        say "failed containerd did not start with $section $line; its config.toml is as it was, and containerd runs: see journalctl -u containerd on the node"
    fi
    say "failed containerd could not be restarted by systemctl; its config.toml is as it was: $write by hand"
}

# found path|local|beside: what containerd's configuration says in its registry section: config_path, absent where it does
# not say; whether it pulls images by itself, not by its transfer service; what it refuses beside config_path
found() {
    files=$config
    set -f
    patterns=$(imported)
    for one in $patterns; do
        case $one in /*) ;; *) one=/etc/containerd/$one ;; esac
        set +f
        for file in "$root"$one; do
            if [ -e "$file" ]; then files="$files $file"; fi
        done
        set -f
    done
    set +f
    awk -v what="$1" -v first="${version:-1}" '
        FNR == 1 { version = first; section = "" }
        { text = $0; sub(/#.*/, "", text); gsub(/["\047 \t]/, "", text) }
        section == "" && text ~ /^version=/ { version = substr(text, 9) }
        text ~ /^\[/ {
            section = substr(text, 2, index(text, "]") - 2)
            plugin = "plugins.io.containerd.cri.v1.images"
            if (version == 1) plugin = "plugins.cri"
            if (version == 2) plugin = "plugins.io.containerd.grpc.v1.cri"
            registry = plugin ".registry"
            if (index(section, registry ".mirrors.") == 1) beside = "registry.mirrors"
            if (index(section, registry ".configs.") == 1 && section ~ /\.tls$/) beside = "tls in registry.configs"
            next
        }
        section == plugin && text == "use_local_image_pull=true" { pulls = "yes" }
        section == registry && text ~ /^config_path=/ {
            said = 1
            path = substr(text, 13)
            gsub(/\/+:/, ":", path)
            sub(/\/+$/, "", path)
        }
        section == registry ".mirrors" && text ~ /=/ { beside = "registry.mirrors" }
        index(section, registry ".configs.") == 1 && text ~ /^tls[.=]/ { beside = "tls in registry.configs" }
        END { print what == "path" ? (said ? path : "absent") : what == "local" ? pulls : beside }' $files
}

# imported: what the configuration names in its imports, files that containerd puts together with it
imported() {
    awk '
        /^[ \t]*\[/ { exit }
        { sub(/#.*/, ""); text = text $0 }
        END {
            if (!match(text, /imports[ \t]*=[ \t]*\[[^]]*\]/)) exit
            names = substr(text, RSTART, RLENGTH)
            gsub(/^[^[]*\[|\]|["\047]/, "", names)
            gsub(/,/, " ", names)
            print names
        }' "$config"
}

# with_config_path SECTION LINE: the file on stdin with that line in that section
with_config_path() {
    awk -v section="$1" -v line="$2" '
        function plain(text) { sub(/#.*/, "", text); gsub(/["\047 \t]/, "", text); return text }
        plain($0) ~ /^\[/ { inside = plain($0) == plain(section) }
        inside && plain($0) ~ /^config_path=/ { next }
        { print }
        inside && plain($0) ~ /^\[/ { print line; done = 1 }
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
    file=$(real "$folder/registries.yaml")
    own_ca=$folder/$title.crt
    mkdir -p "$folder"
    [ -d "$(dirname "$file")" ] ||
        say "refused ${folder#"$root"}/registries.yaml leads to ${file#"$root"}, which is not seen from here; put the file itself there"
    draft "$file"
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
        [ ! -e "$file" ] || cp -p "$file.new" "$file.then" # as readable as the file
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
    file=$(real "$folder/registries.yaml")
    own_ca=$folder/$title.crt
    if [ -e "$own_ca" ] && ours "$own_ca"; then rm "$own_ca"; fi
    if [ -e "$file" ]; then
        draft "$file"
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
