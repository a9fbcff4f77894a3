"""Bad input and its neighbours: some 1,900 payloads, each with what must become of it.

All of them are made here: by hand, from tables, and by a generator with a fixed seed. What is expected is written down or
known from how a payload was made; none of it is asked of the code under test.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

TOMBSTONE = "tombstone"
NOT_JSON = "not JSON"
NOT_OBJECT = "not a JSON object"
TWICE = "key twice"
RESERVED = "reserved column"
DEEP = "nested more than 100 deep"
NAME = "not a column name"
LARGE = "larger than 32 MB"

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Case:
    """One record.

    Attributes:
        name: unique; says what is special about it.
        value: the payload.
        reason: kind of rejection (the reason's text up to a colon); None: it becomes one row.
        key: the record's key.
        headers: the record's headers.
    """

    name: str
    value: bytes | None
    reason: str | None
    key: bytes | None = b"key"
    headers: Headers = ()


def cases() -> list[Case]:
    """The corpus that a topic with Kafka's default limits takes; the same one every time."""
    made: list[Case] = []
    for group in _GROUPS:
        made += group()
    names = {case.name for case in made}
    assert len(names) == len(made), "two cases have the same name"
    return made


def too_large() -> Case:
    """A payload of more than 32 MB: only a topic with a raised ``max.message.bytes`` takes it."""
    return Case("more than 32 MB", b'{"a":"%b"}' % (b"x" * 32_000_000), LARGE)


def large() -> Case:
    """A payload just below: it is a row."""
    return Case("just below 32 MB", b'{"a":"%b"}' % (b"x" * 31_999_000), None)


# --- what is no JSON object at all


def _nothing() -> Iterator[Case]:
    yield Case("tombstone", None, TOMBSTONE)
    yield Case("tombstone without a key", None, TOMBSTONE, key=None)
    for name, value in (("empty", b""), ("a blank", b" "), ("blank lines", b"\r\n\t \n"), ("NUL", b"\x00")):
        yield Case(name, value, NOT_JSON)
    for value in (b"[]", b"[1]", b'[{"a":1}]', b"[[[[]]]]", b'["a","b"]', b"\n[ ]\n"):
        yield Case(f"array {value!r}", value, NOT_OBJECT)
    for value in (b"0", b"-0", b"-1.5e3", b"7", b"18446744073709551616", b"true", b"false", b"null", b' null ', b'""',
                  b'"a"', b'"{}"', b'"{\\"a\\":1}"', b'"\\u0000"', b"1e5"):  # fmt: skip
        yield Case(f"scalar {value!r}", value, NOT_OBJECT)


def _broken() -> Iterator[Case]:
    for value in (
        b"{", b"}", b"{}}", b"{}{}", b"{},", b"{,}", b'{"a"}', b'{"a":}', b'{"a":1,}', b'{,"a":1}', b'{"a":1 "b":2}',
        b'{"a":1,,"b":2}',
        b"{a:1}", b"{'a':1}", b'{"a":\'b\'}', b'{"a"=1}', b'{"a"=>1}', b'{"a":1;"b":2}', b"{1:2}", b"{null:1}",
        b'{"a":undefined}',
        b'{"a":True}', b'{"a":None}', b'{"a":TRUE}', b'{"a":nul}', b'{"a":1}\x00', b'{"a":1}\x0c', b'\x0b{"a":1}',
        b'{"a":1} x', b'x{"a":1}',
        b'{"a":1}\n{"b":2}', b'{"a":1}{"b":2}', b'{"a":1},{"b":2}', b'{"a":1}//', b'{/**/"a":1}', b'#\n{"a":1}',
        b'{"a":1}#', b'{"a":[1,]}',
        b'{"a":[1;2]}', b'{"a":[,1]}', b'{"a":[1}', b'{"a":{]}', b'{"a":(1)}', b'{"a":"b}', b'{"a:1}', b'{"a":"b"c"}',
        b'{"a":"\\"}',
        b'{"a":"\\x41"}', b'{"a":"\\u12"}', b'{"a":"\\u{41}"}', b'{"a":"\\uZZZZ"}', b'{"a":"\\U0041"}',
        b'{"a":"\\a"}', b'{"a":"\\\'"}', b'{"\\":1}',
        b"Index,Date,Open", b"HSI,1986-12-31,2568.30", b"<tick><a>1</a></tick>", b"a: 1\nb: 2", b"---", b"%PDF-1.4",
        b"GIF89a", b"PK\x03\x04",
        b"\x1f\x8b\x08\x00", b"\x00\x00\x00\x00\x01\x02a", b"PAR1", b"Obj\x01", b"{}\x1a", b"\xff\xfe{\x00}\x00",
        b"\xfe\xff\x00{\x00}",
        b"{\x00}\x00", b'{"a":1}\xc2\xa0', b'\xe2\x80\x8b{"a":1}', b'\xef\xbb\xbf{"a":1}', b'{\xef\xbb\xbf"a":1}',
        b'{"a":1}\xef\xbb\xbf', b'{"a"\xe2\x80\xa8:1}',
    ):  # fmt: skip
        yield Case(f"broken {value!r}", value, NOT_JSON)


def _controls() -> Iterator[Case]:
    """Control characters stand in JSON strings as escapes only."""
    for code in range(0x20):
        raw = bytes([code])
        yield Case(f"control 0x{code:02x} raw in a value", b'{"a":"x%by"}' % raw, NOT_JSON)
        yield Case(f"control 0x{code:02x} raw in a key", b'{"x%by":1}' % raw, NOT_JSON)
        yield Case(f"control 0x{code:02x} escaped in a value", b'{"a":"x\\u%04xy"}' % code, None)
        if raw not in (b"\t", b"\n", b"\r", b" "):
            yield Case(f"control 0x{code:02x} between tokens", b'{"a":%b1}' % raw, NOT_JSON)


# --- bytes that are not UTF-8


def _not_utf_8() -> Iterator[Case]:
    bad = {
        "a continuation alone": b"\x80",
        "the last continuation alone": b"\xbf",
        "two continuations": b"\x80\xbf",
        "latin-1": "é".encode("latin-1"),
        "utf-16": "é€".encode("utf-16-le"),
        "windows-1252 quotes": b"\x93x\x94",
        "shift-jis": "株".encode("shift-jis"),
        "beyond U+10FFFF": b"\xf4\x90\x80\x80",
        "five bytes": b"\xf8\x88\x80\x80\x80",
        "six bytes": b"\xfc\x84\x80\x80\x80\x80",
        "a byte that UTF-8 has not": b"\xc0",
        "the other that it has not": b"\xc1\xbf",
        "0xf5": b"\xf5\x80\x80\x80",
        "0xfe": b"\xfe",
        "0xff": b"\xff",
        "a pair of surrogates (CESU-8)": b"\xed\xa0\xbd\xed\xb8\x80",
    }
    for code in (0x00, 0x22, 0x2F, 0x5C, 0x7F):
        bad[f"overlong U+{code:04X} in two"] = bytes([0xC0 | code >> 6, 0x80 | code & 0x3F])
        bad[f"overlong U+{code:04X} in three"] = bytes([0xE0, 0x80 | code >> 6, 0x80 | code & 0x3F])
    bad["overlong U+07FF in three"] = b"\xe0\x9f\xbf"
    bad["overlong U+FFFF in four"] = b"\xf0\x8f\xbf\xbf"
    for code in (0xD800, 0xDBFF, 0xDC00, 0xDFFF):
        bad[f"surrogate U+{code:04X}"] = chr(code).encode(errors="surrogatepass")
    for char in ("é", "€", "😀"):
        whole = char.encode()
        for length in range(1, len(whole)):
            bad[f"{char} cut after {length}"] = whole[:length]
    for name, raw in bad.items():
        yield Case(f"not UTF-8: {name}, in a value", b'{"a":"x%by"}' % raw, NOT_JSON)
        yield Case(f"not UTF-8: {name}, in a key", b'{"x%by":1}' % raw, NOT_JSON)
        yield Case(f"not UTF-8: {name}, in a nested key", b'{"a":[{"%b":1}],"b":2}' % raw, NOT_JSON)
        yield Case(f"not UTF-8: {name}, outside", b'{"a":1}%b' % raw, NOT_JSON)
    for raw in (b"\xff", b"\xed\xa0\x80", b"\xc3"):
        yield Case(f"not UTF-8: {raw!r} at a value's end", b'{"a":"x%b"}' % raw, NOT_JSON)
        yield Case(f"not UTF-8: {raw!r} behind an escape", b'{"a":"\\n%b"}' % raw, NOT_JSON)
        yield Case(f"not UTF-8: {raw!r} behind much text", b'{"a":"%b%b"}' % ("é".encode() * 2000, raw), NOT_JSON)


def _surrogate_escapes() -> Iterator[Case]:
    alone = (
        r"\ud800", r"\uD800", r"\udbff", r"\udc00", r"\uDFFF", r"\ud83dx", r"x\ude00", r"\ud83d\n", r"\ud83d\u0041",
        r"\ude00\ud83d", r"\ud83d\ud83d", r"\ud83d\ud83d\ude00", r"\ud83d\\ude00", r"\ud83d \ude00",
    )  # fmt: skip
    for text in alone:
        yield Case(f"lone surrogate {text} in a value", b'{"a":"%b"}' % text.encode(), NOT_JSON)
        yield Case(f"lone surrogate {text} in a key", b'{"%b":1}' % text.encode(), NOT_JSON)
    pairs = (r"\ud83d\ude00", r"\uD83D\uDE00", r"\ud800\udc00", r"\udbff\udffd", r"\ud83d\ude00" * 2, r"\\ud800")
    for text in pairs:
        yield Case(f"surrogate pair {text} in a value", b'{"a":"%b"}' % text.encode(), None)
    yield Case("surrogate pair in a key", rb'{"\ud83d\ude00":1}', None)


# --- numbers


def _numbers() -> Iterator[Case]:
    for text in (
        "NaN", "nan", "-NaN", "Infinity", "-Infinity", "+Infinity", "inf", "-inf", "1e400", "-1e400", "1E+400",
        "1e309", "1e99999999999999999999",
        "1.7976931348623159e308", "-1.7976931348623159e308", "1" + "0" * 309, "-1" + "0" * 309, "1" + "0" * 400,
        "1" * 5000, "9" * 309 + ".5",
        "0" * 2, "01", "-01", "00.5", "1.", "-1.", ".5", "-.5", "+1", "--1", "- 1", "-", "1e", "1e+", "1.e5", "1.5.2",
        "1e5.5", "1,5", "1 000", "1_000",
        "0x1F", "0b1", "0o17", "1f", "1L", "1d", "٣", "１", "½", "1/2", "1..2", "e5", "1e5e5", "−1",
    ):  # fmt: skip
        name = text if len(text) < 40 else f"{text[:10]}… of {len(text)}"
        yield Case(f"no number {name}", b'{"a":%b}' % text.encode(), NOT_JSON)
        yield Case(f"no number {name}, behind a blank", b'{"b" :2,"a" : %b}' % text.encode(), NOT_JSON)
    for text in (
        "0", "-0", "0.0", "-0.0", "0e0", "0E+0", "1", "-1", "1.10", "1.0", "100.00", "1e5", "1E5", "1e+5", "1e-5",
        "1e308", "-1e308", "1.7976931348623157e308",
        "5e-324", "2e-324", "1e-400", "0.1", "0.30000000000000004", "2147483647", "2147483648", "-2147483648",
        "-2147483649", "4294967296", "9007199254740991",
        "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
        "-9223372036854775809", "18446744073709551615",
        "18446744073709551616", "-18446744073709551616", "1" + "0" * 30, "1" + "0" * 308, "123456789" * 20,
        "0." + "1234567890" * 500, "1." + "0" * 5000,
        "3.14159265358979323846264338327950288", "1" * 300 + "." + "1" * 300,
    ):  # fmt: skip
        name = text if len(text) < 40 else f"{text[:10]}… of {len(text)}"
        yield Case(f"number {name}", b'{"a":%b}' % text.encode(), None)
        yield Case(f"number {name}, nested", b'{"a":{"b":[%b]},"c":"%b"}' % (text.encode(), text.encode()), None)


# --- depth


def _depth() -> Iterator[Case]:
    for levels in (2, 10, 99, 100):
        yield Case(f"{levels} objects deep", b'{"a":' * levels + b"1" + b"}" * levels, None)
        arrays = levels - 1
        yield Case(f"{levels} deep by arrays", b'{"a":' + b"[" * arrays + b"1" + b"]" * arrays + b"}", None)
        yield Case(f"{levels} deep and empty", b'{"a":' + b"[" * arrays + b"]" * arrays + b"}", None)
    for levels in (101, 102, 200, 500):
        yield Case(f"{levels} objects deep", b'{"a":' * levels + b"1" + b"}" * levels, DEEP)
        arrays = levels - 1
        yield Case(f"{levels} deep by arrays", b'{"a":' + b"[" * arrays + b"1" + b"]" * arrays + b"}", DEEP)
        yield Case(f"{levels} deep and empty", b'{"a":' + b"[" * arrays + b"]" * arrays + b"}", DEEP)
        yield Case(f"{levels} deep beside others", b'{"b":[],"a":' + b"[" * arrays + b"]" * arrays + b',"c":{}}', DEEP)
    for levels in (5_000, 100_000):
        yield Case(f"{levels} objects deep", b'{"a":' * levels + b"1" + b"}" * levels, NOT_JSON)
        yield Case(f"{levels} deep by arrays", b'{"a":' + b"[" * levels + b"]" * levels + b"}", NOT_JSON)
        yield Case(f"{levels} deep and open", b'{"a":' * levels, NOT_JSON)
    yield Case("200 brackets in a string", b'{"a":"' + b"[{" * 200 + b'"}', None)
    yield Case("200 arrays, none in another", b'{"a":[' + b"[]," * 199 + b"[]]}", None)


# --- keys


def _twice() -> Iterator[Case]:
    for value in (
        b'{"a":1,"a":2}', b'{"a":1,"a":1}', b'{"a":1,"A":2}', b'{"A":1,"a":2}', b'{"a":1,"b":2,"a":3}',
        b'{"a":1,"a" :2}', b'{"a":1,"a"\t:2}', b'{"a":1,"a"\n:2}',
        b'{"a":1,\n"a":2}', b'{"a" :1,"b" :2,"a" :3}', b'{"\\u0061":1,"a":2}', b'{"a":1,"\\u0061":2}',
        b'{"\\u0041":1,"a":2}', b'{"a":1,"\\u0041":2}',
        b'{"x":{"b":1,"b":2}}', b'{"x":{"b":1,"B":2}}', b'{"x":[{"b":1,"b":2}]}', b'{"x":[{},{"b":1,"\\u0062":2}]}',
        b'{"x":[[[{"b":{"c":0,"C":1}}]]]}',
        b'{"a":"\\":","a":1}', b'{"a":"b\\":c","a":1}', b'{"a":"{\\"a\\":1}","a":2}', b'{"a":{},"a":{}}',
        b'{"a":[],"a":[]}', b'{"a":null,"a":null}',
        b'{"a":":","b":"\\"","a":1}', b'{"a":"a\\":","b":2,"b":"x"}', b'{"kafka":1,"KAFKA":2}',
        '{"é":1,"É":2}'.encode(), '{"\\u00e9":1,"é":2}'.encode(),
        '{"я":1,"Я":2}'.encode(), '{"k":1,"\u212a":2}'.encode(), '{"å":1,"\u212b":2}'.encode(),
        '{"ǆ":1,"ǅ":2}'.encode(), b'{"a b":1,"A b":2}', b'{"a\\/b":1,"a/b":2}',
        b'{"\\u005fa":1,"_a":2}', b'{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"A":11}',
    ):  # fmt: skip
        yield Case(f"twice {value!r}", value, TWICE)
    many = [f'"k{n}":{n}' for n in range(300)]
    yield Case("twice among 300", ("{" + ",".join([*many, '"K7":0']) + "}").encode(), TWICE)
    for value in (
        b'{"a":1,"b":{"a":1}}', b'{"a":{"a":{"a":1}}}', b'{"a":[{"a":1},{"a":2}]}', b'{"a":"a","b":"a"}',
        b'{"a":"\\"a\\":1","b":2}', b'{"a":"{\\"a\\":1,\\"a\\":2}"}',
        b'{"a":1,"a ":2}', b'{"a":1," a":2}', b'{"a":1,"aa":2}', b'{"a_b":1,"ab":2}', '{"e\u0301":1,"é":2}'.encode(),
        '{"ss":1,"ß":2}'.encode(), '{"i":1,"ı":2}'.encode(),
        b'{"1":1,"01":2}', b'{"a":"b\\":","c":1}', b'{"a":"\\":\\":\\":"}', b'{"x":[{"b":1},{"b":2}]}',
        '{"ſ":1,"s":2}'.encode(), '{"ﬁ":1,"fi":2}'.encode(),
    ):  # fmt: skip
        yield Case(f"not twice {value!r}", value, None)


def _reserved() -> Iterator[Case]:
    for column in ("kafka_partition", "kafka_offset", "kafka_timestamp", "dt", "hr"):
        escaped = "".join(f"\\u{ord(c):04x}" for c in column)
        first, rest = column[0], column[1:]
        spellings = (column, column.upper(), column.title(), first.upper() + rest, escaped, escaped[:6] + rest)
        for spelling in dict.fromkeys(spellings):
            yield Case(f"reserved {spelling}", f'{{"{spelling}":1}}'.encode(), RESERVED)
            yield Case(f"reserved {spelling} among others", f'{{"a":"x","{spelling}" : null,"b":2}}'.encode(), RESERVED)
        for near in (f"{column}_", f"_{column}", f"x{column}", f"{column} ", column.replace("_", "-"), column[:-1]):
            if near != column:
                yield Case(f"near to reserved {near!r}", f'{{"{near}":1}}'.encode(), None)
        yield Case(f"reserved {column}, but nested", f'{{"a":{{"{column}":1}}}}'.encode(), None)
        yield Case(f"reserved {column}, but a value", f'{{"a":"{column}"}}'.encode(), None)
        yield Case(f"reserved {column}, but in an array", f'{{"a":[{{"{column}":1}},"{column}"]}}'.encode(), None)
    yield Case("reserved with the Kelvin sign", '{"\u212aafka_offset":1}'.encode(), RESERVED)


def _column_names() -> Iterator[Case]:
    """Keys of the record itself: names of columns in Glue."""
    for key in (
        "a", "A", "_", "__a", "1", "1a", "a1", "a.b", "a b", " a", "a ", " ", "a-b", "a:b", "a;b", "a'b", "a`b",
        "a/b", "a$b", "$", ".", "..", "a@b", "a#b", "a%b", "a&b", "a*b", "a+b", "a=b",
        "a?b", "a!b", "a|b", "a~b", "a^b", "(a)", "[a]", "{a}", "<a>", "${a}", "{{a}}", "%s", "$.a", "$ref", "@type",
        "a[0]", "Adj Close", "select", "SELECT", "table", "timestamp", "null", "true",
        "count(*)", "é", "ключ", "键", "مفتاح", "キー", "😀", "e\u0301", "a\u00a0b", "a\u200bb", "\ufeffa", "a\u2028b",
        "a\u2029b", "a\u0085b", "a\u007fb", "ß", "İ", "ǅ", "\U0001d4b3", "\ufffd", "--", "-- a", "/*a*/",
        "__proto__", "constructor", "toString", "0", "-1", "1e5", "NaN", "partition_0", "col0", "_col0", "year",
        "date", "../a", "a/../b", "~", "''", "a''b",
        "x" * 255, "é" * 127, "键" * 85,
    ):  # fmt: skip
        name = key if len(key) < 40 else f"{key[0]}… of {len(key)}"
        yield Case(f"column {name!r}", json.dumps({key: 1}, ensure_ascii=False).encode(), None)
        yield Case(f"column {name!r} escaped, behind another", json.dumps({"b": "x", key: None}).encode(), None)
    yield Case("column with a quote", b'{"a\\"b":1}', None)
    yield Case("column with a backslash", b'{"a\\\\b":1}', None)
    yield Case("column with a quote and colon", b'{"a\\":b":1}', None)
    yield Case("column with a tab", b'{"a\\tb":1}', None)
    for name, key in (
        ("empty", ""), ("a comma", "a,b"), ("only a comma", ","), ("a line feed", "a\nb"),
        ("a carriage return", "a\rb"), ("NUL", "a\0b"), ("bell", "\a"), ("escape", "\x1b[0m"),
        ("unit separator", "a\x1fb"),
        ("U+FFFE", "a\ufffe"), ("U+FFFF", "\uffff"), ("256 letters", "x" * 256), ("256 bytes", "é" * 128),
        ("258 bytes", "键" * 86), ("1,000 letters", "x" * 1000), ("100,000 letters", "x" * 100_000),
        ("longer in lower case", "İ" * 100),
    ):  # fmt: skip
        yield Case(f"no column: {name}", json.dumps({key: 1}).encode(), NAME)
        yield Case(f"no column: {name}, behind others", json.dumps({"a": "x", "b": [], key: 1}).encode(), NAME)
    yield Case("1,000 columns", json.dumps({f"c{n}": n for n in range(1000)}).encode(), None)


def _field_names() -> Iterator[Case]:
    """Keys of nested objects: names within Hive's type ``struct<…>``, whose parser takes few characters."""
    for key in (
        "a", "A", "_a", "1", "a1", "a.b", "a b", " a", "a ", "a$b", "$", ".", "é", "ключ", "键", "キー", "٣", "dt", "hr",
        "kafka_offset", "int", "struct", "array", "x" * 300,
    ):  # fmt: skip
        name = key if len(key) < 40 else f"{key[0]}… of {len(key)}"
        yield Case(f"field {name!r}", json.dumps({"a": {key: 1}}, ensure_ascii=False).encode(), None)
        yield Case(f"field {name!r} in an array", json.dumps({"a": [{"b": 0, key + "_": 1}]}).encode(), None)
    for key in (
        "", "a-b", "-", "a:b", ":", "a,b", "a;b", "<", ">", "a<b>", "a(b)", "a'b", 'a"b', "a`b", "a/b", "a\\b",
        "@type", "#text", "a%b", "a&b", "a*b", "a+b", "a=b", "a?b", "a!b", "a|b", "a~b", "a^b", "[0]",
        "{a}", "\t", "a\nb", "a\0b", "a\u00a0b", "a\u200bb", "\ufeffa", "a\u2028b", "😀", "½", "²", "e\u0301",
        "\U0001d4b3", "content-type", "xmlns:a", "https://a.example/b", "2026-11-22T10:05",
    ):  # fmt: skip
        yield Case(f"no field {key!r}", json.dumps({"a": {key: 1}}, ensure_ascii=False).encode(), NAME)
        yield Case(f"no field {key!r} deep in arrays", json.dumps({"a": [[{"b": [{"c": {key: 0}}]}]]}).encode(), NAME)


# --- texts and blanks


def _texts() -> Iterator[Case]:
    texts = (
        "", " ", "null", "NaN", "true", "0", "{}", "[]", '{"a":1}', '"', '""', "\\", "\\\\", "\\u0041", "/", "\n",
        "\r\n", "\t", "\b\f", "\0", "a\0b", "a\nb", "a\rb", "a\u2028b", "a\u2029b", "a\u0085b", "\x7f", "\u0080",
        "\ufeff", "a\ufeffb", "\ufffd", "\ufffe", "\uffff", "\U0010ffff", "\u200b", "\u200d", "\u202e abc",
        "\u2066abc\u2069", "e\u0301\u0302\u0303", "Z\u0335\u0336\u0337a\u0338", "ﷺ", "👩‍👩‍👧", "🏳️‍🌈", "🇩🇪", "日本語",
        "한국어", "עברית", "العربية", "Ελληνικά",
        "' OR 1=1 --", "\"; DROP TABLE ticks; --", "Robert'); --", "<script>alert(1)</script>", "<!-- a -->", "]]>",
        "&amp;", "%00", "%s%n%d", "{0}", "${HOME}", "$(id)", "`id`", "{{7*7}}", "../../etc/passwd", "C:\\NUL",
        "file:///dev/null", "s3://b/k",
        "=1+1", "@SUM(A1)", "+1", "-1", "\x1b[31m", "a,b;c\td", "1\u00a0000", "１２３", "½", "０", "a" * 10_000,
        "é" * 10_000, "\\" * 1000, '"' * 1000, "{" * 1000, "[" * 1000, '":' * 500, '" :' * 500, ',"kafka_offset":1',
        '"}\n{"a":"', "}\n",
        "kafka_partition", "dt=2026-11-22/hr=10", "2026-11-22T10:05", "Inf", "-0", "1e400", "0x1F", "\ud7ff\ue000",
        "İıſ\u212a",
    )  # fmt: skip
    for number, text in enumerate(texts):
        shown = text if len(text) < 30 else f"{text[:3]}… of {len(text)}"
        yield Case(f"text {number} {shown!r}", json.dumps({"a": text}, ensure_ascii=False).encode(), None)
        yield Case(f"text {number} {shown!r} escaped", json.dumps({"b": [text], "c": {"d": text}}).encode(), None)
    yield Case("every simple escape", rb'{"a":"\"\\\/\b\f\n\r\t\u00e9"}', None)
    yield Case("every byte of ASCII escaped", b'{"a":"%b"}' % b"".join(b"\\u%04X" % n for n in range(128)), None)


def _blanks() -> Iterator[Case]:
    value: dict[str, Any] = {"a": 1, "b": {"c": [1, 2, {"d": "x"}], "e": {}}, "f": [], "g": "x y\tz"}
    for indent in (1, 2, 4, "\t"):
        for line_end in ("\n", "\r\n", "\r"):
            text = json.dumps(value, indent=indent).replace("\n", line_end)
            yield Case(f"pretty {indent!r} {line_end!r}", text.encode(), None)
    for text in (
        "{}", "{ }", "{\n}", " {} ", "\t{\t}\t", "\r\n{\r\n}\r\n", '{"a":1}\n', '\n{"a":1}', '{"a":1}\n\n\n',
        ' {"a":1} ', '{ "a" : 1 }', '{\n"a"\n:\n1\n}', '{\r"a"\r:\r1\r}', '{"a":1\n,"b":2}', '{"a":[\n]}',
        '{"a":{\r\n}}',
        '{"a"\t:\t"b"\t}', '{"a":" : "}', '{"a" :1,"b": 2 , "c" : 3}', '{"a":"x\\n"\n}', '{"a":1,\n\n\n"b":2}',
    ):  # fmt: skip
        yield Case(f"blanks {text!r}", text.encode(), None)
    yield Case(
        "10,000 blanks before, between, after", b" " * 10_000 + b'{"a":' + b"\n" * 10_000 + b"1}" + b"\r" * 10_000, None
    )


def _sizes() -> Iterator[Case]:
    for size in (1_000, 65_535, 65_536, 999_000):
        yield Case(f"a string of {size}", b'{"a":"%b"}' % (b"x" * size), None)
    yield Case("999,000 B that are not JSON", b'{"a":"%b"' % (b"x" * 999_000), NOT_JSON)
    yield Case("999,000 B with a bad byte at the end", b'{"a":"%b\xff"}' % (b"x" * 999_000), NOT_JSON)
    yield Case("999,000 B of blanks", b" " * 999_000, NOT_JSON)
    yield Case("999,000 B of NUL", b"\0" * 999_000, NOT_JSON)
    yield Case("999,000 B of quotes", b'{"a":"' + b'\\"' * 499_000 + b'"}', None)
    yield Case("300,000 numbers", b'{"a":[%b]}' % b",".join([b"17"] * 300_000), None)
    yield Case("50,000 objects", b'{"a":[%b]}' % b",".join([b'{"b":1}'] * 50_000), None)
    yield Case("50,000 objects, one key twice", b'{"a":[%b,{"b":1,"b":2}]}' % b",".join([b'{"b":1}'] * 50_000), TWICE)


def _keys_and_headers() -> Iterator[Case]:
    """The record's own key and headers never decide, and are kept as they were."""
    keys = (None, b"", b"\x00", b"\xff\xfe", "schlüssel".encode(), b"k" * 10_000)
    headers: tuple[Headers, ...] = (
        [("a", b"\x00\xff")], [("a", None)], [("a", b"")], [("", b"x")], [("ü", b"x")],
        [("a", b"1"), ("a", b"2"), ("a", b"1")], [("b", b"x" * 10_000)],
    )  # fmt: skip
    for number, key in enumerate(keys):
        yield Case(f"key {number} of a row", b'{"a":1}', None, key=key)
        yield Case(f"key {number} of a rejected one", b"\xff", NOT_JSON, key=key)
    for number, some in enumerate(headers):
        yield Case(f"headers {number} of a row", b'{"a":1}', None, headers=some)
        yield Case(f"headers {number} of a rejected one", b"[]", NOT_OBJECT, headers=some)


# --- generated


_LETTERS = "abcdefgxyzäßéяж键キ0189_. $"
_TEXT = 'abcXYZ 019"\\/:{}[],\n\r\t\x00\x1f\x7fäß€я键\u2028\u0085\ufeff😀\U0010ffff'


def _value(chance: random.Random, depth: int) -> Any:
    kind = chance.randrange(9 if depth else 6)
    if kind == 0:
        return chance.choice((None, True, False))
    if kind == 1:
        return chance.choice((0, -1, chance.randrange(-(2**70), 2**70), 10 ** chance.randrange(300)))
    if kind == 2:
        return chance.choice((0.5, -0.0, 1e-300, 1e300, chance.uniform(-1e6, 1e6)))
    if kind <= 5:
        return "".join(chance.choices(_TEXT, k=chance.randrange(12)))
    if kind == 6:
        return [_value(chance, depth - 1) for _ in range(chance.randrange(4))]
    return _object(chance, depth - 1)


def _object(chance: random.Random, depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    seen: set[str] = set()
    for _ in range(chance.randrange(6)):
        key = "".join(chance.choices(_LETTERS, k=chance.randrange(1, 8)))
        key = key.upper() if chance.randrange(4) == 0 else key
        if key.lower() not in seen:
            seen.add(key.lower())
            made[key] = _value(chance, depth)
    return made


def _text(chance: random.Random, value: dict[str, Any]) -> bytes:
    text = json.dumps(
        value,
        ensure_ascii=chance.random() < 0.5,
        indent=chance.choice((None, None, None, 1, "\t")),
        separators=chance.choice(((",", ":"), (", ", ": "), (" ,", " :"), None)),
    )
    return (chance.choice(("", "", " ", "\n")) + text + chance.choice(("", "", "\n", "\r\n", " "))).encode()


def _generated() -> Iterator[Case]:
    """Objects of any shape, and each of some broken in a way whose verdict is sure."""
    chance = random.Random(20261122)
    for number in range(250):
        yield Case(f"generated {number}", _text(chance, _object(chance, 4)), None)
    for number in range(80):
        whole = _text(chance, {"x": 1, **_object(chance, 3)}).strip()
        # An object is not over before its last brace.
        yield Case(f"generated and cut {number}", whole[: chance.randrange(1, len(whole))], NOT_JSON)
    for number in range(60):
        inner = _object(chance, 2)
        text = json.dumps({"x": inner, "y": 1}, separators=(",", ":"))
        key = chance.choice(("x", "X", "\\u0078", "\\u0058", "y", "Y"))
        comma, colon = chance.choice((",", ", ", " ,")), chance.choice((":", " :", ": "))
        again = f'{text[:-1]}{comma}"{key}"{colon}{json.dumps(inner)}}}'
        yield Case(f"generated with a key twice {number}", again.encode(), TWICE)
    for number in range(60):
        text = json.dumps({**_object(chance, 2), "deep": [{"bad": [{"mark-up": 1}]}]}, indent=chance.choice((None, 2)))
        yield Case(f"generated with a name that is none {number}", text.encode(), NAME)
    for number in range(60):
        raw = json.dumps({**_object(chance, 2), "mark": "HERE"}, ensure_ascii=False).encode()
        bad = chance.choice((b"\xff", b"\x80", b"\xc3", b"\xed\xa0\x80", b"\\ud800", b"\\q", b"\n", b'"', b"\\"))
        yield Case(f"generated with a bad byte {number}", raw.replace(b"HERE", b"HE" + bad + b"RE"), NOT_JSON)


_GROUPS = (
    _nothing, _broken, _controls, _not_utf_8, _surrogate_escapes, _numbers, _depth, _twice, _reserved, _column_names,
    _field_names, _texts, _blanks, _sizes, _keys_and_headers, _generated,
)  # fmt: skip
