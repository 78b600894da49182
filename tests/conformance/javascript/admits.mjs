// Prints whether a model is admitted for each way of storing a list: one line of JSON for each.
// `node admits.mjs …/models.mjs`

import { KNOWN, LISTS, closed } from "./model_lists.mjs";

const { admitting } = await import(process.argv[2]);
const MODEL = "kit/model";
const OWNERS = { Array, Set, Map, Object, RegExp };

/** Everything that `admitting` may change, as text. */
const platform = () =>
  Object.entries({ ...OWNERS, Reflect }).map(([name, owner]) => {
    const all = [Object.getOwnPropertyDescriptors(owner), owner.prototype ?? {}];
    const keys = all.flatMap((each) => Reflect.ownKeys(each).map(String));
    const values = Reflect.ownKeys(owner.prototype ?? owner).map((key) => {
      const { value } = Object.getOwnPropertyDescriptor(owner.prototype ?? owner, key);
      return typeof value === "function" ? Function.prototype.toString.call(value) : "";
    });
    return [name, keys, values].join();
  });

const refusing = (isKnown, model) => {
  if (!isKnown(model)) throw new Error(`unsupported model: ${model}`);
  return model;
};
const outcome = (promise) => promise.then((made) => made, (error) => error.message);

const before = platform().join();
for (const [way, isKnown] of Object.entries({ ...LISTS, closed })) {
  const attempt = async (model, create) => outcome(admitting(model, create));
  const alone = await outcome((async () => refusing(isKnown, MODEL))());
  const now = await attempt(MODEL, () => refusing(isKnown, MODEL));
  const later = await attempt(MODEL, async () => {
    await null;
    return refusing(isKnown, MODEL);
  });
  const known = await attempt(KNOWN, () => refusing(isKnown, KNOWN));
  const after = await outcome((async () => refusing(isKnown, MODEL))());
  const restored = platform().join() === before;
  console.log(JSON.stringify({ way, alone, now, later, known, after, restored }));
}
