"""A TCP proxy that delays what passes: usage delay.py HOST PORT MILLISECONDS; prints the port that it listens on.

Half of the round trip in each direction. Data is not slowed down, only late; so much may be under way as a window of TCP on a long line.
"""

import asyncio
import sys
from collections import deque

UNDER_WAY = 16 << 20


async def forward(reader, writer, delay):
    loop = asyncio.get_running_loop()
    waiting, size, news = deque(), 0, asyncio.Event()

    async def send():
        nonlocal size
        while True:
            while not waiting:
                news.clear()
                await news.wait()
            due, data = waiting.popleft()
            if (left := due - loop.time()) > 0:
                await asyncio.sleep(left)
            if not data:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
            size -= len(data)
            news.set()

    sender = asyncio.create_task(send())
    try:
        while True:
            while size > UNDER_WAY:
                await asyncio.sleep(0.001)
            data = await reader.read(1 << 18)
            size += len(data)
            waiting.append((loop.time() + delay, data))
            news.set()
            if not data:
                break
        await sender
    except (ConnectionError, asyncio.CancelledError):
        sender.cancel()
        writer.close()


async def main():
    host, port, delay = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 2000

    async def serve(reader, writer):
        try:
            other_reader, other_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(forward(reader, other_writer, delay), forward(other_reader, writer, delay), return_exceptions=True)
        for each in (writer, other_writer):
            each.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
