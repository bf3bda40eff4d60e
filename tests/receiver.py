"""A receiver of HL7 v2 on a real socket."""

import socket
import threading
from contextlib import suppress

from tests.edge_ledger import receive


class Receiver:
    """A receiver of HL7 v2 that answers as it is told, one code for each message."""

    def __init__(self, *codes, port=0):
        self.codes, self.got = list(codes), []
        self.listening = socket.create_server(("127.0.0.1", port))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def port(self):
        return self.listening.getsockname()[1]

    @property
    def place(self):
        return f"127.0.0.1:{self.port}"

    def _serve(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                self._converse(connection)

    def _converse(self, connection):
        while blocks := receive(connection, 1):
            name = blocks[0].split(b"|")[9]
            code = self.codes.pop(0) if self.codes else "AA"
            self.got.append(name.decode())
            if code == "drop":
                return
            msa = f"MSA|{code}|".encode() + name
            connection.sendall(
                b"\x0bMSH|^~\\&|H|H|E|E|2030||ACK|1|P|2.5.1\r" + msa + b"\r\x1c\r"
            )

    def close(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
