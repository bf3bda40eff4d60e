"""python-hl7's own MLLP server: parse, acknowledge, store nothing. The peer of bench.

python bench/python_hl7_server.py PORT
"""

import asyncio
import sys
from contextlib import suppress

from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server


async def converse(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
    """Answer every message of one connection."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while not writer.is_closing():
            message = await reader.readmessage()
            writer.writemessage(message.create_ack())
            await writer.drain()
    writer.close()


async def main(port: int) -> None:
    """Serve until killed."""
    async with await start_hl7_server(converse, host="127.0.0.1", port=port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1])))
