// What users do with Anthropic's Node SDK, one JSON line for each thing it handed over.
//
//   node messages.mjs BASE_URL SCENE [MODEL...]      the key is in ANTHROPIC_API_KEY
//
// Scenes: `read` (streamed), `whole`, `helper` (messages.stream), `count`, `leave` (stop after three
// events), `abort` (while nothing comes). Each ends with a line `done` or `error`.
import Anthropic from "@anthropic-ai/sdk";

const [baseURL, scene, ...models] = process.argv.slice(2);
const client = new Anthropic({ baseURL, maxRetries: 0 });
const messages = [{ role: "user", content: "hi" }];
const ask = (model) => ({ model, messages, max_tokens: 1000 });
const ABORT_MS = 300;

const tell = (kind, value) => console.log(JSON.stringify({ kind, value }));

// The connection must close because the SDK closes it, not because this process ends.
const staying = () => new Promise((resolve) => setTimeout(resolve, 500));

const scenes = {
  async read(model) {
    const stream = await client.messages.create({ ...ask(model), stream: true });
    for await (const event of stream) tell("event", event);
  },

  async whole(model) {
    tell("message", await client.messages.create(ask(model)));
  },

  async helper(model) {
    const stream = client.messages.stream(ask(model));
    stream.on("text", (delta) => tell("text", delta));
    stream.on("contentBlock", (block) => tell("block", block));
    tell("message", await stream.finalMessage());
  },

  async count(model) {
    tell("count", await client.messages.countTokens({ model, messages }));
  },

  async leave(model) {
    const stream = await client.messages.create({ ...ask(model), stream: true });
    let count = 0;
    for await (const event of stream) {
      tell("event", event);
      if (++count === 3) break;
    }
    await staying();
  },

  async abort(model) {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), ABORT_MS);
    try {
      const { signal } = controller;
      const stream = await client.messages.create({ ...ask(model), stream: true }, { signal });
      for await (const event of stream) tell("event", event);
    } finally {
      await staying();
    }
  },
};

for (const model of models) {
  try {
    await scenes[scene](model);
    tell("done", model);
  } catch (error) {
    tell("error", { class: error.constructor.name, status: error.status, body: error.error });
  }
}
