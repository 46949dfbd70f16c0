#!/usr/bin/env bash
# augeas' lens for nginx.conf refuses a file with map, types or split_clients, with two directives on a line, or with a block on one.
#
# Guess:    blocks are blocks and white space is white space to the lens, as to nginx: what `nginx -t` takes is a tree.
# Seen:     "Syntax error" for the whole file, so that no setting of it can be read or changed: geo and upstream are known, map, types and split_clients
#           are not; `location / { return 404; }` needs its line ends; `server_name "";`, `a\"b`, `https://a/#/b` and CRLF are errors as well.
# Version:  augeas 1.14.0 (Debian 1.14.0-1+deb12u1), lens Nginx.
# Matters:  tools that manage machines by augeas say only that the file is not there: the copied mime.types, or a map in conf.d, is enough.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root 'augeas-tools=1.14.0-1*' 'libaugeas0=1.14.0-1*' 'augeas-lenses=1.14.0-1*'
for package in ./*.deb; do dpkg -x "$package" .; done
mkdir -p root/etc/nginx

# Whether the lens reads a conf with these lines in http, or else in server.
reads() {
    case $1 in
        http) printf 'events {\n}\nhttp {\n%b\nserver {\nlisten 81;\n}\n}\n' "$2" ;;
        *) printf 'events {\n}\nhttp {\nserver {\nlisten 81;\n%b\n}\n}\n' "$2" ;;
    esac > root/etc/nginx/nginx.conf
    printf 'load\nmatch /augeas/files/etc/nginx/nginx.conf/error/message\n' |
        LD_LIBRARY_PATH=$(echo usr/lib/*-linux-gnu) usr/bin/augtool -r root -I usr/share/augeas/lenses/dist -A \
            --transform 'Nginx incl /etc/nginx/nginx.conf' > said
    ! grep -q 'Syntax error' said
}

while IFS=$'\t' read -r where lines; do
    reads "$where" "$lines" || { echo "refuses $lines"; exit 1; }
    echo "reads    $lines"
done <<'EOF'
http	geo $a {\ndefault 0;\n10.0.0.0/8 1;\n}
http	upstream u {\nserver 127.0.0.1:80;\n}
server	location / {\nreturn 404;\n}
server	location ~ "^/x{1,2}$" {\nreturn 404;\n}
server	if ($uri = /a) {\nreturn 404;\n}
server	return 200 "a;b{c}#d";
EOF
while IFS=$'\t' read -r where lines; do
    ! reads "$where" "$lines" || { echo "reads $lines"; exit 1; }
    echo "refuses  $lines"
done <<'EOF'
http	map $uri $a {\ndefault x;\n/a b;\n}
http	types {\ntext/html html htm;\n}
http	split_clients $uri $a {\n50% a;\n* b;\n}
server	location / { return 404; }
server	set $a 1; set $b 2;
server	server_name "";
server	return 301 https://a/#/b;
server	return 404;\r
EOF
