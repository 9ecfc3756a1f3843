// SDKs for JavaScript under Node's own test runner: each test is a session, so each hears its recordings from the first.
import assert from "node:assert/strict";
import { test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const server = process.env.ANTIPHON_REPLAY_URL;
const hello = { model: "tiny-1", messages: [{ role: "user", content: "Hello." }] };

function openai(session, prefix = "openai", more = {}) {
  const defaultHeaders = { "x-antiphon-session": session, ...more };
  return new OpenAI({ baseURL: `${server}/${prefix}/v1`, apiKey: "any", maxRetries: 2, defaultHeaders });
}

async function say(client) {
  const answer = await client.chat.completions.create(hello);
  return answer.choices[0].message.content;
}

test("equal requests are answered in recorded order, in each session by itself", async (t) => {
  const [here, there] = [openai(t.name), openai(`${t.name} elsewhere`)];
  assert.deepEqual([await say(here), await say(there), await say(here)], ["one", "one", "two"]);
});

test("a stream arrives in its pieces", async (t) => {
  const pieces = [];
  const stream = await openai(t.name).chat.completions.create({ ...hello, stream: true });
  for await (const piece of stream) pieces.push(piece.choices[0].delta.content);
  assert.deepEqual(pieces, ["la ", "la ", "l\u00e0 \u{1F3B6}"]);
});

test("settings in the base URL do where an SDK sends no header of ours", async () => {
  const base = `${server}/~session=node-path&pace=none/openai/v1`;
  const client = new OpenAI({ baseURL: base, apiKey: "any" });
  assert.deepEqual([await say(client), await say(client)], ["one", "two"]);
});

test("Anthropic's SDK is answered too", async (t) => {
  const defaultHeaders = { "x-antiphon-session": t.name };
  const client = new Anthropic({ baseURL: `${server}/anthropic`, apiKey: "any", defaultHeaders });
  const answer = await client.messages.create({ ...hello, max_tokens: 16 });
  assert.equal(answer.content[0].text, "Good day.");
});

test("a miss is the SDK's own error, and says what differs", async (t) => {
  const asked = { ...hello, messages: [{ role: "user", content: "Bye." }] };
  await assert.rejects(openai(t.name).chat.completions.create(asked), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.match(error.message, /messages\[0\]\.content/);
    return true;
  });
});

test("recordings that are used up are a conflict", async (t) => {
  const client = openai(t.name);
  await say(client);
  await say(client);
  await assert.rejects(say(client), (error) => error instanceof OpenAI.ConflictError);
});

test("a rate limit on request is retried by the SDK", async (t) => {
  const client = openai(t.name, "openai", { "x-antiphon-fault": "429;times=1;retry-after=0" });
  assert.equal(await say(client), "one");
});

test("what passes through is recorded, and replays", async (t) => {
  const said = [];
  for (const mode of ["record", "replay"]) {
    const headers = { "x-antiphon-mode": mode, "x-antiphon-cassette": "local/from-node" };
    said.push(await say(openai(`${t.name} ${mode}`, "local", headers)));
  }
  assert.deepEqual(said, ["from afar", "from afar"]);
});
