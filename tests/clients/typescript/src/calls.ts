// What @grpc/grpc-js leaves to its user: promises for unary calls, streams that are cancelled when the reader leaves,
// and errors whose details are decoded. Copy this file into a client; it depends on the generated code alone.
import { type CallOptions, type ClientReadableStream, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { PartialResult } from "../generated/antiphon/v1/chat.js";
import { BadRequest, ErrorInfo, RetryInfo } from "../generated/google/rpc/error_details.js";
import { Status } from "../generated/google/rpc/status.js";

type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => unknown;

type Streaming<Request, Event> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
) => ClientReadableStream<Event>;

export interface CallSettings {
  /** Seconds until the whole call, provider included, is given up. */
  timeoutSeconds: number;
  /** The key of this caller, where the gateway asks for one. */
  callerKey?: string;
}

/** A failed call: the gRPC code, and the reason that programs decide by. */
export class CallError extends Error {
  constructor(
    /** The gRPC status code by name, such as "NOT_FOUND". */
    readonly code: string,
    /** The reason, such as "MODEL_NOT_FOUND"; undefined where the failure is the transport's own. */
    readonly reason: string | undefined,
    /** Whether the same call may succeed later, unchanged, without being billed twice. */
    readonly retryable: boolean,
    /** Provider, model, the provider's own status and code. */
    readonly metadata: Record<string, string>,
    /** Wrong fields of the request by their path. */
    readonly violations: { field: string; description: string }[],
    /** Milliseconds to wait before the same call may succeed. */
    readonly retryAfterMs: number | undefined,
    /** What had been done, where a stream broke after output was sent. */
    readonly partial: PartialResult | undefined,
    cause: ServiceError,
  ) {
    super(cause.details, { cause });
    this.name = "CallError";
  }

  static from(error: ServiceError): CallError {
    const packed = error.metadata?.get("grpc-status-details-bin")[0];
    const details = packed instanceof Buffer ? Status.decode(packed).details : [];
    const find = <T>(name: string, message: { decode(bytes: Uint8Array): T }): T | undefined => {
      const found = details.find((detail) => detail.typeUrl.endsWith(`/${name}`));
      return found && message.decode(found.value);
    };
    const info = find("google.rpc.ErrorInfo", ErrorInfo);
    const delay = find("google.rpc.RetryInfo", RetryInfo)?.retryDelay;
    return new CallError(
      status[error.code] ?? String(error.code),
      info?.domain === "antiphon" ? info.reason : undefined,
      info?.metadata["retryable"] === "true",
      info?.metadata ?? {},
      find("google.rpc.BadRequest", BadRequest)?.fieldViolations ?? [],
      delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6,
      find("antiphon.v1.PartialResult", PartialResult),
      error,
    );
  }
}

/** The answer of a unary call; rejects with a CallError. */
export function call<Request, Response>(
  method: Unary<Request, Response>,
  request: Request,
  settings: CallSettings,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    method(request, metadataOf(settings), optionsOf(settings), (error, response) => {
      if (error) reject(CallError.from(error));
      else resolve(response);
    });
  });
}

/** The events of a streaming call; throws a CallError. Leaving the loop early cancels the call, at the provider too. */
export async function* events<Request, Event>(
  method: Streaming<Request, Event>,
  request: Request,
  settings: CallSettings,
): AsyncGenerator<Event, void, undefined> {
  const stream = method(request, metadataOf(settings), optionsOf(settings));
  // A cancelled stream reports its status once more after the reader has left; without a listener Node would exit.
  stream.on("error", () => {});
  try {
    for await (const event of stream) yield event as Event;
  } catch (error) {
    throw isServiceError(error) ? CallError.from(error) : error;
  } finally {
    stream.cancel();
  }
}

function metadataOf(settings: CallSettings): Metadata {
  const metadata = new Metadata();
  if (settings.callerKey !== undefined) metadata.set("authorization", `Bearer ${settings.callerKey}`);
  return metadata;
}

function optionsOf(settings: CallSettings): Partial<CallOptions> {
  return { deadline: Date.now() + settings.timeoutSeconds * 1000 };
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error;
}
