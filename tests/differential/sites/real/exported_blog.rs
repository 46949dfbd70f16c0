//! A blog.

use super::ranged;
use crate::probe::Site;
use crate::sites::whole::{crossed, head, plain, post};

/// A blog that was exported to files: its old addresses, feeds and what nobody may ask for.
pub fn exported_blog() -> Site {
    let http = "map $arg_p $post { default ''; 1 /page/; 2 /dir/sub/; ~^\\d+$ /archive/$arg_p/; } \
        server { listen 127.0.0.1:%port%; server_name blog.example localhost; root %root%; index index.html index.htm; \
        absolute_redirect off; error_page 404 /404.html; \
        if ($post) { return 301 $post; } \
        if ($args ~ '^(.*&)?cat=(?<cat>\\d+)') { set $args ''; rewrite ^/$ /category/$cat/ permanent; } \
        rewrite ^/feed/?$ /assets/logo.svg last; rewrite ^/(comments|author)/.*$ / permanent; \
        rewrite '^/(\\d{4})/(\\d{2})/([^/]+)/?$' /posts/$3/?from=$1-$2? permanent; \
        rewrite ^/index\\.php(/.*)?$ $1/ redirect; \
        location = /favicon.ico { log_not_found off; access_log off; } \
        location = /robots.txt { allow all; log_not_found off; } \
        location = /xmlrpc.php { deny all; } \
        location ~* /(?:uploads|files)/.*\\.php$ { deny all; } \
        location ~ /\\.(?!well-known) { deny all; } \
        location ~ \\.php$ { return 410; } \
        location ^~ /wp-content/ { alias %root%/assets/; expires max; add_header Cache-Control public; } \
        location ^~ /wp-includes/ { rewrite ^/wp-includes/(.*)$ /assets/$1 break; expires max; } \
        location ~* ^/wp-(?:admin|login) { return 444; } \
        location /posts/ { rewrite ^/posts/(.+)/$ /$1.html break; } \
        location ~ ^/page/(?<number>\\d+)/$ { try_files /page$number.html /page.html =404; \
            add_header X-Page $number; } \
        location / { if (-d $request_filename) { rewrite ^([^?]*[^/])$ $1/ permanent; } \
            if ($request_uri ~ ^([^?]+)//+(.*)$) { return 301 $1/$2; } \
            try_files $uri $uri/ $uri.html =404; } }";
    let targets = [
        "/",
        "/?p=1",
        "/?p=2&preview=true",
        "/?p=77",
        "/?p=x",
        "/?cat=5",
        "/?a=b&cat=6",
        "/feed",
        "/feed/",
        "/comments/feed/",
        "/author/ann",
        "/2019/07/guide/",
        "/2019/07/guide?x=1",
        "/2019/7/guide/",
        "/index.php",
        "/index.php/2020/page",
        "/favicon.ico",
        "/robots.txt",
        "/xmlrpc.php",
        "/uploads/x.PHP",
        "/contact.php",
        "/.htaccess",
        "/.well-known/none",
        "/wp-content/app.js",
        "/wp-includes/logo.svg",
        "/wp-includes/none.js",
        "/wp-login.php",
        "/wp-admin/",
        "/posts/guide/",
        "/posts/none/",
        "/page/2/",
        "/page/x/",
        "/dir",
        "/dir//sub/",
        "/page",
        "/guide",
        "/none",
    ];
    Site::new("exported_blog", http, crossed(&targets, &[plain, head, post, ranged]))
}
