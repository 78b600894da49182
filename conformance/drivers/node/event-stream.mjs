// The body of a response as blocks {id, event, data}, one per blank line, by `eventsource-parser`.
//
// The parser is right about fields. Two things it does not tell are put in front of it: it holds a
// CR back until the next character has come, and it is silent about a block that has an id but no
// data, which moves the cursor all the same (ARK-SSE-6, ARK-RES-5).

import { createParser } from "eventsource-parser";

import { ProtocolError } from "./errors.mjs";

const MOST_CHARACTERS = 8 * 2 ** 20;

/**
 * Yield the blocks of a stream. `read` resolves with {done, value}, as a reader's does.
 * A block whose data is "" had none; otherwise its data ends with the standard's LF.
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
  parser.feed("\n"); // From here on U+00EF U+00BB U+00BF are characters, not a byte order mark.
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

/** End every line by LF alone, at once, and give every block one empty line of data more. */
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
