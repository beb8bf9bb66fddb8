#!/usr/bin/env python3
"""What a container's published port is: takes connections at LISTEN and carries their bytes to TARGET and back.

usage: forward.py HOST:PORT HOST:PORT; says "ready" and runs until it is ended.
"""

import asyncio
import sys


def place(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


async def pump(reader, writer):
    try:
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def carry(reader, writer, target):
    try:
        there, back = await asyncio.open_connection(*target)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pump(reader, back), pump(there, writer))


async def main(listen, target):
    server = await asyncio.start_server(lambda r, w: carry(r, w, target), *listen)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(place(sys.argv[1]), place(sys.argv[2])))
