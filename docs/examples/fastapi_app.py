"""An app that serves the whole gateway below /llm, and uses it itself.

Run it with `uvicorn --app-dir docs/examples fastapi_app:app`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

import proxy

gateway = proxy.Gateway()


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with gateway:
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/llm", gateway.asgi)


@app.get("/models/count")
async def count() -> dict[str, int]:
    async with httpx.AsyncClient(transport=gateway.transport()) as http:
        reply = await http.get("http://hedgerow/api/v1/models/count")
    return {"models": reply.json()["data"]["count"]}
