// OpenAI's SDK for JavaScript, unchanged but for its base URL, against a suite that replays recordings.
import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

const base = process.env.ANTIPHON_HTTP_URL;
const given = JSON.parse(process.env.ANTIPHON_EDGES_TEST); // questions and answers of the recordings
const open = (apiKey) => new OpenAI({ baseURL: `${base}/v1`, apiKey, maxRetries: 0 });
const client = open(given.key);
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
  test(`unary: ${model} answers whole`, async () => {
    const answer = await client.chat.completions.create({ model, messages: user("What is an antiphon?") });
    assert.match(answer.choices[0].message.content, /antiphon/i);
    assert.ok(answer.usage.total_tokens > 10);
    assert.match(answer._request_id, /^req_/);
  });

  test(`stream: ${model} streams what it says whole`, async () => {
    const messages = user("Sing a short antiphon.");
    const whole = await client.chat.completions.create({ model, messages });
    let said = "";
    const chunks = await client.chat.completions.create({ model, messages, stream: true });
    for await (const chunk of chunks) said += chunk.choices[0].delta.content ?? "";
    assert.equal(said, whole.choices[0].message.content);
  });

  test(`tools: ${model} calls a tool and uses its result`, async () => {
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
    });
    const last = await client.chat.completions.create({ model, messages, tools });
    assert.match(last.choices[0].message.content, /Paris/);
  });

  test(`stream: ${model} answers and streams responses`, async () => {
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

test("vectors: vectors come unpacked", async () => {
  const input = [
    "One side of the choir calls and the other side answers.",
    "The choir calls on one side and answers on the other.",
    "Tomorrow it will rain in Paris.",
  ];
  const answer = await client.embeddings.create({ model: "openai/text-embedding-3-small", input });
  assert.equal(answer.data.length, 3);
  assert.ok(answer.data[0].embedding.every(Number.isFinite));
});

test("models: models are listed and found", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes(MODELS[0]));
  assert.equal((await client.models.retrieve(MODELS[0])).id, MODELS[0]);
});

test("streamed call: a tool is called in pieces", async () => {
  const asked = { model: MODELS[0], messages: user("What is the weather in Paris?"), stream: true };
  asked.tools = [{ type: "function", function: tool }];
  asked.stream_options = { include_usage: true };
  let said = "";
  for await (const chunk of await client.chat.completions.create(asked)) {
    for (const call of chunk.choices[0]?.delta.tool_calls ?? []) said += call.function?.arguments ?? "";
  }
  assert.deepEqual(JSON.parse(said), { city: "Paris" });
});

test("functions: those of old are still called", async () => {
  for (const model of MODELS) {
    const asked = { model, messages: user("What is the weather in Paris?"), functions: [tool] };
    const [choice] = (await client.chat.completions.create(asked)).choices;
    assert.equal(choice.finish_reason, "function_call");
    assert.deepEqual(JSON.parse(choice.message.function_call.arguments), { city: "Paris" });
  }
});

test("count: tokens are counted before a call", async () => {
  const answer = await client.responses.inputTokens.count({ model: MODELS[1], input: given.counted });
  assert.equal(answer.input_tokens, given.tokens);
});

test("structured: an answer comes in the shape that was asked for", async () => {
  const messages = user(given.city);
  const response_format = { type: "json_schema", json_schema: { name: "City", schema: given.schema, strict: true } };
  const answer = await client.chat.completions.parse({ model: MODELS[0], messages, response_format });
  assert.deepEqual(JSON.parse(answer.choices[0].message.content), { city: "Paris" });
});

test("image: an image is seen", async () => {
  const content = [
    { type: "text", text: given.look },
    { type: "image_url", image_url: { url: given.picture } },
  ];
  const answer = await client.chat.completions.create({ model: MODELS[0], messages: user(content) });
  assert.equal(answer.choices[0].message.content, given.seen);
});

const RAISED = {
  400: OpenAI.BadRequestError,
  404: OpenAI.NotFoundError,
  429: OpenAI.RateLimitError,
  500: OpenAI.InternalServerError,
  503: OpenAI.InternalServerError,
};

for (const [status, content] of Object.entries(given.failing)) {
  test(`errors: a provider's ${status} is the SDK's own error`, async () => {
    await assert.rejects(client.chat.completions.create({ model: MODELS[0], messages: user(content) }), (error) => {
      assert.ok(error instanceof RAISED[status], error);
      assert.match(error.message, new RegExp(`the provider says ${status}`));
      if (status === "429") assert.equal(error.headers.get("retry-after"), given.retryAfter);
      return true;
    });
  });
}

test("errors: a key that nobody knows is an AuthenticationError", async () => {
  const stranger = open("ak-unknown");
  await assert.rejects(stranger.models.list(), (error) => error instanceof OpenAI.AuthenticationError);
});

test("errors: a stream that breaks off is an APIError", async () => {
  const asked = { model: MODELS[0], messages: user(given.broken), stream: true, stream_options: { include_usage: true } };
  let said = "";
  await assert.rejects(
    async () => {
      for await (const chunk of await client.chat.completions.create(asked)) said += chunk.choices[0].delta.content ?? "";
    },
    (error) => error instanceof OpenAI.APIError && /the provider says it broke/.test(error.message),
  );
  assert.equal(said, given.spoken);
});

test("errors: an unknown model is a NotFoundError, whole and streamed", async () => {
  for (const stream of [false, true]) {
    const asked = { model: "openai/no-such-model", messages: user("What is an antiphon?"), stream };
    await assert.rejects(client.chat.completions.create(asked), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.match(error.message, /no-such-model/);
      return true;
    });
  }
});
