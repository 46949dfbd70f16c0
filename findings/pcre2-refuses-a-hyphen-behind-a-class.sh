#!/usr/bin/env bash
# PCRE2 refuses `[\w-.]`, which Perl and the first PCRE take: a conf that nginx ran for years stops it after an upgrade.
#
# Guess:    a hyphen behind \w can't begin a range, so it is a plain hyphen, as in Perl and PCRE 8.
# Seen:     PCRE2: "invalid range in character class"; `[\w.-]` and `[\w-]` are fine. Perl takes all three, Python is with PCRE2.
# Versions: PCRE2 10.42 (Debian 12), Perl 5.36, CPython 3.11.
# Matters:  a location written for nginx with PCRE 8 must be rewritten with the hyphen last.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root libpcre2-8-0
dpkg -x ./*.deb .
cat > probe.py <<'PY'
import ctypes, glob, re, subprocess

pcre = ctypes.CDLL(glob.glob("usr/lib/*/libpcre2-8.so.0")[0])
pcre.pcre2_compile_8.restype = ctypes.c_void_p
version = ctypes.create_string_buffer(64)
pcre.pcre2_config_8(11, version)
print("PCRE2", version.value.decode())

def by_pcre2(pattern):
    error, offset = ctypes.c_int(), ctypes.c_size_t()
    text = pattern.encode()
    if pcre.pcre2_compile_8(text, ctypes.c_size_t(len(text)), 0, ctypes.byref(error), ctypes.byref(offset), None):
        return "fine"
    message = ctypes.create_string_buffer(256)
    pcre.pcre2_get_error_message_8(error, message, 256)
    return message.value.decode()

def by_perl(pattern):
    return "fine" if subprocess.run(["perl", "-e", "'a-' =~ /$ARGV[0]/ or exit 1", pattern]).returncode == 0 else "no"

def by_python(pattern):
    try:
        return "fine" if re.match(pattern, "a-") else "no"
    except re.error as error:
        return str(error)

for pattern, expected in ((r"^[\w-.]+$", "invalid range in character class"), (r"^[\w.-]+$", "fine"), (r"^[\w-]+$", "fine")):
    seen = by_pcre2(pattern)
    print(pattern, "- PCRE2:", seen, "- Perl:", by_perl(pattern), "- Python:", by_python(pattern))
    assert seen == expected and by_perl(pattern) == "fine" and (by_python(pattern) == "fine") == (seen == "fine")
PY
python3 probe.py
