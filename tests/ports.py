"""Free ports for servers that a test starts as processes."""

import socket


def free_ports(number: int) -> list[int]:
    """Return ports nobody listens on; taken together, so that they differ."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
