// Reading conversations: the text of a finished answer, and the fold of a streamed one.
import type { Completion, StreamChatResponse } from "../generated/antiphon/v1/chat.js";
import { ChatSpec } from "../generated/antiphon/v1/chat.js";
import { Role } from "../generated/antiphon/v1/content.js";

/** A conversation of one question. */
export function question(model: string, text: string, more: Partial<ChatSpec> = {}): ChatSpec {
  return ChatSpec.fromPartial({
    model,
    messages: [{ role: Role.ROLE_USER, parts: [{ kind: { $case: "text", value: { text } } }] }],
    ...more,
  });
}

/** The text of the first answer. */
export function textOf(completion: Completion | undefined): string {
  const parts = completion?.outputs[0]?.messages.flatMap((message) => message.parts) ?? [];
  return parts.map((part) => (part.kind?.$case === "text" ? part.kind.value.text : "")).join("");
}

/** What a stream has said so far: the text of its first answer, by part, and how it ended. */
export class TextFold {
  private readonly parts = new Map<string, string>();
  /** How many pieces of text came. */
  deltas = 0;
  /** The last event's completion; undefined while the stream runs. */
  completed: Completion | undefined;

  get text(): string {
    return [...this.parts.values()].join("");
  }

  add(response: StreamChatResponse): void {
    const event = response.event;
    if (event?.$case === "partStarted" && event.value.outputIndex === 0) {
      const kind = event.value.part?.kind;
      if (kind?.$case === "text") this.parts.set(placeOf(event.value), kind.value.text);
    } else if (event?.$case === "partDelta" && event.value.outputIndex === 0) {
      const place = placeOf(event.value);
      const before = this.parts.get(place);
      if (before === undefined || event.value.delta?.$case !== "text") return;
      this.parts.set(place, before + event.value.delta.value);
      this.deltas += 1;
    } else if (event?.$case === "completed") {
      this.completed = event.value.completion;
    }
  }
}

function placeOf(at: { messageIndex: number; partIndex: number }): string {
  return `${at.messageIndex}/${at.partIndex}`;
}
