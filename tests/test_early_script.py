"""The script that runs before Gradio's own."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from fer_denoise.demo.early_script import EarlyScript

PAGE = "<!doctype html><html><head><title>ü</title></head><body><head></body></html>"


def received(response: Response) -> Response:
    routes = [Route("/", lambda request: response)]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(EarlyScript, script="run()")])).get("/")


def test_it_stands_first_in_the_head_of_a_page_once():
    page = received(HTMLResponse(PAGE))
    assert page.text == PAGE.replace("<head>", "<head><script>run()</script>", 1)
    assert int(page.headers["content-length"]) == len(page.content)


@pytest.mark.parametrize("content", [PAGE, "no head"])
def test_all_else_stays_as_it_is(content):
    assert received(JSONResponse(content)).json() == content
    assert received(StreamingResponse(iter([content]), media_type="text/html")).text == content
    assert received(HTMLResponse("no head")).text == "no head"
