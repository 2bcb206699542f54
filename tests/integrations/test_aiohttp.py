"""aiohttp's client: the session and the trace go to the hosts that were named, and to no other."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp
import pytest
from aiohttp import web
from fastapi import FastAPI

from mirascope_ops import ConfigurationError, ops
from mirascope_ops.integrations.aiohttp import instrument, trace_config, uninstrument
from mirascope_ops.integrations.asgi import SessionMiddleware

NAMES = ("X-Mirascope-Session-Id", "Mirascope-Session-Id")
OURS = {*NAMES, "traceparent"}


class Net:
    """Real servers on this machine, "here" and "there": remember what reached them, and redirect where told."""

    def __init__(self):
        self.reached = []
        self.urls = {}

    async def start(self, stack, name):
        async def answer(request):
            return await self.answer(name, request)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.urls[name] = f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def answer(self, name, request):
        self.reached.append((name, request.headers))
        *first, rest = request.match_info["path"].split("/", 1)
        if first and first[0] in self.urls:
            raise web.HTTPTemporaryRedirect(f"{self.urls[first[0]]}/{rest}")
        if first:  # "around": a relative target
            raise web.HTTPTemporaryRedirect(f"/{rest}")
        return web.Response(text="ok")

    @property
    def told(self):
        return [name for name, headers in self.reached if any(ours in headers for ours in OURS)]

    @property
    def here(self):
        """The host and port of one of them."""
        return self.urls["here"].removeprefix("http://")

    @property
    def last(self):
        return self.reached[-1][1]


@pytest.fixture
async def net():
    async with contextlib.AsyncExitStack() as stack:
        found = Net()
        for name in ("here", "there"):
            await found.start(stack, name)
        yield found


@contextlib.asynccontextmanager
async def client_of(**options):
    async with aiohttp.ClientSession(trace_configs=[trace_config(**options)]) as client:
        yield client


async def test_session_and_trace_are_sent_to_the_hosts_named(net):
    async with client_of(hosts=net.here) as client:
        with ops.session(id="Zoë 1"), ops.span("ask") as span:
            await client.get(net.urls["here"])
            await client.get(net.urls["there"])

    assert net.told == ["here"]
    headers = net.reached[0][1]
    assert [ops.extract_session_id({name: headers[name]}) for name in NAMES] == ["Zoë 1"] * 2
    assert headers["traceparent"].split("-")[1:3] == [span.trace_id, span.span_id]


async def test_by_default_only_this_machine_is_told():
    started = []

    async def look(client, context, params):
        started.append((params.url.host, any(name in params.headers for name in OURS)))
        raise aiohttp.ClientConnectionError

    spy = aiohttp.TraceConfig()
    spy.on_request_start.append(look)
    async with aiohttp.ClientSession(trace_configs=[trace_config(), spy]) as client:
        with ops.session(id="s"):
            for url in (
                "http://localhost:1/",
                "http://[::1]/",
                "https://api.openai.com/",
                "http://localhost@evil.example/",
            ):
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    await client.get(url)

    assert started == [("localhost", True), ("::1", True), ("api.openai.com", False), ("evil.example", False)]


async def test_outside_a_session_and_a_span_nothing_is_sent(net):
    async with client_of() as client:
        await client.get(net.urls["here"])

    assert net.told == []


@pytest.mark.parametrize("name", [*NAMES, NAMES[0].lower()])
async def test_a_session_header_of_the_users_is_left_alone_and_ours_stay_out(net, name):
    async with client_of() as client:
        with ops.session(id="ours"), ops.span("ask"):
            await client.get(net.urls["here"], headers={name: "theirs"})

    assert [net.last[key] for key in NAMES if key in net.last] == ["theirs"]
    assert "traceparent" in net.last


async def test_a_trace_header_of_the_users_is_left_alone(net):
    async with client_of() as client:
        with ops.session(id="ours"), ops.span("ask"):
            await client.get(net.urls["here"], headers={"Traceparent": "theirs"})

    assert net.last.getall("traceparent") == ["theirs"]
    assert net.last[NAMES[0]] == "ours"


async def test_attributes_go_only_on_request_after_the_users_own_baggage(net):
    with ops.session(id="s", attributes={"turn": 3}):
        async with client_of() as client:
            await client.get(net.urls["here"])
            assert "baggage" not in net.last
        async with client_of(baggage=True) as client:
            await client.get(net.urls["here"], headers={"Baggage": "mine=1"})

    assert net.last.getall("baggage") == ["mine=1,mirascope.session.turn=3"]


@pytest.mark.parametrize(
    ("start", "path", "reached", "told"),
    [
        ("here", "there/", ["here", "there"], ["here"]),
        ("here", "around/", ["here", "here"], ["here", "here"]),
        ("there", "here/", ["there", "here"], ["here"]),
        ("here", "there/here/", ["here", "there", "here"], ["here", "here"]),
    ],
)
async def test_at_every_step_of_a_redirection_the_hosts_count(net, start, path, reached, told):
    async with client_of(hosts=net.here, baggage=True) as client:
        with ops.session(id="s", attributes={"a": 1}), ops.span("ask"):
            response = await client.get(f"{net.urls[start]}/{path}", headers={"baggage": "mine=1"})
            assert await response.text() == "ok"

    assert [name for name, _ in net.reached] == reached
    assert net.told == told
    assert {(name, headers["baggage"]) for name, headers in net.reached} <= {
        ("here", "mine=1,mirascope.session.a=1"),
        ("there", "mine=1"),
    }


async def test_a_redirection_to_nonsense_fails_as_it_would_without(net):
    async def away(request):
        return web.Response(status=302, headers={"Location": "http://[::1"})

    async with contextlib.AsyncExitStack() as stack:
        await net.start(stack, "third")
        net.answer = lambda name, request: away(request)
        client = await stack.enter_async_context(client_of())
        with ops.session(id="s"), pytest.raises(aiohttp.ClientError) as ours:
            await client.get(net.urls["third"])
        async with aiohttp.ClientSession() as plain:
            with pytest.raises(aiohttp.ClientError) as theirs:
                await plain.get(net.urls["third"])

    assert type(ours.value) is type(theirs.value)


async def test_a_client_that_exists_can_be_instrumented_and_the_last_options_count(net):
    async with aiohttp.ClientSession() as client:
        with ops.session(id="s"):
            instrument(client, hosts="other.example")
            await client.get(net.urls["here"])
            assert instrument(client) is client
            await client.get(net.urls["here"])
            uninstrument(uninstrument(client))
            await client.get(net.urls["here"])

    assert [any(name in headers for name in OURS) for _, headers in net.reached] == [False, True, False]


async def test_trace_configs_of_the_users_stay(net):
    theirs = aiohttp.TraceConfig()
    async with aiohttp.ClientSession(trace_configs=[theirs]) as client:
        uninstrument(instrument(client))

        assert client.trace_configs == [theirs]


async def test_what_makes_no_sense_is_refused():
    with pytest.raises(ConfigurationError, match="leave out the scheme"):
        trace_config(hosts="https://x")
    for function in (instrument, uninstrument):
        with pytest.raises(ConfigurationError, match=r"aiohttp\.ClientSession"):
            function(object())


# -- end to end ------------------------------------------------------------------------------------


def service():
    app = FastAPI()
    app.add_middleware(SessionMiddleware, baggage=True)

    @app.get("/")
    async def answer():
        with ops.span("serve"):
            return ops.current_session().id

    return app


async def test_the_servers_spans_are_in_the_clients_session_and_trace(serve_asgi, only):
    url = serve_asgi(service())

    async with client_of(baggage=True) as client:
        with ops.session(id="Zoë, 100% ", attributes={"tier": "ü"}), ops.span("ask") as span:
            response = await client.get(url)
            assert await response.json() == "Zoë, 100% "

    served = only("serve")
    assert (served.session_id, served.trace_id, served.parent_id) == ("Zoë, 100% ", span.trace_id, span.span_id)
    assert served.session_attributes == '{"tier":"ü"}'


async def test_fifty_at_once_over_one_client_stay_apart(serve_asgi, recorded):
    url = serve_asgi(service())
    wanted = {}

    async def ask(client, number):
        with ops.session(id=f"user-{number}"), ops.span("ask") as span:
            wanted[f"user-{number}"] = span.trace_id
            await asyncio.sleep(0)
            async with client.get(url) as response:
                return await response.json()

    async with client_of() as client:
        answers = await asyncio.gather(*(ask(client, number) for number in range(50)))

    assert answers == [f"user-{number}" for number in range(50)]
    served = [span for span in recorded() if span.name == "serve"]
    assert {span.session_id: span.trace_id for span in served} == wanted
