// One server in the place of all providers. The request says what each of them answers, so that
// many requests can be under way at once:
//   model: a list of statuses per target, such as "500/429,200/200" - the last one stays;
//   user:  a name for the request, by which what it caused is found.

import { createServer } from "node:http";

function answer(name, status) {
  if (status === 200) {
    return {
      id: "c",
      object: "chat.completion",
      created: 1,
      model: "m",
      choices: [
        { index: 0, message: { role: "assistant", content: name }, finish_reason: "stop" },
      ],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    };
  }
  return { error: { message: `${name} says ${status}`, type: "t", param: null, code: "c" } };
}

/** Starts the server; gives its port, the targets that a request reached, and its end. */
export async function startUpstream() {
  const reached = new Map();
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { model, user } = JSON.parse(Buffer.concat(chunks).toString());
    const target = Number(request.url.split("/")[1].slice(1));
    const order = reached.get(user) ?? [];
    reached.set(user, [...order, target]);
    const statuses = model.split("/")[target].split(",").map(Number);
    const earlier = order.filter((one) => one === target).length;
    const status = statuses[Math.min(earlier, statuses.length - 1)];
    const body = JSON.stringify(answer(`t${target}`, status));
    response.writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    });
    response.end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: server.address().port,
    reached: (user) => (reached.get(user) ?? []).join(""),
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
