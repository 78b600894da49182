// Read the head of an answer. Several fields with one name mean the same as one field with commas
// (RFC 9110, 5.3); `fetch` joins them that way.

/** Whether the body was not encoded on its way (ARK-STR-12). */
export function isIdentity(headers) {
  return members(headers, "content-encoding").every((coding) => coding === "identity");
}

/** Whether the content type is an event stream and nothing else (ARK-STR-10). */
export function isEventStream(headers) {
  const types = members(headers, "content-type").map((type) => type.split(";")[0].trimEnd());
  return types.length > 0 && types.every((type) => type === "text/event-stream");
}

/** The address to which a redirect leads, or null if it is not valid. */
export function redirectTarget(headers, from) {
  // The bytes of the field arrive as characters; percent-encoding keeps them as they were.
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
