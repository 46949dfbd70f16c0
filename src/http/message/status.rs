//! Reason phrases and the built-in pages of nginx (ngx_http_header_filter_module.c, ngx_http_special_response.c).

/// The reason phrase; empty for codes nginx has none for.
pub fn reason(code: u16) -> &'static str {
    match code {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Time-out",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}

/// The code that is sent for one of nginx's internal codes 494 to 497; any other is sent as it is.
pub fn sent(code: u16) -> u16 {
    if matches!(code, 494..=497) { 400 } else { code }
}

/// Whether a response with this status ends with its head, whatever the head says (RFC 9112, 6.3): what followed would
/// be taken for the next response.
pub fn has_no_body(status: u16) -> bool {
    matches!(status, 100..=199 | 204 | 304)
}

/// Title and explanation of nginx's own page for a code.
fn texts(code: u16) -> Option<(u16, &'static str, Option<&'static str>)> {
    let explained = |text| Some((400, "Bad Request", Some(text)));
    match code {
        302 => Some((302, "Found", None)),
        401 => Some((401, "Authorization Required", None)),
        494 => explained("Request Header Or Cookie Too Large"),
        495 => explained("The SSL certificate error"),
        496 => explained("No required SSL certificate was sent"),
        497 => explained("The plain HTTP request was sent to HTTPS port"),
        304 => None,
        300.. => Some((code, reason(code), None)).filter(|(_, text, _)| !text.is_empty()),
        _ => None,
    }
}

/// Appends the built-in page (text/html) for a code and returns true; there is none for codes nginx has no phrase for.
/// `product` is `drover/VERSION` or, with server_tokens off, `drover`. `padding`: for browsers that want it.
pub fn page(out: &mut Vec<u8>, code: u16, product: &str, padding: bool) -> bool {
    let Some((number, title, explanation)) = texts(code) else { return false };
    let mut buffer = itoa::Buffer::new();
    let number = buffer.format(number);
    let mut put = |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    put(&["<html>\r\n<head><title>", number, " ", explanation.unwrap_or(title), "</title></head>\r\n<body>\r\n"]);
    put(&["<center><h1>", number, " ", title, "</h1></center>\r\n"]);
    if let Some(text) = explanation {
        put(&["<center>", text, "</center>\r\n"]);
    }
    put(&["<hr><center>", product, "</center>\r\n</body>\r\n</html>\r\n"]);
    if padding && code >= 400 {
        put(&[PADDING; 6]);
    }
    true
}

const PADDING: &str = "<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn text(code: u16, padding: bool) -> String {
        let mut out = Vec::new();
        assert!(page(&mut out, code, "drover/1", padding));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn pages_are_those_of_nginx() {
        assert_eq!(
            text(404, false),
            "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n\
             <center><h1>404 Not Found</h1></center>\r\n\
             <hr><center>drover/1</center>\r\n</body>\r\n</html>\r\n"
        );
        assert!(text(302, false).contains("<title>302 Found</title>"));
        assert!(text(401, false).contains("<h1>401 Authorization Required</h1>"));
        assert!(text(431, false).contains("<h1>431 Request Header Fields Too Large</h1>"));
        assert_eq!(
            text(494, false),
            "<html>\r\n<head><title>400 Request Header Or Cookie Too Large</title></head>\r\n<body>\r\n\
             <center><h1>400 Bad Request</h1></center>\r\n<center>Request Header Or Cookie Too Large</center>\r\n\
             <hr><center>drover/1</center>\r\n</body>\r\n</html>\r\n"
        );
        for code in [0, 200, 204, 300, 304, 305, 418, 422, 444, 506, 599] {
            assert!(!page(&mut Vec::new(), code, "drover", false), "{code}");
        }
    }

    #[test]
    fn lengths_are_those_nginx_sends() {
        let lengths = [
            (301, 169),
            (302, 145),
            (400, 157),
            (401, 179),
            (404, 153),
            (413, 183),
            (416, 197),
            (494, 233),
            (495, 215),
        ];
        for (code, length) in lengths.into_iter().chain([(496, 237), (497, 255), (503, 197), (504, 167), (507, 175)]) {
            let mut out = Vec::new();
            page(&mut out, code, "nginx/1.22.1", false);
            assert_eq!(out.len(), length, "{code}");
        }
    }

    #[test]
    fn padding_is_402_bytes_for_errors_only() {
        assert_eq!(text(404, true).len(), text(404, false).len() + 402);
        assert_eq!(text(301, true), text(301, false));
    }

    #[test]
    fn codes() {
        assert_eq!((sent(494), sent(404)), (400, 404));
        assert_eq!(reason(302), "Moved Temporarily");
        assert_eq!(reason(418), "");
    }
}
