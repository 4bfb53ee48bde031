"""A program on trio: the gateway runs in its own loop, and no socket is opened for it."""

import httpx
import openai
import trio

import proxy


async def main() -> None:
    async with (
        proxy.Gateway() as gateway,
        httpx.AsyncClient(transport=gateway.transport()) as http,
    ):
        client = openai.AsyncOpenAI(
            base_url="http://hedgerow/api/v1", api_key="-", http_client=http
        )
        stream = await client.chat.completions.create(
            model="openai/gpt-4o-mini",
            messages=[{"role": "user", "content": "Hello"}],
            stream=True,
        )
        async with stream:
            async for chunk in stream:
                if chunk.choices:
                    print(chunk.choices[0].delta.content or "", end="", flush=True)
    print()


trio.run(main)
