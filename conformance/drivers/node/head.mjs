// Read the head of a response. Several fields with the same name mean the same as one field with
// commas (RFC 9110, 5.3), and `fetch` joins them that way.

/** Return whether the response has no content coding other than `identity` (ARK-STR-12). */
export function isIdentity(headers) {
  return members(headers, "content-encoding").every((coding) => coding === "identity");
}

/** Return whether `text/event-stream` is the only content type (ARK-STR-10). */
export function isEventStream(headers) {
  const types = members(headers, "content-type").map((type) => type.split(";")[0].trimEnd());
  return types.length > 0 && types.every((type) => type === "text/event-stream");
}

/** Return the URL of a redirect's target, or null if it is not valid. */
export function redirectTarget(headers, from) {
  // `fetch` turns each byte of the field into a character; percent-encoding restores the bytes.
  const location = (headers.get("location") ?? "").replace(
    /[\x80-\xff]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return location && URL.canParse(location, from) ? new URL(location, from) : null;
}

function members(headers, name) {
  // A comma inside a quoted string is not a separator.
  const found = (headers.get(name) ?? "").match(/(?:"(?:[^"\\]|\\.)*"|[^,])+/g) ?? [];
  return found.map((member) => member.trim().toLowerCase()).filter(Boolean);
}
