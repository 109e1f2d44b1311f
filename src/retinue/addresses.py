"""Which addresses and ports may be connected to for others.

Sources: the IANA registries of special-purpose addresses; the Fetch standard's list of bad ports
(https://fetch.spec.whatwg.org/#port-blocking), which browsers connect to no more, since what they send there as HTTP
can be taken for another protocol.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Refused beside what `ipaddress` does not call global: ranges that carry an IPv4 address inside, or that newer
#: registries have reserved; and one metadata service that has a public address (Azure's).
_ALSO_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "168.63.129.16/32",
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "::/96",  # IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64, local
        "2001::/23",  # Teredo and other protocol assignments
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local
    )
)

_BAD_PORTS = frozenset(
    {
        *(1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95),
        *(101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179),
        *(389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993),
        *(995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679),
        *(6697, 10080),
    }
)
#: Where databases, caches and queues listen, and what lets others in: not for browsers to refuse, but for servers.
_SERVICE_PORTS = frozenset(
    {
        *(445, 873, 3389, 5900, 5901, 5985, 5986),  # file shares, rsync, remote desktops
        *(1433, 1434, 1521, 3306, 5432, 6432, 9042, 27017, 27018, 27019),  # databases
        *(2379, 2380, 6379, 6380, 11211, 16379, 26379),  # key-value stores
        *(1883, 4369, 5671, 5672, 9092, 61613, 61616),  # queues
        *(2181, 2375, 2376, 6443, 9300, 10250, 10255),  # ZooKeeper, Docker, Elasticsearch's nodes, Kubernetes
    }
)


class Policy:
    """What the settings allow."""

    def __init__(self, allow: Sequence[str], ports: Collection[int]) -> None:
        """Say what is allowed beside public addresses.

        Args:
            allow: networks, addresses and host names.
            ports: of those that are refused otherwise.
        """
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self._names: set[str] = set()
        self._refused_ports = (_BAD_PORTS | _SERVICE_PORTS).difference(ports)
        for entry in allow:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._names.add(entry.lower().removesuffix("."))

    def allows_port(self, port: int) -> bool:
        """Whether connections may go to a port."""
        return port not in self._refused_ports

    def allows_name(self, host: str) -> bool:
        """Whether a host is allowed whatever its address."""
        return host in self._names

    def allows_address(self, address: Address) -> bool:
        """Whether connections may go to an address."""
        if any(address in network for network in self._networks):
            return True
        scoped = isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None
        also = any(address in network for network in _ALSO_REFUSED)
        return address.is_global and not (scoped or also or address.is_multicast or address.is_reserved)
