// Configs with five targets, nested. Where a choice is by weight, the weights are 0 and 1, so that
// both gateways choose alike.

export const TARGETS = 5;

/** Lists of the statuses after which a fallback goes on: for the outer one and the inner one. */
const LISTS = [
  [undefined, undefined],
  [undefined, [429]],
  [[429], undefined],
  [[500], [429]],
  [[429, 500], [500]],
];

/** Numbers stand for targets; the rest are strategies. */
const fallback = (codes, ...nodes) => ({ mode: "fallback", codes, nodes });
/** Only the node at this place has a weight. */
const only = (chosen, ...nodes) => ({ mode: "loadbalance", chosen, nodes });
const single = (...nodes) => ({ mode: "single", nodes });

const SHAPES = {
  "fallback of loadbalance of fallback": (outer, inner) =>
    fallback(outer, only(0, fallback(inner, 0, 1), 4), only(1, 4, fallback(inner, 2, 3)), 4),
  "the chosen one is the last": (outer, inner) =>
    fallback(outer, only(2, 0, 1, fallback(inner, 2, 3)), 4),
  "fallback at the end": (outer, inner) =>
    fallback(outer, 0, only(1, 1, fallback(inner, 2, fallback(outer, 3, 4)))),
  "three deep": (outer, inner) =>
    fallback(outer, fallback(inner, fallback(outer, 0, 1), 2), only(0, fallback(inner, 3, 4))),
  "loadbalance at the top": (outer, inner) =>
    only(1, 0, fallback(outer, only(0, fallback(inner, 1, 2), 0), fallback(inner, 3, 4))),
  "single in between": (outer, inner) =>
    fallback(outer, single(fallback(inner, 0, 1), 4), single(2, 0), only(1, 0, single(3)), 4),
};

function build(node, port) {
  if (typeof node === "number") {
    const custom_host = `http://127.0.0.1:${port}/t${node}`;
    return { provider: "openai", api_key: `sk-${node}`, custom_host };
  }
  const { mode, codes, chosen, nodes } = node;
  const strategy = codes ? { mode, on_status_codes: codes } : { mode };
  const targets = nodes.map((child, at) => ({
    ...build(child, port),
    ...(mode === "loadbalance" ? { weight: at === chosen ? 1 : 0 } : {}),
  }));
  return { strategy, targets };
}

/** Every tree with every pair of lists: a name and a config. */
export function trees(port) {
  return Object.entries(SHAPES).flatMap(([name, shape]) =>
    LISTS.map(([outer, inner]) => ({
      name: `${name}, outer ${JSON.stringify(outer)}, inner ${JSON.stringify(inner)}`,
      config: build(shape(outer, inner), port),
    })),
  );
}

/** All words of this length over these letters. */
export function words(length, letters) {
  if (length === 0) return [[]];
  return words(length - 1, letters).flatMap((word) => letters.map((letter) => [...word, letter]));
}
