// Parse JSON from the backend. Values that are nested too deeply are rejected, because a recursive
// walk over them would overflow the stack (ARK-SEC-10).

import { isObject } from "./events.mjs";

const DEEPEST = 500;

/** Parse a text as a JSON object; returns null if it is not a JSON object. */
export function parseObject(text) {
  if (text.length > 2 * DEEPEST && isTooDeep(text)) return null;
  try {
    const value = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isTooDeep(text) {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length && depth <= DEEPEST; at += 1) {
    const character = text[at];
    if (quoted && character === "\\") at += 1;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && (character === "[" || character === "{")) depth += 1;
    else if (!quoted && (character === "]" || character === "}")) depth -= 1;
  }
  return depth > DEEPEST;
}
