#!/usr/bin/env bash
# nginx as a cache asks whether a file has changed, hears 304 with new header fields, and goes on sending the old ones.
#
# Guess:    the fields of the 304 replace those that are kept: a cache has to (RFC 9111, 4.3.4), and the server said them for that.
# Seen:     X-Cache says REVALIDATED, and the policy is the one of the day on which the file was fetched; the server itself sends the new one.
#           It lasts for as long as the file does not change, however often it is asked for.
# Version:  nginx 1.22.1 (Debian 12) on both sides, proxy_cache_revalidate on.
# Matters:  a Content-Security-Policy, a CORS field or a longer max-age reaches nobody until each file is written anew or the cache is emptied.
set -euo pipefail
work=$(mktemp -d)
trap '[ -z "${pids-}" ] || kill $pids 2> /dev/null; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root 'nginx=1.22.1-9*'
dpkg -x ./*.deb .
mkdir www
echo hello > www/page
free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
origin=$(free) cache=$(free)
paths() { for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path $work/$1-$kind;"; done; }
conf() {
    cat <<CONF
daemon off; pid $work/$1.pid; error_log $work/$1.log; worker_processes 1;
events {}
http { access_log off; $(paths "$1") $2 }
CONF
}
conf origin "server { listen 127.0.0.1:$origin; root $work/www; add_header Cache-Control max-age=1; add_header Content-Security-Policy old; }" > origin.conf
conf cache "proxy_cache_path $work/kept keys_zone=kept:1m; server { listen 127.0.0.1:$cache; add_header X-Cache \$upstream_cache_status;
    location / { proxy_pass http://127.0.0.1:$origin; proxy_cache kept; proxy_cache_revalidate on; } }" > cache.conf
for name in origin cache; do
    usr/sbin/nginx -e "$work/$name.log" -c "$work/$name.conf" & pids+=" $!"
done
ask() { curl -s -o /dev/null -w "$1: %header{x-cache} %header{content-security-policy}\n" "http://127.0.0.1:$2/page"; }
for port in $origin $cache; do until curl -s -o /dev/null "http://127.0.0.1:$port/none"; do sleep 0.1; done; done
usr/sbin/nginx -v
{
    ask "the cache" "$cache"
    sed -i 's/Policy old/Policy new/' origin.conf
    kill -HUP "$(cat origin.pid)"
    until ask "the server" "$origin" | grep new; do sleep 0.1; done
    for _ in 1 2; do
        # Older than max-age=1.
        sleep 2.1
        ask "the cache" "$cache"
    done
} | tee seen
diff seen - <<'SEEN'
the cache: MISS old
the server:  new
the cache: REVALIDATED old
the cache: REVALIDATED old
SEEN
