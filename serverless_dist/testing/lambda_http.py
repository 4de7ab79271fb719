"""As much of HTTP/1.1 as boto3 and AWS's runtime client speak, over asyncio's streams.

Connections are kept until the client closes them; bodies come with their lengths.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus

# The runtime client tells the cause of an error in a header, up to 1 MB of it.
MAX_HEAD = 2 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """One request; the names of its headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request gets."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


async def serve(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    respond: Callable[[Request], Awaitable[Answer]],
) -> None:
    """Answer the requests of one connection, one after the other, until it ends."""
    broken = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
    try:
        # What is no HTTP raises ValueError. Who is cancelled has come to its end here,
        # and asyncio's streams of Python 3.11 would complain.
        with suppress(*broken, ValueError, asyncio.CancelledError):
            while True:
                request = await _read(reader, writer)
                answer = await respond(request)
                writer.write(_pack(answer))
                await writer.drain()
                if request.headers.get("connection", "").lower() == "close":
                    return
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body)


def _pack(answer: Answer) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    if answer.status != HTTPStatus.NO_CONTENT:
        lines.append(f"Content-Length: {len(answer.body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body
