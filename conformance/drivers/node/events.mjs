// Make the argument of a callback from the data of a frame. Each member that the protocol defines
// has the right type; if it is missing, null or of another type, it becomes null or an empty list
// (ARK-EVT-21).

const text = (value) => (typeof value === "string" ? value : null);
const object = (value) => (isObject(value) ? value : null);
const list = (value) => (Array.isArray(value) ? value : []);
// A number too large for a double was read as Infinity (ARK-EVT-22).
const number = (value) => (Number.isFinite(value) ? value : null);
const whole = (value) => (Number.isInteger(value) ? value : null);

const EVERY = { jobId: text, timestamp: text };
const MEMBERS = {
  "training.started": { metadata: object },
  "training.log": {
    ...{ step: whole, loss: number, evalLoss: number },
    ...{ learningRate: number, epoch: number, samplesPerSecond: number },
  },
  "checkpoint.saved": { step: whole, artifacts: list },
  "training.completed": { metrics: object, artifacts: list },
  "training.failed": { error: text, step: whole },
};

/** Return the event in the data of a frame, or null if its type is unknown. */
export function readEvent(data) {
  if (typeof data?.type !== "string" || !Object.hasOwn(MEMBERS, data.type)) return null;
  const members = Object.entries({ ...EVERY, ...MEMBERS[data.type] });
  const known = members.map(([name, read]) => [name, read(data[name])]);
  return { ...data, ...Object.fromEntries(known) };
}

export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
