// The contract, called from TypeScript: every test runs against the suite at ANTIPHON_ADDRESS, which replays recordings.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { credentials } from "@grpc/grpc-js";
import { ChatServiceClient, FinishReason, StreamChatRequest } from "../generated/antiphon/v1/chat.js";
import { EmbeddingsServiceClient, EmbedRequest } from "../generated/antiphon/v1/embeddings.js";
import { GetHealthRequest, HealthServiceClient, Status } from "../generated/antiphon/v1/health.js";
import { ListModelsRequest, type Model, ModelsServiceClient } from "../generated/antiphon/v1/models.js";
import { CallError, type CallSettings, call, events } from "./calls.js";
import { question, TextFold, textOf } from "./chat.js";

const address = process.env["ANTIPHON_ADDRESS"];
assert.ok(address, "set ANTIPHON_ADDRESS to the host:port of a running suite");

const settings: CallSettings = { timeoutSeconds: 20 };
const chats = new ChatServiceClient(address, credentials.createInsecure());
const embeddings = new EmbeddingsServiceClient(address, credentials.createInsecure());
const models = new ModelsServiceClient(address, credentials.createInsecure());
const health = new HealthServiceClient(address, credentials.createInsecure());
after(() => {
  for (const client of [chats, embeddings, models, health]) client.close();
});

const chat = chats.chat.bind(chats);
const streamChat = chats.streamChat.bind(chats);
const embed = embeddings.embed.bind(embeddings);
const listModels = models.listModels.bind(models);
const getHealth = health.getHealth.bind(health);

const PROVIDER_MODELS = ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5"];
const TEXT_MODEL = "triton/ngram";
const EMBEDDING_MODEL = "triton/hashing_embedding";

async function allModels(): Promise<Model[]> {
  const found: Model[] = [];
  let pageToken = "";
  do {
    const page = await call(listModels, ListModelsRequest.fromPartial({ pageSize: 2, pageToken }), settings);
    found.push(...page.models);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return found;
}

/** Why tests of own models are skipped; undefined where Triton runs. */
async function tritonIsAway(): Promise<string | undefined> {
  const names = (await allModels()).map((model) => model.name);
  return names.includes(TEXT_MODEL) ? undefined : `the suite runs without Triton: no ${TEXT_MODEL} in its models`;
}

describe("providers", () => {
  for (const model of PROVIDER_MODELS) {
    test(`${model} answers a chat with text, a reason for its end, and usage`, async () => {
      const { completion } = await call(chat, { spec: question(model, "What is an antiphon?") }, settings);
      assert.ok(textOf(completion).length > 0);
      assert.equal(completion?.outputs[0]?.finishReason, FinishReason.FINISH_REASON_STOP);
      assert.equal(completion?.provider, model.split("/")[0]);
      assert.ok((completion?.usage?.outputTokens ?? 0n) > 0n);
    });

    test(`${model} streams numbered events whose deltas fold to the answer`, async () => {
      const request = StreamChatRequest.fromPartial({
        start: { $case: "spec", value: question(model, "Sing a short antiphon.") },
        snapshot: true,
      });
      const fold = new TextFold();
      let next = 0n;
      for await (const event of events(streamChat, request, settings)) {
        assert.equal(event.sequence, next++);
        fold.add(event);
      }
      assert.ok(fold.deltas >= 3, `only ${fold.deltas} pieces of text came`);
      assert.equal(fold.text, textOf(fold.completed));
      assert.ok((fold.completed?.usage?.outputTokens ?? 0n) > 0n);
    });
  }

  test("leaving a stream early ends the call and nothing else", async () => {
    const spec = question("openai/gpt-4o-mini", "Sing a short antiphon.");
    const request = StreamChatRequest.fromPartial({ start: { $case: "spec", value: spec } });
    for await (const event of events(streamChat, request, settings)) {
      if (event.event?.$case === "partDelta") break;
    }
    const after = await call(chat, { spec: question("openai/gpt-4o-mini", "What is an antiphon?") }, settings);
    assert.ok(textOf(after.completion).length > 0);
  });
});

describe("own models", () => {
  test("the streamed answer of a seeded model folds to its unary answer", async (context) => {
    const why = await tritonIsAway();
    if (why !== undefined) return context.skip(why);
    const spec = question(TEXT_MODEL, "The choir sings", { maxOutputTokens: 24 });
    spec.sampling = { temperature: 0, seed: 7n, stop: [], logitBias: {} };
    const { completion } = await call(chat, { spec }, settings);
    const fold = new TextFold();
    const request = StreamChatRequest.fromPartial({ start: { $case: "spec", value: spec } });
    for await (const event of events(streamChat, request, settings)) fold.add(event);
    assert.ok(fold.deltas >= 3, `only ${fold.deltas} pieces of text came`);
    assert.equal(fold.text, textOf(completion));
  });

  test("embeddings come in the order of their inputs, and like texts lie nearer", async (context) => {
    const why = await tritonIsAway();
    if (why !== undefined) return context.skip(why);
    const texts = ["The choir sings at dawn.", "The choir sings at dusk.", "Invoices are due in March."];
    const request = EmbedRequest.fromPartial({
      model: EMBEDDING_MODEL,
      inputs: texts.map((text) => ({ input: { $case: "text" as const, value: text } })),
    });
    const response = await call(embed, request, settings);
    assert.deepEqual(response.embeddings.map((embedding) => embedding.index), [0, 1, 2]);
    const [dawn, dusk, invoices] = response.embeddings.map((embedding) => {
      assert.equal(embedding.vector?.$case, "float32");
      return embedding.vector?.$case === "float32" ? embedding.vector.value.values : [];
    });
    assert.ok(dawn && dusk && invoices);
    assert.ok(cosine(dawn, dusk) > cosine(dawn, invoices));
  });
});

describe("the suite", () => {
  test("models are listed page by page, each once, and their names can be called", async () => {
    const names = (await allModels()).map((model) => model.name);
    assert.equal(new Set(names).size, names.length);
    for (const name of names) assert.match(name, /^[^/]+\/.+/);
    for (const called of PROVIDER_MODELS) {
      // A provider may answer to a name that it lists with a date behind it only.
      assert.ok(names.some((name) => name.startsWith(called)), `no ${called} among ${names.join(", ")}`);
    }
  });

  test("health names its components", async () => {
    const response = await call(getHealth, GetHealthRequest.fromPartial({}), settings);
    assert.notEqual(response.status, Status.STATUS_NOT_SERVING);
    assert.ok(response.components.some((component) => component.name === "adapter"));
  });
});

describe("errors", () => {
  test("a provider that does not exist is NOT_FOUND with its reason", async () => {
    const error = await failure({ spec: question("nowhere/none", "Is anyone there?") });
    assert.equal(error.code, "NOT_FOUND");
    assert.equal(error.reason, "PROVIDER_NOT_FOUND");
    assert.equal(error.retryable, false);
    assert.ok(error.message.includes("nowhere"), error.message);
  });

  test("a question without a recording is NOT_FOUND with its reason, and never goes live", async () => {
    const error = await failure({ spec: question("openai/gpt-4o-mini", "Has anyone recorded this?") });
    assert.equal(error.code, "NOT_FOUND");
    assert.equal(error.reason, "RECORDING_MISSING");
  });

  test("a missing field is INVALID_ARGUMENT with the field's path", async () => {
    const error = await failure({ spec: question("", "To whom?") });
    assert.equal(error.code, "INVALID_ARGUMENT");
    assert.deepEqual(error.violations.map((violation) => violation.field), ["spec.model"]);
  });

  test("a stream fails with the same typed error as a unary call", async () => {
    const spec = question("nowhere/none", "Is anyone there?");
    const request = StreamChatRequest.fromPartial({ start: { $case: "spec", value: spec } });
    await assert.rejects(
      async () => {
        for await (const _ of events(streamChat, request, settings)) assert.fail("an event came");
      },
      (error) => error instanceof CallError && error.reason === "PROVIDER_NOT_FOUND",
    );
  });

  test("a deadline that has passed is DEADLINE_EXCEEDED", async () => {
    const spec = question("openai/gpt-4o-mini", "What is an antiphon?");
    await assert.rejects(call(chat, { spec }, { timeoutSeconds: 0 }), { code: "DEADLINE_EXCEEDED" });
  });
});

async function failure(request: Parameters<typeof chat>[0]): Promise<CallError> {
  try {
    await call(chat, request, settings);
  } catch (error) {
    assert.ok(error instanceof CallError);
    return error;
  }
  return assert.fail("the call succeeded");
}

function cosine(a: number[], b: number[]): number {
  const dot = (x: number[], y: number[]) => x.reduce((sum, value, index) => sum + value * (y[index] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
