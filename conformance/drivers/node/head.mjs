// What the head of an answer says. Fields of one name mean the same as one field with a comma
// between them (RFC 9110, 5.3), and `fetch` joins them so.

/** Whether nothing was done to the body on its way (ARK-STR-12). */
export function isIdentity(headers) {
  return members(headers, "content-encoding").every((coding) => coding === "identity");
}

/** Whether the body is said to be an event stream, and nothing else (ARK-STR-10). */
export function isEventStream(headers) {
  const types = members(headers, "content-type").map((type) => type.split(";")[0].trimEnd());
  return types.length > 0 && types.every((type) => type === "text/event-stream");
}

/** Where a redirect leads, or null if that is not an address. */
export function redirectTarget(headers, from) {
  // The bytes of the field come as characters; percent-encoded they stay the bytes that they were.
  const location = (headers.get("location") ?? "").replace(
    /[\x80-\xff]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return location && URL.canParse(location, from) ? new URL(location, from) : null;
}

function members(headers, name) {
  // A comma in a quoted string separates nothing.
  const found = (headers.get(name) ?? "").match(/(?:"(?:[^"\\]|\\.)*"|[^,])+/g) ?? [];
  return found.map((member) => member.trim().toLowerCase()).filter(Boolean);
}
