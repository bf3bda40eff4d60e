"""An MLLP receiver that answers every message the same way."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from engine.errors import FrameError, ParseError
from engine.hl7.acknowledgment import acknowledge, read_header
from engine.hl7.framing import Block, BlockReader, enclose


@dataclass(slots=True)
class Receiver:
    """An MLLP receiver that answers every message the same way and counts."""

    clock: Callable[[], datetime]
    ack: str = "AA"
    delay: float = 0.0
    save: Path | None = None
    received: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Start listening."""
        return await asyncio.start_server(self._converse, host, port)

    def hang_up(self) -> None:
        """Close every connection, as a receiver that goes down would."""
        for writer in self._open:
            writer.close()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._open.add(writer)
        blocks = BlockReader()
        with suppress(OSError, FrameError, asyncio.CancelledError):
            while chunk := await reader.read(65536):
                blocks.feed(chunk)
                while (event := blocks.next_event()) is not None:
                    if isinstance(event, Block):
                        await self._answer(event.body, writer)
                await writer.drain()
        self._open.discard(writer)
        writer.close()

    async def _answer(self, message: bytes, writer: asyncio.StreamWriter) -> None:
        """Keep one message and answer it."""
        self.received += 1
        if self.save is not None:
            (self.save / f"{self.received:06d}.hl7").write_bytes(message)
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.ack == "none":
            return
        try:
            header = read_header(message)
        except ParseError:
            header = None
        control_id = f"LISTEN{self.received}"
        code = self.ack if header else "AR"
        answer = acknowledge(header, code, now=self.clock(), control_id=control_id)
        writer.write(enclose(answer))
