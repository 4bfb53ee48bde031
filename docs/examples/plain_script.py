"""A program without an event loop: Django, a notebook, a script. The gateway listens on a free port."""

import openai

import proxy

with proxy.start_in_thread() as gateway:
    client = openai.OpenAI(base_url=gateway.base_url, api_key="-")
    reply = client.chat.completions.create(
        model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}]
    )
    print(reply.choices[0].message.content)
