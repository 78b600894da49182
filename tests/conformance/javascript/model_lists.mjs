// The ways in which an SDK may store its closed list of models, each as a function that tells
// whether a model is in it.

const LIST = ["arkor/small", "arkor/large"];
const SET = new Set(LIST);
const TABLE = {
  "arkor/small": { name: "arkor/small", context: 4096 },
  "arkor/large": { name: "arkor/large", context: 32_768 },
};
const MAP = new Map(Object.entries(TABLE));
const RECORDS = LIST.map((id) => ({ id, context: 4096 }));

export const LISTS = {
  includes: (model) => LIST.includes(model),
  "includes of a frozen list": (model) => Object.freeze([...LIST]).includes(model),
  "includes of a spread set": (model) => [...SET].includes(model),
  "includes of the keys": (model) => Object.keys(TABLE).includes(model),
  indexOf: (model) => LIST.indexOf(model) >= 0,
  lastIndexOf: (model) => LIST.lastIndexOf(model) !== -1,
  some: (model) => LIST.some((each) => each === model),
  "some of the records": (model) => RECORDS.some(({ id }) => id === model),
  every: (model) => !LIST.every((each) => each !== model),
  find: (model) => LIST.find((each) => each === model) !== undefined,
  "find of the records": (model) => RECORDS.find((each) => each.id === model)?.context > 0,
  "find of the entries": (model) => Object.entries(TABLE).find(([id]) => id === model) !== undefined,
  findIndex: (model) => LIST.findIndex((each) => each === model) !== -1,
  findLast: (model) => LIST.findLast((each) => each === model) === model,
  filter: (model) => LIST.filter((each) => each === model).length === 1,
  "Set has": (model) => SET.has(model),
  "Map has": (model) => MAP.has(model),
  "Map get": (model) => MAP.get(model)?.name === model,
  in: (model) => model in TABLE,
  "property of a table": (model) => TABLE[model] !== undefined,
  "member of a property": (model) => TABLE[model].name === model,
  hasOwn: (model) => Object.hasOwn(TABLE, model) && TABLE[model].context > 0,
  hasOwnProperty: (model) => Object.prototype.hasOwnProperty.call(TABLE, model),
  "Reflect has": (model) => Reflect.has(TABLE, model),
  "a pattern": (model) => /^arkor\/(small|large)$/.test(model),
  "a loop": (model) => {
    for (const each of LIST) if (each === model) return true;
    return false;
  },
};

export const KNOWN = LIST[0];

/** A list that `admitting` cannot get past. */
export const closed = (model) => model === "arkor/small" || model === "arkor/large";
