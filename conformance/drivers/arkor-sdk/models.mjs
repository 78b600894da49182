// Make the SDK accept a model that is not in its list. The cases use made-up models; if the SDK
// rejects them, it never reaches the behaviour that a case judges.
//
// How the SDK stores the list is unknown. So `admitting` tries several ways, one after the other:
// each makes lookups of exactly this model succeed while the call runs, and is undone afterwards.

/** Call `create` so that `model` is accepted; throws the SDK's error if none of the ways works. */
export async function admitting(model, create) {
  const changes = [];
  let refusal;
  for (const widen of [() => [], lookups, searches, properties, iterations]) {
    changes.push(...widen(model));
    try {
      return await changed(changes, create);
    } catch (error) {
      refusal ??= error;
    }
  }
  throw refusal;
}

async function changed(changes, create) {
  // From here on, do not iterate over arrays: one of the changes may replace their iterator.
  const kept = changes.map(({ owner, key }) => Object.getOwnPropertyDescriptor(owner, key));
  try {
    changes.forEach(({ owner, key, to }) => Object.defineProperty(owner, key, to));
    const made = create();
    return typeof made?.then === "function" ? await made : made;
  } finally {
    changes.forEach(({ owner, key }, n) =>
      kept[n] ? Object.defineProperty(owner, key, kept[n]) : delete owner[key],
    );
  }
}

/** Describe the change of a method of the platform: `make(original)` returns its replacement. */
function method(owner, key, make) {
  const before = Object.getOwnPropertyDescriptor(owner, key);
  return { owner, key, to: { ...before, value: make(before.value) } };
}

/** Changes for `LIST.includes(model)`, `SET.has(model)`, `Object.hasOwn(TABLE, model)`, … */
function lookups(model) {
  const answering = (owner, key, found, at = 0) =>
    method(owner, key, (original) => {
      return function (...given) {
        return given[at] === model ? found : original.apply(this, given);
      };
    });
  const described = describer(model);
  const describing = (original) =>
    function (key) {
      const found = original.call(this, key);
      return found === undefined && key === model ? described(Object.fromEntries(this)) : found;
    };
  return [
    answering(Array.prototype, "includes", true),
    answering(Array.prototype, "indexOf", 0),
    answering(Array.prototype, "lastIndexOf", 0),
    answering(Set.prototype, "has", true),
    answering(Map.prototype, "has", true),
    answering(Object.prototype, "hasOwnProperty", true),
    answering(RegExp.prototype, "test", true),
    answering(Object, "hasOwn", true, 1),
    answering(Reflect, "has", true, 1),
    method(Map.prototype, "get", describing),
  ];
}

/** Changes for `LIST.some((each) => each === model)`, `MODELS.find(({ id }) => id === model)`, … */
function searches(model) {
  const names = ["some", "every", "find", "findIndex", "findLast", "findLastIndex", "filter"];
  const searching = (original) =>
    function (...given) {
      return original.apply(withTwin(this, model), given);
    };
  return names.map((name) => method(Array.prototype, name, searching));
}

/** Changes for `model in TABLE` and `TABLE[model]`, which return a copy of the first entry. */
function properties(model) {
  if (model in Object.prototype) return [];
  const described = describer(model);
  const get = function () {
    return described(this);
  };
  const set = function (value) {
    const own = { value, configurable: true, enumerable: true, writable: true };
    Object.defineProperty(this, model, own);
  };
  return [{ owner: Object.prototype, key: model, to: { configurable: true, get, set } }];
}

/** Return a function that returns a copy of a table's first entry, under the model's name. */
function describer(model) {
  return (table) => {
    const first = Object.keys(table)[0];
    const description = table[first] ?? true;
    if (typeof description !== "object") return description === first ? model : description;
    const own = { ...description };
    Object.keys(own).forEach((key) => own[key] === first && (own[key] = model));
    return own;
  };
}

/** Changes for `for (const each of LIST) if (each === model) …` */
function iterations(model) {
  const iterating = (original) =>
    function () {
      return original.call(withTwin(this, model));
    };
  return [method(Array.prototype, Symbol.iterator, iterating)];
}

/** Return a list plus a copy of its first entry in which the model replaces all strings. */
function withTwin(list, model) {
  if (!Array.isArray(list) || list.length === 0) return list;
  const renamed = (value) => (typeof value === "string" ? model : value);
  const first = list[0];
  if (typeof first === "string") return list.concat([model]);
  if (Array.isArray(first)) return list.concat([first.map(renamed)]);
  if (typeof first !== "object" || first === null) return list;
  const twin = { ...first };
  Object.keys(twin).forEach((key) => (twin[key] = renamed(twin[key])));
  return list.concat([twin]);
}
