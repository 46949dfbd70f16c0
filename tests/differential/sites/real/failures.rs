//! Chains of error pages.

use crate::probe::{Request, Site};
use crate::sites::whole::{crossed, head, http10, plain, post, tagged};

/// Error pages of error pages, in every form, through locations that clients can't ask for.
pub fn failures() -> Site {
    let http = "error_page 404 /errors/404.html; error_page 500 502 503 504 =500 /50x.html; \
        server { listen 127.0.0.1:%port%; root %root%; recursive_error_pages on; \
        location /errors/ { internal; alias %root%/; add_header X-Page '$status' always; } \
        location /first { error_page 404 = @second; return 404; } \
        location @second { error_page 503 = @third; return 503; } \
        location @third { error_page 410 =410 /page.html; return 410; } \
        location /loop { error_page 404 /loop; return 404; } \
        location /twice { error_page 403 /twice/inner; deny all; location /twice/inner { error_page 404 =200 \
            /empty.txt; internal; } } \
        location /flat { recursive_error_pages off; error_page 404 /flat/page; return 404; \
            location /flat/page { error_page 404 /index.html; } } \
        location /code { error_page 401 402 403 =404 /404.html; error_page 405 =200 /page.html; \
            if ($arg_s = 401) { return 401; } if ($arg_s = 402) { return 402; } if ($arg_s = 403) { return 403; } \
            if ($arg_s = 405) { return 405; } if ($arg_s = 502) { return 502; } if ($arg_s = 429) { return 429; } } \
        location /away { error_page 403 https://login.example/?next=$request_uri; deny all; } \
        location /away302 { error_page 403 =307 https://login.example/; deny all; } \
        location /text { error_page 404 = @text; } \
        location @text { default_type text/plain; return 404 'no $uri, status $status\\n'; } \
        location /json { error_page 404 = /json/error; location = /json/error { internal; \
            default_type application/json; return 404 '{\"error\":\"$request_uri\"}'; } } \
        location /try { try_files $uri @tried; } location @tried { error_page 418 = @teapot; return 418; } \
        location @teapot { return 200 tea; } \
        location /range { alias %root%/digits.txt; error_page 416 /404.html; } \
        location /method { error_page 405 @method; } location @method { return 200 'method $request_method\\n'; } \
        location /plain { error_page 404 /nowhere.html; } \
        location /none { error_page 404 =404 /errors/none.html; } } ";
    let mut targets: Vec<String> = [
        "/errors/404.html",
        "/errors/",
        "/missing",
        "/first",
        "/loop",
        "/twice",
        "/twice/inner",
        "/flat",
        "/flat/page",
        "/away?a=b",
        "/away302",
        "/text/x",
        "/json/x?y",
        "/json/error",
        "/try/x",
        "/range",
        "/method/",
        "/plain/x",
        "/none/x",
        "/locked.txt",
        "/50x.html",
    ]
    .map(str::to_owned)
    .to_vec();
    targets.extend([401, 402, 403, 405, 429, 502].map(|status| format!("/code?s={status}")));
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    fn far_range(request: Request) -> Request {
        request.range("bytes=1000-2000")
    }
    Site::new("failures", http, crossed(&targets, &[plain, head, http10, post, far_range, tagged]))
}
