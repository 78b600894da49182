// Splits the body of a response into blocks {id, event, data} with `eventsource-parser`.
//
// The parser handles fields correctly, but this file works around two of its limits: it holds back
// a CR until the next character arrives, and it does not report a block that has an id but no data,
// although such a block moves the cursor (ARK-SSE-6, ARK-RES-5).

import { createParser } from "eventsource-parser";

import { ProtocolError } from "./errors.mjs";

const MOST_CHARACTERS = 8 * 2 ** 20;

/**
 * Yield the blocks of a stream. `read` resolves with {done, value}, like the `read` of a reader.
 * The data of a block ends with an LF, as in the standard; "" means that the block has no data.
 */
export async function* blocks(read, onRetry) {
  const complete = [];
  let problem = null;
  const parser = createParser({
    onEvent: (block) => complete.push(block),
    onRetry,
    onError: (error) => {
      if (error.type === "max-buffer-size-exceeded") problem = error;
    },
    maxBufferSize: MOST_CHARACTERS,
  });
  parser.feed("\n"); // So that U+00EF U+00BB U+00BF are characters, not a byte order mark.
  const decoder = new TextDecoder();
  const normalise = lines();
  for (;;) {
    const { done, value } = await read();
    if (done) return;
    parser.feed(normalise(decoder.decode(value, { stream: true })));
    yield* complete.splice(0);
    if (problem) throw new ProtocolError(`an event is longer than ${MOST_CHARACTERS} characters`);
  }
}

/** Return a function that ends lines with LF at once and adds an empty `data` to each block. */
function lines() {
  let afterReturn = false;
  let atStart = true;
  return (text) => {
    if (text === "") return "";
    const rest = afterReturn && text[0] === "\n" ? text.slice(1) : text;
    afterReturn = rest.endsWith("\r");
    if (rest === "") return "";
    const even = rest.replace(/\r\n?/g, "\n");
    const first = atStart && even[0] === "\n" ? "data:\n" : "";
    atStart = even.endsWith("\n");
    return first + even.replace(/(?<=\n)\n/g, "data:\n\n");
  };
}
