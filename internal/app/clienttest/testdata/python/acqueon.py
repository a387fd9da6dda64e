"""A dashboard with the websockets package, the credential in the URL.

The package puts the userinfo into its header as it stands in the URL, percent
signs included. Prints what came, step by step, as JSON.
"""

import asyncio
import json
import sys

import websockets


async def came(socket):
    try:
        return {"message": json.loads(await asyncio.wait_for(socket.recv(), 15))}
    except websockets.ConnectionClosed as end:
        return {"code": end.rcvd.code, "reason": end.rcvd.reason}


async def main(first, initialization, again, impostor, refused):
    steps = []
    async with websockets.connect(first) as socket:
        steps.append(await came(socket))
        await socket.send(initialization)
        steps.append(await came(socket))
    async with websockets.connect(again) as socket:
        steps.append(await came(socket))
        await socket.send(impostor)
        steps.append(await came(socket))
    async with websockets.connect(refused) as socket:
        steps.append(await came(socket))
    print(json.dumps(steps))


asyncio.run(main(*sys.argv[1:]))
