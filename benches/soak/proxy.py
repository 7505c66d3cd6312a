"""A bad network: a proxy in front of a server that cuts, stalls, slows, loses and refuses connections when it is told to."""

import asyncio
import socket
import struct
import threading

PIECE = 16 << 10


class Connection:
    """One connection through the proxy, both of its ways."""

    def __init__(self, client, server):
        self.writers = (client, server)
        # Cleared while nothing passes.
        self.passes = asyncio.Event()
        self.passes.set()
        # Bytes that still pass before the connection is cut; None for all of them.
        self.left = None
        self.reset_at_end = True
        self.lost = False

    def end(self, reset):
        for writer in self.writers:
            if reset:
                # Closing a socket that does not linger answers the other side with RST instead of FIN.
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()
        self.passes.set()


class Proxy:
    """A proxy on a port of its own, with a loop and a thread of its own. Every method may be called from any thread."""

    def __init__(self, host, port):
        self.server = (host, port)
        self.connections = set()
        self.refuses = False
        # Bytes a second of each connection and way; None for any number.
        self.rate = None
        self.stalled = False
        self.loop = asyncio.new_event_loop()
        started = threading.Event()

        def serve():
            asyncio.set_event_loop(self.loop)
            self.listener = self.loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
            self.port = self.listener.sockets[0].getsockname()[1]
            started.set()
            self.loop.run_forever()

        threading.Thread(target=serve, daemon=True).start()
        started.wait()

    def _call(self, function):
        """Runs a function in the loop and waits for it."""
        done = threading.Event()
        result = []

        def call():
            result.append(function())
            done.set()

        self.loop.call_soon_threadsafe(call)
        done.wait()
        return result[0]

    def cut(self, reset, chosen=None):
        """Cuts all connections, or one that is chosen by a function among them. Gives how many it were."""
        def cut():
            some = self._some(chosen)
            for connection in some:
                connection.end(reset)
            return len(some)
        return self._call(cut)

    def cut_after(self, count, reset, chosen):
        """Cuts a connection in the midst of a message, once so many more bytes have passed."""
        def order():
            some = self._some(chosen)
            for connection in some:
                connection.left, connection.reset_at_end = count, reset
            return len(some)
        return self._call(order)

    def lose(self, chosen=None):
        """Nothing passes any more on all or one of the connections, and nobody is told; new ones are served."""
        def lose():
            some = self._some(chosen)
            for connection in some:
                connection.lost = True
                connection.passes.clear()
            return len(some)
        return self._call(lose)

    def stall(self):
        """Nothing passes, on old and new connections, until `heal`; then all goes on."""
        def stall():
            self.stalled = True
            for connection in self.connections:
                connection.passes.clear()
            return len(self.connections)
        return self._call(stall)

    def slow(self, rate):
        self.rate = rate
        return len(self.connections)

    def refuse(self):
        """Cuts all connections and takes no new ones until `heal`."""
        self.refuses = True
        return self.cut(True)

    def heal(self):
        """Ends what lasts. Connections that were lost stay lost, as with a router that has forgotten them."""
        def heal():
            self.refuses, self.rate, self.stalled = False, None, False
            for connection in self.connections:
                if not connection.lost:
                    connection.passes.set()
        self._call(heal)

    def _some(self, chosen):
        every = [connection for connection in self.connections if not connection.lost]
        return every if chosen is None else ([chosen(every)] if every else [])

    async def _accept(self, reader, client):
        if self.refuses:
            client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.transport.abort()
            return
        try:
            from_server, server = await asyncio.open_connection(*self.server)
        except OSError:
            client.transport.abort()
            return
        connection = Connection(client, server)
        if self.stalled:
            connection.passes.clear()
        self.connections.add(connection)
        ways = [asyncio.ensure_future(self._pass(connection, reader, server)),
                asyncio.ensure_future(self._pass(connection, from_server, client))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        # A half-open connection is of no use to either protocol. What is lost stays open: its other side is never told.
        if not connection.lost:
            connection.end(False)
        await asyncio.wait(ways)
        self.connections.discard(connection)

    async def _pass(self, connection, reader, writer):
        try:
            while piece := await reader.read(PIECE):
                await connection.passes.wait()
                if self.rate:
                    await asyncio.sleep(len(piece) / self.rate)
                if connection.left is not None:
                    connection.left -= len(piece)
                    if connection.left <= 0:
                        writer.write(piece[: len(piece) + connection.left])
                        await asyncio.sleep(0.01)
                        connection.end(connection.reset_at_end)
                        return
                writer.write(piece)
                await writer.drain()
        except OSError:
            pass
