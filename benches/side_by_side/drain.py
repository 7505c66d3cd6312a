"""Lets a MariaDB or MySQL server send rows, and throws the bytes away: what sending alone costs.

Usage: drain.py ORDER, a JSON object with host, port, user, password, database and queries. Logs in by mysql_native_password. All queries are
sent at once, with the end of the session behind them, so what comes is read to its end without being looked at.
"""

import hashlib
import json
import socket
import sys

PLUGIN_AUTH, SECURE, PROTOCOL_41, LONG_FLAG, WITH_DB = 1 << 19, 1 << 15, 1 << 9, 1 << 2, 1 << 3


def read_packet(stream):
    header = stream.read(4)
    return header[3], stream.read(int.from_bytes(header[:3], "little"))


def packet(number, payload):
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


def scramble(password, nonce):
    once = hashlib.sha1(password).digest()
    other = hashlib.sha1(nonce + hashlib.sha1(once).digest()).digest()
    return bytes(a ^ b for a, b in zip(once, other))


def nonce_of(greeting):
    after = greeting.index(b"\0", 1) + 1 + 4
    first = greeting[after : after + 8]
    second = greeting[after + 8 + 1 + 2 + 1 + 2 + 2 + 1 + 10 :][:12]
    return first + second


def main():
    order = json.loads(sys.argv[1])
    connection = socket.create_connection((order["host"], order["port"]))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    stream = connection.makefile("rb", buffering=0)
    _, greeting = read_packet(stream)
    proof = scramble(order["password"].encode(), nonce_of(greeting))
    login = (
        (PLUGIN_AUTH | SECURE | PROTOCOL_41 | LONG_FLAG | WITH_DB).to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + b"\x2d" + bytes(23)
        + order["user"].encode() + b"\0" + bytes([len(proof)]) + proof + order["database"].encode() + b"\0" + b"mysql_native_password\0"
    )
    connection.sendall(packet(1, login))
    _, answer = read_packet(stream)
    if answer[:1] != b"\0":
        sys.exit(f"the login was refused: {answer!r}")
    for query in order["queries"]:
        connection.sendall(packet(0, b"\x03" + query.encode()))
    connection.sendall(packet(0, b"\x01"))
    buffer, received = bytearray(1 << 20), 0
    while got := connection.recv_into(buffer):
        received += got
    print(received)


main()
