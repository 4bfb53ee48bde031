"""A program that knows nothing of the gateway; start it with `hedgerow sidecar --exec`."""

import openai

reply = openai.OpenAI().chat.completions.create(
    model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}]
)
print(reply.choices[0].message.content)
