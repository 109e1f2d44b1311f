"""What a URL, or a server that it leads to, may try so that this server reaches what it must not."""

from __future__ import annotations

PRIVATE = "is private or reserved"
FORM = "must be a name, or an IP address in its usual form"
NO_URL = "This is not a URL"
AUTHORITY = "must name a host, without user name and password"
CHARACTERS = "holds a space, a control character, a backslash or a bracket"
SCHEME = "must begin with http:// or https://"
PORT = "must be from 1 to 65535"
OTHER_SERVICE = "is not for HTTP, but for another service"

#: Addresses that nothing is sent to, written out or as what a name resolves to.
PRIVATE_ADDRESSES = [
    # private, loopback, link-local, shared, "this network", broadcast, multicast, reserved, documentation
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "127.0.0.1", "127.255.255.254", "169.254.0.1",
    "100.64.0.1", "0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "192.0.2.1", "198.51.100.7", "203.0.113.9", "198.18.0.1", "192.88.99.1",
    # metadata services of clouds
    "169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254",
    # IPv6: unspecified, loopback, link-local, unique local, site-local, multicast, documentation
    "::", "::1", "fe80::1", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "ff0e::1", "2001:db8::1", "3fff::1",
    # IPv4 inside of IPv6: mapped, compatible, NAT64, 6to4, Teredo
    "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:a9fe:a9fe", "::127.0.0.1", "::8.8.8.8", "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:4136:e378::1",
    # discard only, segment routing
    "100::1", "5f00::1",
]  # fmt: skip

#: Refused by what they say, before any look-up, by the reason.
URLS: dict[str, list[str]] = {
    FORM: [
        # IPv4 in other spellings: decimal, octal, hexadecimal, shortened
        "http://2130706433/", "http://134744072/", "http://017700000001/", "http://0177.0.0.1/", "http://0x7f.0.0.1/",
        "http://0x7f000001/", "http://0XA9FEA9FE/", "http://127.1/", "http://127.0.1/", "http://0x7f.1/", "http://0/",
        "http://0x/", "http://010.8.8.8/", "http://8.8.8.08/", "http://1.2.3.4.5/", "http://256.0.0.1/",
        "http://a.0x7f/", "http://127.0.0.1../", "http://%31%32%37.0.0.1/", "http://127.0.0.1%00.example.com/",
        "http://127.0.0.1%2f.example.com/", "http://[v1.abc]/",
        # names that are none
        "http:///good.example", "http://a..b/", "http://.good.example/", "http://-good.example/", "http://*/",
        "http://" + "a" * 64 + ".example/", "http://" + "a." * 127 + "example/",
    ],
    PRIVATE: [
        # loopback in disguise: other digits, other dots, a trailing dot
        "http://１２７.0.0.1/", "http://127。0。0。1/", "http://①②⑦.0.0.1/", "http://127.0.0.1./",
        # IPv6 with zones and in other spellings
        "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[2a00:1450::1%25eth0]/", "http://[::1%251]/",
        "http://[0:0:0:0:0:0:0:1]/", "http://[::ffff:7f00:1]/", "http://[0000::1]/",
    ],
    NO_URL: [
        "http://[::1", "http://::1/", "http://[]/", "http://good.example:x/", "http://good.example:65536/",
        "http://good.example:-1/",
    ],
    # what parsers read differently
    AUTHORITY: [
        "http://good.example@127.0.0.1/", "http://user:word@good.example/", "http://@good.example/",
        "http://:@good.example/", "http:/good.example/", "http:good.example",
    ],
    CHARACTERS: [
        "http://good.example\\@127.0.0.1/", "http://127.0.0.1\\.good.example/", "http://good.example /",
        " http://good.example/", "http://good.example/\n", "http://127.0.0.1\t/", "http://good.example/\r\nHost:x",
    ],
    SCHEME: [
        "//good.example/", "good.example", "", "ftp://good.example/", "file:///etc/passwd", "gopher://good.example/",
        "dict://good.example:11211/", "ldap://good.example/", "javascript:alert(1)", "data:,x", "ws://good.example/",
        "unix:///run/docker.sock", "http+unix://%2frun%2fdocker.sock/",
    ],
    PORT: ["http://good.example:0/"],
    # mail, shells, databases, caches, queues, containers
    OTHER_SERVICE: [
        f"http://good.example:{port}/"
        for port in (7, 22, 23, 25, 53, 110, 143, 389, 445, 465, 587, 993, 1433, 2375, 2379, 3306, 3389, 5432, 5672)
    ] + [f"https://good.example:{port}/" for port in (5900, 6000, 6379, 6667, 9042, 10080, 11211, 27017)],
    "longer than 8192 characters": ["http://good.example/" + "a" * 8192],
}  # fmt: skip

#: One or two of each kind, for every way by which a request can be made.
HANDFUL = [
    ("http://127.0.0.1/", PRIVATE),
    ("http://169.254.169.254/latest/meta-data/", PRIVATE),
    ("http://[::ffff:10.0.0.1]/", PRIVATE),
    ("http://localhost/", PRIVATE),
    ("http://2130706433/", FORM),
    ("http://0x7f.1/", FORM),
    ("http://user:word@good.example/", AUTHORITY),
    ("file:///etc/passwd", SCHEME),
    ("http://93.184.216.34:22/", OTHER_SERVICE),
]


def in_url(address: str) -> str:
    """A URL whose host is this address."""
    return f"http://[{address}]/" if ":" in address else f"http://{address}/"
