"""What a connection can do to a call, on real sockets: which error it becomes, and whether the call may be billed."""

from __future__ import annotations

import asyncio
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import LLMRequest, Message, complete
from roma_core.llm.providers.anthropic import AnthropicLLM
from roma_core.llm.providers.openai import OpenAILLM
from roma_core.llm.providers.server import Asked, FakeModelServer, Script

ASK = LLMRequest(messages=(Message(role="user", content="Say hello."),))
BOTH = pytest.mark.parametrize("make", [OpenAILLM, AnthropicLLM])
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[str]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield "http://{}:{}".format(*server.sockets[0].getsockname()[:2])
    finally:
        server.close()


async def failure(make: type, url: str, **options: object) -> LLMError:
    llm = make(base_url=url, api_key=SecretStr("sk-secret"), **options)
    try:
        with pytest.raises(LLMError) as caught:
            await complete(llm, ASK)
    finally:
        await llm.aclose()
    assert "sk-secret" not in f"{caught.value.message} {caught.value.details}"
    return caught.value


def meaning(error: LLMError) -> tuple[ErrorCode, object]:
    return error.code, error.details.get("sent")


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


async def speak_no_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()
    writer.close()


async def stop_in_the_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Ty")
    await writer.drain()
    writer.close()


async def promise_more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 5000\r\n\r\ndata: {}\n\n")
    await writer.drain()
    writer.close()


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


@BOTH
@pytest.mark.parametrize("serve", [hang_up, reset, stop_in_the_headers, promise_more])
async def test_a_call_that_was_sent_may_have_been_billed(make: type, serve: Serve) -> None:
    async with serving(serve) as url:
        assert meaning(await failure(make, url)) == (ErrorCode.LLM_UNAVAILABLE, None)


@BOTH
async def test_what_is_no_http_is_no_answer(make: type) -> None:
    async with serving(speak_no_http) as url:
        assert meaning(await failure(make, url)) == (ErrorCode.LLM_MALFORMED, None)


@BOTH
async def test_a_server_that_says_nothing_is_late(make: type) -> None:
    async with serving(say_nothing) as url:
        assert meaning(await failure(make, url, first_token_s=1.0, stall_s=1.0)) == (ErrorCode.LLM_TIMEOUT, None)


@BOTH
async def test_a_refused_connection_was_never_sent(make: type) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert meaning(await failure(make, url)) == (ErrorCode.LLM_UNAVAILABLE, False)


@BOTH
async def test_a_connection_that_does_not_come_about_was_never_sent(make: type) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]  # more than it queues, so the next one hears nothing
        try:
            for client in waiting:
                client.setblocking(False)
                client.connect_ex(full.getsockname())
            url = f"http://127.0.0.1:{full.getsockname()[1]}"
            assert meaning(await failure(make, url, first_token_s=0.2)) == (ErrorCode.LLM_TIMEOUT, False)
        finally:
            for client in waiting:
                client.close()


@BOTH
async def test_credentials_in_the_address_go_to_the_gateway(make: type) -> None:
    async with FakeModelServer(lambda asked: Script("Hi.")).running() as server:
        address = server.url.replace("http://", "http://us%40er:p%3Aw@")
        llm = make(base_url=address, api_key=SecretStr("sk-secret"))
        assert (await complete(llm, ASK)).text == "Hi."
        await llm.aclose()
    assert server.asked[0].headers["authorization"] == f"Basic {b64encode(b'us@er:p:w').decode()}"


async def test_calls_do_not_wait_for_one_another() -> None:
    """Every connection that the limiter allows is opened: the last of 150 calls lets all of them go on."""
    many, here = 150, asyncio.Event()

    async def meet(asked: Asked) -> None:
        if asked.number == many:
            here.set()
        await here.wait()

    class Meeting(FakeModelServer):
        async def _answer(self, asked: Asked, *rest: object) -> bool:  # type: ignore[override]
            await meet(asked)
            return await super()._answer(asked, *rest)  # type: ignore[arg-type]

    async with Meeting(lambda asked: Script("Hi.")).running() as server:
        llm = OpenAILLM(base_url=f"{server.url}/v1")
        answers = await asyncio.gather(*(complete(llm, ASK) for _ in range(many)))
        await llm.aclose()
    assert {answer.text for answer in answers} == {"Hi."}
