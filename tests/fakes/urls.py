"""Forms of server-side request forgery, none of which may lead to a connection."""

from __future__ import annotations

from ipaddress import IPv4Address

PUBLIC = "93.184.215.14"
V4_VICTIMS = ("127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1")


def spellings(address: str) -> list[str]:
    """Ways to write an IPv4 address that some resolver or URL parser understands."""
    a, b, c, d = (int(x) for x in address.split("."))
    number = int(IPv4Address(address))
    return [
        address,
        f"{address}.",
        str(number),
        hex(number),
        oct(number).replace("0o", "0"),
        f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"{a}.{b}.{c * 256 + d}",
        f"{a}.{b * 65536 + c * 256 + d}",
        f"{a:03}.{b:03}.{c:03}.{d:03}",
        f"{a}.{b}.{c}.0x{d:x}",
        f"[::ffff:{address}]",
        f"[::ffff:{number >> 16:x}:{number & 0xFFFF:x}]",
        f"[::{address}]",
        f"[64:ff9b::{address}]",
        f"[64:ff9b:1::{address}]",
        f"[2002:{number >> 16:x}:{number & 0xFFFF:x}::1]",
        f"[2001:0:4136:e378:8000:63bf:{(number >> 16) ^ 0xFFFF:x}:{(number & 0xFFFF) ^ 0xFFFF:x}]",
        f"[2606:2800:21f::5efe:{number >> 16:x}:{number & 0xFFFF:x}]",
        "".join(f"%{ord(ch):02x}" for ch in address),
        "".join(chr(ord(ch) + 0xFEE0) if ch.isdigit() else ch for ch in address),
        address.replace(".", "\u3002"),
    ]


LITERALS = [f"http://{form}/" for victim in V4_VICTIMS for form in spellings(victim)]

RANGES = [
    f"http://{host}/"
    for host in (
        *("0.0.0.0", "0", "0.1.2.3", "100.64.0.1", "100.100.100.200", "127.1.2.3", "127.255.255.254", "172.16.0.1"),
        *("172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255"),
        *("198.51.100.1", "203.0.113.1", "224.0.0.1", "224.0.1.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("168.63.129.16", "127.1", "127.0.1", "0x7f.1", "017700000001", "0x7f000001", "1.0x7f"),
        *(
            "[::]",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::1%25lo]",
            "[fe80::1]",
            "[fe80::1%25eth0]",
            "[fec0::1]",
            "[fc00::1]",
        ),
        *("[fd00:ec2::254]", "[ff02::1]", "[2001:db8::1]", "[3fff::1]", "[2001:10::1]", "[2001:20::1]", "[100::1]"),
        *("[5f00::1]", "[2620:4f:8000::1]", "[2001:2::1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]"),
    )
]

NAMES = [
    f"http://{host}/"
    for host in (
        *("localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "printer.local", "intranet"),
        *("metadata.google.internal", "instance-data", "kubernetes.default.svc.cluster.local", "router.lan"),
        *("nas.home.arpa", "db.intranet", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "loc\u00adalhost", "local\u200bhost", "x.onion"),
    )
]

PARSERS = [
    "http://example.org@127.0.0.1/",
    "http://user:pass@127.0.0.1/",
    "http://user@example.org/",
    "http://@example.org/",
    "http://:@example.org/",
    "http://127.0.0.1\\@example.org/",
    "http://example.org\\@127.0.0.1/",
    "http:\\\\127.0.0.1/",
    "http://example.org\\.127.0.0.1/",
    "http://127.0.0.1#@example.org/",
    "http://127.0.0.1?@example.org/",
    "http://127.0.0.1:80@example.org/",
    "http://example.org:80@127.0.0.1:80/",
    "http://127.0.0.1%23@example.org/",
    "http://127.0.0.1%2f@example.org/",
    "http://example.org%00.127.0.0.1/",
    "http://127.0.0.1%00.example.org/",
    "http://127.0.0.1 .example.org/",
    "http://127.0.0.1\t.example.org/",
    "http://127.0.0.1\r\nHost:example.org/",
    " http://127.0.0.1/",
    "http://127.0.0.1\u00a0/",
    "http:/127.0.0.1/",
    "http:127.0.0.1",
    "//127.0.0.1/",
    "///127.0.0.1/",
    "127.0.0.1",
    "http:///127.0.0.1",
    "http://[::1/",
    "http://::1/",
    "http://[127.0.0.1]/",
    "http://[v1.fe80::]/",
    "http://example.org:99999/",
    "http://example.org:-1/",
    "http://example.org:0x50/",
    "http://" + "a" * 64 + ".org/",
    "http://" + "a." * 130 + "org/",
    "http://ex..ample.org/",
    "http://.example.org/",
    "http://",
    "",
]

SCHEMES = [
    *("file:///etc/passwd", "file://localhost/etc/passwd", "ftp://example.org/", "gopher://127.0.0.1:6379/_INFO"),
    *(
        "dict://127.0.0.1:11211/stat",
        "ldap://127.0.0.1/",
        "data:text/html,<b>",
        "javascript:alert(1)",
        "jar:http://x!/",
    ),
    *(
        "ws://example.org/",
        "unix:///var/run/docker.sock",
        "netdoc:///etc/passwd",
        "tftp://127.0.0.1/x",
        "blob:http://x",
    ),
    *(
        "view-source:http://127.0.0.1/",
        "about:blank",
        "chrome://settings",
        "sftp://example.org/",
        "url:http://127.0.0.1",
    ),
]

PORTS = [
    f"http://example.org:{port}/"
    for port in (0, 1, 21, 22, 23, 25, 53, 110, 111, 139, 143, 389, 445, 465, 587, 873, 2375, 2379, 3306, 5432, 6379)
] + [f"https://example.org:{port}/" for port in (6443, 9200, 10250, 11211, 27017)]

DNS = {
    # One label per answer that a hostile name server may give; ``mixed`` hides a private one among public ones.
    "loop.example.org": ["127.0.0.1"],
    "loop6.example.org": ["::1"],
    "meta.example.org": ["169.254.169.254"],
    "ten.example.org": ["10.0.0.1"],
    "cgnat.example.org": ["100.64.0.1"],
    "mapped.example.org": ["::ffff:127.0.0.1"],
    "nat64.example.org": ["64:ff9b::a00:1"],
    "sixtofour.example.org": ["2002:7f00:1::"],
    "teredo.example.org": ["2001:0:4136:e378:8000:63bf:80ff:fffe"],
    "mixed.example.org": [PUBLIC, "127.0.0.1"],
    "mixed6.example.org": [PUBLIC, "fe80::1"],
    "scoped.example.org": ["fe80::1%eth0"],
    "zero.example.org": ["0.0.0.0"],
    "azure.example.org": ["168.63.129.16"],
    "junk.example.org": ["not an address"],
}
FORMS = [*LITERALS, *RANGES, *NAMES, *PARSERS, *SCHEMES, *PORTS, *(f"http://{name}/" for name in DNS)]
