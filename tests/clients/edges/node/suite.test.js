// OpenAI's SDK for JavaScript, unchanged but for its base URL, against a suite that replays recordings.
import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

const base = process.env.ANTIPHON_HTTP_URL;
const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: "none", maxRetries: 0 });
const MODELS = ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5"];
const user = (content) => [{ role: "user", content }];
const tool = {
  name: "get_weather",
  description: "The weather in a city now.",
  parameters: {
    type: "object",
    properties: { city: { type: "string", description: "Name of the city." } },
    required: ["city"],
    additionalProperties: false,
  },
};

for (const model of MODELS) {
  test(`${model} answers whole`, async () => {
    const answer = await client.chat.completions.create({ model, messages: user("What is an antiphon?") });
    assert.match(answer.choices[0].message.content, /antiphon/i);
    assert.ok(answer.usage.total_tokens > 10);
    assert.match(answer._request_id, /^req_/);
  });

  test(`${model} streams what it says whole`, async () => {
    const messages = user("Sing a short antiphon.");
    const whole = await client.chat.completions.create({ model, messages });
    let said = "";
    const chunks = await client.chat.completions.create({ model, messages, stream: true });
    for await (const chunk of chunks) said += chunk.choices[0].delta.content ?? "";
    assert.equal(said, whole.choices[0].message.content);
  });

  test(`${model} calls a tool and uses its result`, async () => {
    const messages = user("What is the weather in Paris?");
    const tools = [{ type: "function", function: tool }];
    const first = (await client.chat.completions.create({ model, messages, tools })).choices[0];
    assert.equal(first.finish_reason, "tool_calls");
    const [call] = first.message.tool_calls;
    assert.deepEqual(JSON.parse(call.function.arguments), { city: "Paris" });
    messages.push({ role: "assistant", content: null, tool_calls: first.message.tool_calls });
    messages.push({
      role: "tool",
      content: '{"city": "Paris", "temperature_celsius": 18, "sky": "light rain"}',
      tool_call_id: call.id,
      name: call.function.name,
    });
    const last = await client.chat.completions.create({ model, messages, tools });
    assert.match(last.choices[0].message.content, /Paris/);
  });

  test(`${model} answers and streams responses`, async () => {
    const asked = { model, input: "What is an antiphon?" };
    const whole = await client.responses.create(asked);
    let said = "";
    for await (const event of await client.responses.create({ ...asked, stream: true })) {
      if (event.type === "response.output_text.delta") said += event.delta;
    }
    assert.match(whole.output_text, /antiphon/i);
    assert.equal(said, whole.output_text);
  });
}

test("vectors come unpacked", async () => {
  const input = [
    "One side of the choir calls and the other side answers.",
    "The choir calls on one side and answers on the other.",
    "Tomorrow it will rain in Paris.",
  ];
  const answer = await client.embeddings.create({ model: "openai/text-embedding-3-small", input });
  assert.equal(answer.data.length, 3);
  assert.ok(answer.data[0].embedding.every(Number.isFinite));
});

test("models are listed and found", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes(MODELS[0]));
  assert.equal((await client.models.retrieve(MODELS[0])).id, MODELS[0]);
});

test("an unknown model is a NotFoundError, whole and streamed", async () => {
  for (const stream of [false, true]) {
    const asked = { model: "openai/no-such-model", messages: user("What is an antiphon?"), stream };
    await assert.rejects(client.chat.completions.create(asked), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.match(error.message, /no-such-model/);
      return true;
    });
  }
});
