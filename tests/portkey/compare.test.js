// Portkey's own gateway and this one, side by side: the same requests with the same configs must
// reach the same targets in the same order, and end alike.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startOurs, startPortkey } from "./gateways.js";
import { TARGETS, trees, words } from "./trees.js";
import { startUpstream } from "./upstream.js";

// Requests under way at once, at each gateway.
const AT_ONCE = 16;
// Longest that an answer may take, in milliseconds.
const DEADLINE = 20_000;

let upstream;
let gateways;

before(async () => {
  upstream = await startUpstream();
  gateways = await Promise.all([startPortkey(), startOurs(upstream.port)]);
});

after(async () => {
  await Promise.all(gateways?.map((gateway) => gateway.stop()) ?? []);
  await upstream?.stop();
});

/** What a request came to at one gateway. */
async function ask(gateway, config, model, name) {
  const user = `${gateway.name} ${name}`;
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-portkey-config": JSON.stringify(config) },
    body: JSON.stringify({ model, user, messages: [{ role: "user", content: "hi" }] }),
    signal: AbortSignal.timeout(DEADLINE),
  });
  const body = await response.json();
  return {
    order: upstream.reached(user),
    status: response.status,
    content: body.choices?.[0].message.content,
    error: body.error?.message,
    index: response.headers.get("x-portkey-last-used-option-index"),
    retries: response.headers.get("x-portkey-retry-attempt-count"),
  };
}

/** Asks both; their answers must be equal. */
async function compare(config, model, name) {
  const [theirs, ours] = await Promise.all(
    gateways.map((gateway) => ask(gateway, config, model, `${name} ${model}`)),
  );
  assert.deepEqual(ours, theirs, `${name}: ${model}`);
  return theirs;
}

/** Does so many of these at once. */
async function all(jobs) {
  const queue = jobs.values();
  const work = async () => {
    for (const job of queue) await job();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

test("nested strategies, with every combination of failures", async () => {
  const combinations = words(TARGETS, ["200", "429", "500"]).map((word) => word.join("/"));
  const seen = new Set();
  const jobs = trees(upstream.port).flatMap(({ name, config }) =>
    combinations.map((model) => async () => {
      const { order, status, index } = await compare(config, model, name);
      seen.add(`${order} ${status} ${index}`);
    }),
  );
  await all(jobs);
  // If nothing were routed, all would be equal, too.
  assert.ok(seen.size > 50, `only ${seen.size} outcomes`);
  console.log(`${jobs.length} requests to each, ${seen.size} outcomes`);
});

test("attempts at one target and their count", async () => {
  const target = (number, retry) => ({
    provider: "openai",
    api_key: "sk",
    custom_host: `http://127.0.0.1:${upstream.port}/t${number}`,
    ...(retry ? { retry } : {}),
  });
  const once = { attempts: 1, on_status_codes: [500] };
  const twice = { attempts: 2 };
  const pair = { strategy: { mode: "fallback" }, targets: [target(0, once), target(1, once)] };
  const inherited = {
    strategy: { mode: "fallback", on_status_codes: [500] },
    retry: once,
    targets: [target(0), target(1)],
  };
  // The config, the statuses of both targets, and how often the first one is asked.
  const cases = [
    [target(0, once), "200", 1],
    [target(0, once), "429", 1],
    [target(0, once), "500,200", 2],
    [target(0, once), "500", 2],
    [target(0, once), "500,429", 2],
    [target(0, twice), "503,429,200", 3],
    [target(0, twice), "500", 3],
    [target(0, twice), "400", 1],
    [target(0), "500", 1],
    [pair, "500/200", 2],
    [pair, "500/500", 2],
    [pair, "500/500,200", 2],
    [pair, "429/200", 1],
    [pair, "500,429/500,429", 2],
    [inherited, "500/500,200", 2],
    [inherited, "429/200", 1],
  ];
  await Promise.all(
    cases.map(async ([config, model, asked], at) => {
      const { order } = await compare(config, model, `attempts ${at}`);
      assert.equal(order.split("0").length - 1, asked, `${at}: ${model}`);
    }),
  );
});
