"""A program on asyncio: the same lines, but the gateway runs in a thread of its own."""

import asyncio  # noqa: TID251 - this program is on asyncio

import httpx
import openai

import proxy

QUESTIONS = ("What is a hedge?", "What is a row?")


async def main() -> None:
    async with (
        proxy.Gateway() as gateway,
        httpx.AsyncClient(transport=gateway.transport()) as http,
    ):
        client = openai.AsyncOpenAI(
            base_url="http://hedgerow/api/v1", api_key="-", http_client=http
        )

        async def ask(question: str) -> None:
            reply = await client.chat.completions.create(
                model="openai/gpt-4o-mini", messages=[{"role": "user", "content": question}]
            )
            print(f"{question} {reply.choices[0].message.content}")

        await asyncio.gather(*(ask(question) for question in QUESTIONS))


asyncio.run(main())
