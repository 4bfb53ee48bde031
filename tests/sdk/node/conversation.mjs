// What users do with the Node SDK, one JSON line for each thing it handed over.
//
//   node conversation.mjs BASE_URL SCENE [MODEL...]      the key is in OPENAI_API_KEY
//
// Scenes: `read` (streamed), `whole`, `helper` (chat.completions.stream), `legacy`, `leave` (stop
// after three chunks), `abort` (an AbortController while nothing comes), `models`. A scene is played
// for every model; each ends with a line `done` or `error`.
import OpenAI from "openai";

const [baseURL, scene, ...models] = process.argv.slice(2);
const client = new OpenAI({ baseURL, maxRetries: 0 });
const messages = [{ role: "user", content: "hi" }];
const stream_options = { include_usage: true };
const ABORT_MS = 300;

const tell = (kind, value) => console.log(JSON.stringify({ kind, value }));

const scenes = {
  async read(model) {
    const stream = await client.chat.completions.create({ model, messages, stream: true, stream_options });
    for await (const chunk of stream) tell("chunk", chunk);
  },

  async whole(model) {
    const { data, response } = await client.chat.completions.create({ model, messages }).withResponse();
    tell("reply", data);
    tell("generation", response.headers.get("x-generation-id"));
  },

  async helper(model) {
    const stream = client.chat.completions.stream({ model, messages, stream_options });
    stream.on("content", (delta) => tell("content", delta));
    stream.on("tool_calls.function.arguments.done", (event) => tell("arguments", event));
    const final = await stream.finalChatCompletion();
    tell("message", final.choices[0].message);
    tell("finish", final.choices[0].finish_reason);
    tell("usage", final.usage);
  },

  async legacy(model) {
    const whole = await client.completions.create({ model, prompt: "hi" });
    tell("text", whole.choices[0].text);
    const stream = await client.completions.create({ model, prompt: "hi", stream: true });
    for await (const chunk of stream) tell("delta", chunk.choices[0].text);
  },

  async leave(model) {
    const stream = await client.chat.completions.create({ model, messages, stream: true });
    let count = 0;
    for await (const chunk of stream) {
      tell("chunk", chunk);
      if (++count === 3) break;
    }
    await staying();
  },

  async abort(model) {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), ABORT_MS);
    try {
      const { signal } = controller;
      const stream = await client.chat.completions.create({ model, messages, stream: true }, { signal });
      for await (const chunk of stream) tell("chunk", chunk);
    } finally {
      await staying();
    }
  },

  async models() {
    for await (const model of client.models.list()) tell("model", model.id);
  },
};

// The connection must close because the SDK closes it, not because this process ends.
const staying = () => new Promise((resolve) => setTimeout(resolve, 500));

for (const model of models.length ? models : [""]) {
  try {
    await scenes[scene](model);
    tell("done", model);
  } catch (error) {
    const { name, status, code, message } = error;
    tell("error", { class: error.constructor.name, name, status, code, message, body: error.error });
  }
}
