"""The machine's own PCRE2, which nginx links, called as nginx calls it. A request a line on standard input, as JSON:
[pattern, ignore case, [text, ...]], all bytes as hex. The answer, a line too: null for a pattern that does not compile, else
[names, [groups, ...]]: names as [name, group], and for each text the groups as [start, end] or null, null for no match, or
PCRE2's number of an error."""

import ctypes
import json
import sys

P = ctypes.c_void_p
pcre2 = ctypes.CDLL("libpcre2-8.so.0")
for name, result, arguments in [
    ("compile", P, [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint32, P, P, P]),
    ("code_free", None, [P]),
    ("match", ctypes.c_int, [P, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_uint32, P, P]),
    ("match_data_create", P, [ctypes.c_uint32, P]),
    ("get_ovector_pointer", ctypes.POINTER(ctypes.c_size_t), [P]),
    ("pattern_info", ctypes.c_int, [P, ctypes.c_uint32, P]),
]:
    function = getattr(pcre2, f"pcre2_{name}_8")
    function.restype, function.argtypes = result, arguments
    globals()[name] = function

CASELESS, INFO_CAPTURECOUNT, INFO_NAMECOUNT, INFO_NAMEENTRYSIZE, INFO_NAMETABLE = 8, 4, 17, 18, 19
block = match_data_create(100, None)
offsets = get_ovector_pointer(block)


def number(code, what):
    value = ctypes.c_uint32()
    pattern_info(code, what, ctypes.byref(value))
    return value.value


def names(code):
    table = P()
    pattern_info(code, INFO_NAMETABLE, ctypes.byref(table))
    size = number(code, INFO_NAMEENTRYSIZE)
    for i in range(number(code, INFO_NAMECOUNT)):
        entry = ctypes.string_at(table.value + i * size, size)
        yield [entry[2:].split(b"\0")[0].decode(), entry[0] << 8 | entry[1]]


def groups(code, text):
    result = match(code, text, len(text), 0, 0, block, None)
    if result < 0:
        return None if result == -1 else result
    pairs = [offsets[2 * i : 2 * i + 2] for i in range(1 + number(code, INFO_CAPTURECOUNT))]
    return [None if start == ctypes.c_size_t(-1).value else [start, end] for start, end in pairs]


for line in sys.stdin:
    pattern, ignore_case, texts = json.loads(line)
    pattern = bytes.fromhex(pattern)
    error, offset = ctypes.c_int(), ctypes.c_size_t()
    options = CASELESS if ignore_case else 0
    code = compile(pattern, len(pattern), options, ctypes.byref(error), ctypes.byref(offset), None)
    answer = None
    if code:
        answer = [list(names(code)), [groups(code, bytes.fromhex(text)) for text in texts]]
        code_free(code)
    print(json.dumps(answer), flush=True)
